"""The use case: a bell comes; who may know of it is decided, recorded, and told."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.events import BellChanged, Event, RollChanged
from libs.common.identifiers import id_of
from libs.common.school_day import london_day, utc_now
from services.notify import ledger, store
from services.notify.routing import About, Person, Recipient, Routes, recipients_of
from services.notify.sharing import FIELDS, Decision, Policies, shown


def type_of(change: str, *, told: bool, quiet: bool) -> str | None:
    """Return the type of message that a bell's change makes for a recipient; None: no message.

    Who was not told that it rang is not told that it ended; who hears of it only when it has
    grown worse hears that it rings.
    """
    if not told:
        news = change in {"raised", "escalated"} and not quiet
        return "alert.raised" if news else None
    return f"alert.{change}"


class Known(NamedTuple):
    """What is held about the bells of one batch, read at once."""

    people: list[Person]
    involvements: dict[str, list[dict[str, Any]]]
    pupils: dict[tuple[str | None, str], dict[str, Any]]


Decided = tuple[Recipient, Decision, dict[str, Any]]
"""For one recipient the decision, and what they may see."""


@dataclass
class Outcome:
    """What a batch of bells comes to: rows to be written, and alerts as they stand meanwhile."""

    alerts: dict[UUID, dict[str, dict[str, Any]]]
    endpoints: dict[str, list[UUID]]
    changed: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    records: list[dict[str, Any]] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Notifier:
    """Takes what risk and ingest say into alerts, disclosures and deliveries."""

    routes: Routes
    policies: Policies
    now: Callable[[], datetime] = utc_now

    async def handle(self, db: AsyncConnection, events: Sequence[Event]) -> None:
        """Take events in order."""
        for kind, run in groupby(events, key=type):
            if kind is BellChanged:
                await self._take_bells(db, [e for e in run if isinstance(e, BellChanged)])
            elif kind is RollChanged:
                await self._take_rolls(db, [e for e in run if isinstance(e, RollChanged)])

    async def _take_rolls(self, db: AsyncConnection, events: Sequence[RollChanged]) -> None:
        for event in events:
            pupils = msgspec.to_builtins(event.pupils)
            await store.save_children(db, event.urn, pupils, event.removed)

    async def decide(self, db: AsyncConnection, bell: dict[str, Any]) -> list[Decided]:
        """Return for each recipient of a bell the decision, and what they may see. Tells nobody."""
        return self._decide(bell, await _known(db, {bell["upn"]}))

    def _decide(self, bell: dict[str, Any], known: Known) -> list[Decided]:
        pupil = known.pupils.get((bell["upn"], bell["urn"]), {})
        about = About(
            bell["kind"],
            bell["urn"],
            pupil.get("home_la"),
            london_day(self.now()),
            tuple(known.involvements.get(bell["upn"], ())),
        )
        decided = []
        for recipient in recipients_of(about, self.routes, known.people):
            decision = self.policies.decide(recipient, bell["kind"], bell["severity"])
            decided.append((recipient, decision, shown(decision, recipient, bell, pupil)))
        return decided

    async def _take_bells(self, db: AsyncConnection, events: Sequence[BellChanged]) -> None:
        known = await _known(db, {event.bell.upn for event in events})
        alerts = await store.alerts_by_bell(db, {event.bell.id for event in events})
        outcome = Outcome(alerts, await store.open_endpoints(db))
        bells = {event.bell.id: msgspec.to_builtins(event.bell) for event in events}
        for event in events:
            self._take_bell(event, self._decide(msgspec.to_builtins(event.bell), known), outcome)
        await store.save_bells(db, bells.values())
        await store.save_alerts(db, list(outcome.changed.values()))
        await store.add_deliveries(db, outcome.deliveries)
        await ledger.append(db, outcome.records)

    def _take_bell(self, event: BellChanged, decided: list[Decided], outcome: Outcome) -> None:
        left = dict(outcome.alerts[event.bell.id])
        for recipient, decision, body in decided:
            alert = left.pop(recipient.person.id, None)
            kind = type_of(event.change, told=alert is not None, quiet=event.quiet)
            if kind is None:
                continue
            outcome.records.append(self._record(event, recipient.person.id, decision, recipient))
            if decision.fields or alert is not None:
                self._tell(event, kind, alert or _new_alert(event, recipient), body, outcome)
        for alert in left.values():  # told before, and no longer a recipient: the end is told
            if event.change in {"cleared", "withdrawn"}:
                nothing = Decision([], list(FIELDS), [], [])
                outcome.records.append(self._record(event, alert["recipient"], nothing, None))
                self._tell(event, f"alert.{event.change}", alert, _bare(alert), outcome)

    def _record(
        self, event: BellChanged, told: str, decision: Decision, recipient: Recipient | None
    ) -> dict[str, Any]:
        return {
            "id": str(id_of("disclosure", event.id, told)),
            "bell": str(event.bell.id),
            "upn": event.bell.upn,
            "recipient": told,
            "role": recipient.role if recipient else None,
            "footing": recipient.footing if recipient else None,
            "change": event.change,
            "decision": decision.verdict,
            "fields": decision.fields,
            "withheld": decision.withheld,
            "basis": decision.basis,
            "policies": decision.policies,
            "decided_at": self.now().isoformat(),
        }

    def _tell(
        self,
        event: BellChanged,
        kind: str,
        alert: dict[str, Any],
        body: dict[str, Any],
        outcome: Outcome,
    ) -> None:
        now = self.now()
        body = {"alert": str(alert["id"]), "bell": str(event.bell.id), **body}
        entry = {"at": now.isoformat(), "what": kind, "by": "firstbell"}
        status = alert["status"]
        if event.change in {"cleared", "withdrawn"} and status != "closed":
            status = event.change
        elif kind == "alert.raised":
            status = "raised"
        row = {**alert, "status": status, "shown": body, "history": [*alert["history"], entry]}
        outcome.changed[row["id"]] = outcome.alerts[event.bell.id][row["recipient"]] = row
        message = {"type": kind, "timestamp": now.isoformat(), "data": body}
        owners = (f"practitioner {row['recipient']}", f"agency {row['agency']}")
        outcome.deliveries += [
            delivery(endpoint, event.bell.upn, message, now, "bell", event.id, alert["id"])
            for owner in owners
            for endpoint in outcome.endpoints.get(owner, ())
        ]


async def _known(db: AsyncConnection, upns: Collection[str | None]) -> Known:
    return Known(
        await store.people(db),
        await store.involvements_by_upn(db, upns),
        await store.pupils_by_place(db, upns),
    )


def delivery(
    endpoint: UUID, upn: str | None, message: dict[str, Any], now: datetime, *what: object
) -> dict[str, Any]:
    """Return the row of a message to be delivered; the same endpoint and thing, the same id."""
    return {
        "id": id_of("delivery", endpoint, *what),
        "endpoint": endpoint,
        "upn": upn,
        "type": message["type"],
        "body": msgspec.json.encode(message).decode(),
        "state": "pending",
        "attempts": 0,
        "created_at": now,
        "next_attempt_at": now,
    }


def _new_alert(event: BellChanged, recipient: Recipient) -> dict[str, Any]:
    return {
        "id": id_of("alert", event.bell.id, recipient.person.id),
        "bell": event.bell.id,
        "upn": event.bell.upn,
        "recipient": recipient.person.id,
        "agency": recipient.person.agency,
        "kind": event.bell.kind,
        "status": "raised",
        "raised_at": event.bell.raised_at,
        "shown": {},
        "history": [],
    }


def _bare(alert: dict[str, Any]) -> dict[str, Any]:
    kept = {name: alert["shown"][name] for name in ("kind", "severity") if name in alert["shown"]}
    return {**kept, "child": {}, "withheld": list(FIELDS), "basis": []}
