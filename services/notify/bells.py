"""The use case: a bell comes; who may know of it is decided, recorded, and told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import upsert
from libs.common.events import BellChanged, Event, RollChanged
from libs.common.identifiers import id_of
from libs.common.school_day import london_day, utc_now
from services.notify import ledger, store
from services.notify.routing import About, Recipient, Routes, recipients_of
from services.notify.sharing import Decision, Policies, shown
from services.notify.tables import Alert


def type_of(change: str, *, told: bool, quiet: bool) -> str | None:
    """Return the type of message that a bell's change makes for a recipient; None: no message.

    Who was not told that it rang is not told that it ended; who hears of it only when it has
    grown worse hears that it rings.
    """
    if not told:
        news = change in {"raised", "escalated"} and not quiet
        return "alert.raised" if news else None
    return f"alert.{change}"


@dataclass
class Notifier:
    """Takes what risk and ingest say into alerts, disclosures and deliveries."""

    routes: Routes
    policies: Policies
    now: Callable[[], datetime] = utc_now

    async def handle(self, db: AsyncConnection, events: Sequence[Event]) -> None:
        """Take events in order."""
        for event in events:
            match event:
                case RollChanged():
                    pupils = msgspec.to_builtins(event.pupils)
                    await store.save_children(db, event.urn, pupils, event.removed)
                case BellChanged():
                    await self._take_bell(db, event)

    async def decide(
        self, db: AsyncConnection, bell: dict[str, Any]
    ) -> list[tuple[Recipient, Decision, dict[str, Any]]]:
        """Return for each recipient of a bell the decision, and what they may see. Tells nobody."""
        pupil = await store.pupil_of(db, bell["upn"], bell["urn"])
        _, involvements = await store.involvements_of(db, bell["upn"])
        about = About(
            bell["kind"],
            bell["urn"],
            pupil.get("home_la"),
            london_day(self.now()),
            tuple(involvements),
        )
        decided = []
        for recipient in recipients_of(about, self.routes, await store.people(db)):
            decision = self.policies.decide(recipient, bell["kind"], bell["severity"])
            decided.append((recipient, decision, shown(decision, recipient, bell, pupil)))
        return decided

    async def _take_bell(self, db: AsyncConnection, event: BellChanged) -> None:
        bell = msgspec.to_builtins(event.bell)
        await store.save_bell(db, bell)
        alerts = await store.alerts_of_bell(db, event.bell.id)
        records: list[dict[str, Any]] = []
        for recipient, decision, body in await self.decide(db, bell):
            alert = alerts.pop(recipient.person.id, None)
            kind = type_of(event.change, told=alert is not None, quiet=event.quiet)
            if kind is None:
                continue
            records.append(self._record(event, recipient, decision))
            if decision.fields or alert is not None:
                alert = alert or _new_alert(event, recipient)
                await self._tell(db, event, kind, alert, body)
        for alert in alerts.values():  # told before, and no longer a recipient: the end is told
            if event.change in {"cleared", "withdrawn"}:
                await self._tell(db, event, f"alert.{event.change}", alert, _bare(alert))
        await ledger.append(db, records)

    def _record(
        self, event: BellChanged, recipient: Recipient, decision: Decision
    ) -> dict[str, Any]:
        return {
            "id": str(id_of("disclosure", event.id, recipient.person.id)),
            "bell": str(event.bell.id),
            "upn": event.bell.upn,
            "recipient": recipient.person.id,
            "role": recipient.role,
            "footing": recipient.footing,
            "change": event.change,
            "decision": decision.verdict,
            "fields": decision.fields,
            "withheld": decision.withheld,
            "basis": decision.basis,
            "policies": decision.policies,
            "decided_at": self.now().isoformat(),
        }

    async def _tell(
        self,
        db: AsyncConnection,
        event: BellChanged,
        kind: str,
        alert: dict[str, Any],
        body: dict[str, Any],
    ) -> None:
        now = self.now()
        body = {"alert": str(alert["id"]), "bell": str(event.bell.id), **body}
        entry = {"at": now.isoformat(), "what": kind, "by": "firstbell"}
        status = alert["status"]
        if event.change in {"cleared", "withdrawn"}:
            status = event.change
        elif kind == "alert.raised":
            status = "raised"
        row = {**alert, "status": status, "shown": body, "history": [*alert["history"], entry]}
        await upsert(db, Alert, [row])
        message = {"type": kind, "timestamp": now.isoformat(), "data": body}
        endpoints = await store.endpoints_for(db, alert["recipient"], alert["agency"])
        await store.add_deliveries(
            db,
            [
                delivery(endpoint, event.bell.upn, message, now, "bell", event.id, alert["id"])
                for endpoint in endpoints
            ],
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
    return {**kept, "child": {}, "withheld": ["all"], "basis": []}
