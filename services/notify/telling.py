"""What bells and approvals come to: records for the ledger, alerts as they stand, messages."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import traces
from libs.common.identifiers import id_of
from services.notify import (
    alert_store,
    delivery_store,
    endpoint_store,
    holding_store,
    ledger,
    life_store,
)
from services.notify.deciding import Decided, Known, known_of
from services.notify.figures import DECISIONS
from services.notify.noise import Noise
from services.notify.routing import Person, Recipient
from services.notify.school_hours import SchoolDays
from services.notify.sharing import NOTHING

Alerts = dict[UUID, dict[str, dict[str, Any]]]
"""Alerts as they stand, by bell and recipient."""


@dataclass
class Telling:
    """What is to be written, all in one transaction.

    Args:
        now: when it is decided.
        policy_version: of the rules that decided.
    """

    now: datetime
    policy_version: str
    alerts: Alerts
    noise: Noise
    """What holds messages back."""
    endpoints: dict[str, list[UUID]] = field(default_factory=dict)
    """By owner; see `know`."""
    school_days: Mapping[str, SchoolDays] = field(default_factory=dict)
    """By URN."""
    gathered: dict[str, list[dict[str, Any]]] | None = None
    """By recipient, what becomes one message; None: each alert is one."""
    changed: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    approvals: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    records: list[dict[str, Any]] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)

    async def know(self, db: AsyncConnection, bells: Collection[Mapping[str, Any]]) -> Known:
        """Return what is held about these bells, and read how who may hear of them is reached.

        That is whoever is near, and who was told of them before; and, of which kinds of bell about
        these children they want to hear nothing.
        """
        known = await known_of(db, bells, to_change=True)
        before = [row for rows in self.alerts.values() for row in rows.values()]
        ids = known.people.keys() | {row["recipient"] for row in before}
        agencies = {person.agency for person in known.people.values()}
        agencies |= {row["agency"] for row in before}
        self.endpoints = await endpoint_store.open_endpoints(db, ids, agencies)
        await self.noise.read_silences(db, ids, {bell["upn"] for bell in bells})
        return known

    async def write(self, db: AsyncConnection) -> None:
        """Write everything."""
        await alert_store.save_alerts(db, list(self.changed.values()))
        await alert_store.save_approvals(db, list(self.approvals.values()))
        await self.noise.write(db)
        await delivery_store.add_deliveries(db, self.deliveries)
        await ledger.append(db, self.records)

    def record(self, bell: Mapping[str, Any], one: Decided, cause: object, change: str) -> None:
        """Record what was decided for one recipient; `cause` is what it was decided upon."""
        recipient, decision = one.recipient, one.decision
        DECISIONS.labels(decision.verdict).inc()
        self.records.append(
            {
                "id": str(id_of("disclosure", cause, recipient.person.id)),
                "bell": str(bell["id"]),
                "upn": bell["upn"],
                "recipient": recipient.person.id,
                "role": recipient.role if recipient.capacities else None,
                "footing": recipient.footing if recipient.capacities else None,
                "change": change,
                "decision": decision.verdict,
                "fields": decision.fields,
                "withheld": decision.withheld,
                "in_part": one.cut,
                "awaiting": decision.awaiting,
                "basis": decision.basis,
                "policies": decision.policies,
                "forbidden_by": sorted({p for ps in decision.forbidden_by.values() for p in ps}),
                "policy_version": self.policy_version,
                "decided_at": self.now.isoformat(),
            }
        )

    def record_step(
        self, approval: Mapping[str, Any], what: str, by: str | None, reason: str | None
    ) -> None:
        """Record that an approval was given or refused, or has expired."""
        fields = approval["fields"] if what == "approved" else []
        self.records.append(
            {
                "id": str(id_of("approval", approval["id"], what, approval["round"])),
                "bell": str(approval["bell"]),
                "upn": approval["upn"],
                "recipient": approval["recipient"],
                "role": approval["role"],
                "decision": what,
                "fields": fields,
                "withheld": [],
                "basis": [],
                "policies": [],
                "by": by,
                "reason": reason,
                "policy_version": self.policy_version,
                "decided_at": self.now.isoformat(),
            }
        )

    def tell(
        self, bell: Mapping[str, Any], kind: str, one: Decided, cause: object, **more: Any
    ) -> None:
        """Bring a recipient's alert up to date, and send it to wherever they are reached."""
        alerts = self.alerts[UUID(str(bell["id"]))]
        held = alerts.get(one.recipient.person.id) or _new_alert(bell, one.recipient)
        if kind == "alert.raised":
            held = {**held, "answer_by": self._answer_by(bell, one, held["route"])}
        self.send(bell, kind, held, one.body, cause, one.pupil, **more)

    def _answer_by(
        self, bell: Mapping[str, Any], one: Decided, route: Mapping[str, Any] | None
    ) -> datetime | None:
        if not route or not route.get("escalate_to"):
            return None
        days = self.school_days.get(bell["urn"], SchoolDays({}))
        return days.answer_by(self.now, route["after_hours"], always=is_always(bell, one))

    def send(
        self,
        bell: Mapping[str, Any],
        kind: str,
        held: Mapping[str, Any],
        body: Mapping[str, Any],
        cause: object,
        pupil: Mapping[str, Any] = MappingProxyType({}),
        **more: Any,
    ) -> None:
        """Bring an alert up to date with this body, and send it; `more` goes into its history."""
        body = {"alert": str(held["id"]), "bell": str(bell["id"]), **body}
        entry = {"at": self.now.isoformat(), "what": kind, "by": "firstbell", **more}
        row = {**held, "shown": body, "history": [*held["history"], entry]}
        row["status"] = _status(held["status"], kind, bell["status"])
        type_ = self.noise.type_now(row, kind, bell, pupil)
        if type_ is None:
            self.keep({**row, "answer_by": None})
            return
        self.keep({**row, "told_at": self.now})
        if self.gathered is not None:
            self.gathered.setdefault(row["recipient"], []).append({**row, "cause": cause})
            return
        message = {"type": type_, "timestamp": self.now.isoformat(), "data": body}
        self.post(row, message, bell["upn"], cause, row["id"])

    def post(
        self, row: Mapping[str, Any], message: dict[str, Any], upn: str | None, *what: object
    ) -> None:
        """Send a message to wherever the recipient of this alert is reached."""
        self.noise.sending[row["recipient"]] += 1
        owners = (f"practitioner {row['recipient']}", f"agency {row['agency']}")
        self.deliveries += [
            delivery(endpoint, upn, message, self.now, "bell", *what)
            for owner in owners
            for endpoint in self.endpoints.get(owner, ())
        ]

    def keep(self, row: dict[str, Any]) -> None:
        """Keep an alert as it stands."""
        self.noise.note(row)
        self.changed[row["id"]] = self.alerts[row["bell"]][row["recipient"]] = row


async def telling(
    db: AsyncConnection,
    bells: Collection[UUID],
    now: datetime,
    policy_version: str,
    urns: Collection[str] = (),
) -> Telling:
    """Begin: with these bells' alerts, locked, and schools' calendars."""
    alerts = await alert_store.alerts_by_bell(db, bells)
    days = await life_store.school_days_of(db, urns) if urns else {}
    noise = Noise(now, await holding_store.held_of(db, bells), days)
    return Telling(now, policy_version, alerts, noise, school_days=days)


def is_always(bell: Mapping[str, Any], one: Decided) -> bool:
    """Whether somebody must answer at any hour: urgent, and a child at risk of going missing."""
    return bell["severity"] == "urgent" and "missing_or_exploitation_risk" in one.footings


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
        "traceparent": traces.headers().get(traces.TRACEPARENT),
    }


def former(id: str, body: dict[str, Any]) -> Decided:
    """Return what somebody is told who is a recipient no more: nothing but the end."""
    person = Person(id, frozenset(), "", "", frozenset(), None)
    return Decided(Recipient(person, ()), NOTHING, body, [], None)


def _status(held: str, kind: str, standing: str) -> str:
    if kind == "alert.raised":
        return "raised"
    ended = kind in {"alert.cleared", "alert.withdrawn"} and held != "closed"
    return standing if ended else held


def _new_alert(bell: Mapping[str, Any], recipient: Recipient) -> dict[str, Any]:
    to = recipient.to
    asked = {"name": recipient.asked or "approval"}
    route = {"name": recipient.route, **to.model_dump(mode="json")} if to else asked
    return {
        "id": id_of("alert", bell["id"], recipient.person.id),
        "bell": UUID(str(bell["id"])),
        "upn": bell["upn"],
        "recipient": recipient.person.id,
        "agency": recipient.person.agency,
        "kind": bell["kind"],
        "status": "raised",
        "raised_at": datetime.fromisoformat(str(bell["raised_at"])),
        "shown": {},
        "history": [],
        "route": route,
        "thread": id_of("thread", recipient.person.id, bell["upn"] or bell["urn"]),
        "answer_by": None,
        "told_at": None,
    }
