"""The use case: a bell comes; who may know of it is decided, recorded, and told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import traces
from libs.common.events import BellChanged, Event, RollChanged
from libs.common.school_day import london_day, utc_now
from services.notify import alert_store, approvals, life_store, noise
from services.notify.deciding import Decided, Known, decide, known_of
from services.notify.sharing_rules import SharingRules
from services.notify.shown import bare
from services.notify.telling import Telling, former, telling

log = structlog.get_logger()


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
    """Takes what risk and ingest say into alerts, disclosures and deliveries.

    `rules` is replaced when the files change: what is being decided then is decided by the old.
    """

    rules: SharingRules
    now: Callable[[], datetime] = utc_now

    async def handle(self, db: AsyncConnection, events: Sequence[Event]) -> None:
        """Take events in order."""
        for kind, run in groupby(events, key=type):
            if kind is BellChanged:
                await self._take_bells(db, [e for e in run if isinstance(e, BellChanged)])
            elif kind is RollChanged:
                await self._take_rolls(db, [e for e in run if isinstance(e, RollChanged)])
            else:
                await life_store.save_facts(db, list(run))

    async def _take_rolls(self, db: AsyncConnection, events: Sequence[RollChanged]) -> None:
        for event in events:
            pupils = msgspec.to_builtins(event.pupils)
            await alert_store.save_children(db, event.urn, pupils, event.removed)

    async def decide(self, db: AsyncConnection, bell: dict[str, Any]) -> list[Decided]:
        """Return what would be decided about a bell today. Tells nobody."""
        return decide(bell, await known_of(db, [bell]), self.rules, london_day(self.now()))

    async def _take_bells(self, db: AsyncConnection, events: Sequence[BellChanged]) -> None:
        rules = self.rules
        bells = [msgspec.to_builtins(event.bell) for event in events]
        ids, urns = {e.bell.id for e in events}, {e.bell.urn for e in events}
        out = await telling(db, ids, self.now(), rules.version, urns)
        known = await out.know(db, bells)
        await noise.read_all(db, out.noise, bells, rules.routes.inhibitions, known.people)
        for event, bell in zip(events, bells, strict=True):
            change = {"bell": str(event.bell.id), "change": event.change}
            before = len(out.deliveries)
            with traces.step("decide", event.id, kind=event.bell.kind, **change):
                _take_bell(event, bell, known, rules, out)
                made = [str(row["id"]) for row in out.deliveries[before:]]
                (log.debug if event.quiet else log.info)("decided", deliveries=made, **change)
        await alert_store.save_bells(db, {bell["id"]: bell for bell in bells}.values())
        await out.write(db)


def _take_bell(
    event: BellChanged, bell: dict[str, Any], known: Known, rules: SharingRules, out: Telling
) -> None:
    left = dict(out.alerts[event.bell.id])
    for one in _decided(event, bell, known, rules, out):
        told = one.recipient.person.id in left
        kind = type_of(event.change, told=told, quiet=event.quiet)
        if kind is None:
            continue
        shares = bool(one.decision.fields)
        if told and not shares and bell["status"] != "ringing":
            continue  # may see it no more: the bare end is told, and recorded, below
        left.pop(one.recipient.person.id, None)
        out.record(bell, one, event.id, event.change)
        if shares:
            out.tell(bell, kind, one, event.id)
    if bell["status"] != "ringing":
        _tell_end(event, bell, known, list(left.values()), out)


def _tell_end(
    event: BellChanged,
    bell: dict[str, Any],
    known: Known,
    left: Sequence[dict[str, Any]],
    out: Telling,
) -> None:
    for alert in left:  # told before, and no longer a recipient: the end is told
        body = bare(alert["shown"])
        out.record(bell, former(alert["recipient"], body), event.id, event.change)
        out.send(bell, f"alert.{event.change}", alert, body, event.id)
    for row in known.approvals[event.bell.id]:
        if row["state"] == "awaiting":
            approvals.end(row, f"the bell was {event.change}", out)


def _decided(
    event: BellChanged, bell: dict[str, Any], known: Known, rules: SharingRules, out: Telling
) -> list[Decided]:
    """Decide, ask for the approvals that are needed, and decide again with these in place."""
    day = london_day(out.now)
    decided = decide(bell, known, rules, day, anew=True)
    held = known.approvals[event.bell.id]
    made = [
        approvals.request(bell, one, len(held), out.now)
        for one in decided
        if one.asks is not None and type_of(event.change, told=False, quiet=event.quiet)
    ]
    if not made:
        return decided
    held += made
    out.approvals |= {row["id"]: row for row in made}
    return decide(bell, known, rules, day)
