"""Whether a message goes out now, or is held back: silenced, inhibited, or waiting for others."""

from collections import Counter as Tally
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.retention import start_of
from libs.common.school_day import london_day
from services.notify import holding_store
from services.notify.holding_store import OfDay
from services.notify.routing import Inhibition
from services.notify.school_hours import SchoolDays
from services.notify.timing import Matter, Wishes, wait_of

log = structlog.get_logger()

HELD = Counter(
    "firstbell_alerts_held", "Alerts held back from their recipients", ["service", "why"]
)
OVER = Counter(
    "firstbell_recipients_over_limit", "Recipients whose messages of a day passed their limit",
    ["service"],
)  # fmt: skip


@dataclass
class Noise:
    """What holds messages back, and what it held and lets go in this transaction.

    Args:
        held: alerts of which no message has told yet.
        days: when schools are open, by URN.
        silences: in force today, by practitioner, child and kind.
        inhibitions: which kinds hold back which; empty where nobody is to wait for a digest either,
            as of what has been passed on already for want of an answer.
        ringing: bells about schools that ring, by URN and kind.
        open: recipients' open alerts, by recipient, child and kind: their bells.
    """

    now: datetime
    held: dict[UUID, Row[Any]] = field(default_factory=dict)
    days: Mapping[str, SchoolDays] = field(default_factory=dict)
    silences: dict[tuple[str, str | None, str], Row[Any]] = field(default_factory=dict)
    inhibitions: Sequence[Inhibition] = ()
    ringing: dict[tuple[str, str], UUID] = field(default_factory=dict)
    open: dict[tuple[str, str | None, str], UUID] = field(default_factory=dict)
    wishes: dict[str, Wishes] = field(default_factory=dict)
    sent: dict[str, OfDay] = field(default_factory=dict)
    to_hold: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    let_go: set[UUID] = field(default_factory=set)
    sending: Tally[str] = field(default_factory=Tally)
    _passed: set[str] = field(default_factory=set)

    async def read_silences(
        self, db: AsyncConnection, people: Collection[str], upns: Collection[str | None]
    ) -> None:
        """Read what of these children these people want to hear nothing of."""
        today = london_day(self.now)
        self.silences = await holding_store.silences_on(db, today, people, upns)

    async def write(self, db: AsyncConnection) -> None:
        """Keep what is held now, what is not any more, and how many messages went out."""
        await holding_store.save_held(db, self.to_hold.values(), self.let_go)
        counted = {who: n for who, n in self.sending.items() if who in self.wishes}
        await holding_store.count_messages(db, london_day(self.now), counted, self._passed)

    def note(self, row: Mapping[str, Any]) -> None:
        """Let an alert of this transaction hold back others, or no more."""
        key = (row["recipient"], row["upn"], row["kind"])
        if row["status"] in holding_store.OPEN:
            self.open[key] = row["bell"]
        else:
            self.open.pop(key, None)

    def type_now(
        self, row: Mapping[str, Any], kind: str, bell: Mapping[str, Any], pupil: Mapping[str, Any]
    ) -> str | None:
        """Return which message goes out now; None: nothing, since its recipient is not to hear.

        Who has heard nothing of an alert hears nothing of its end, and of its growing worse that
        it rings.
        """
        id, was_held = row["id"], row["id"] in self.held or row["id"] in self.to_hold
        if kind in {"alert.raised", "alert.escalated"} and bell["severity"] != "urgent":
            silence = self.silences.get((row["recipient"], bell["upn"], bell["kind"]))
            if silence is not None and kind == "alert.escalated" and not was_held:
                return None
            if kind == "alert.raised" or was_held:
                reason = self._reason(row, bell, pupil, silence)
                if reason is not None:
                    self._hold(row, reason)
                    return None
        if not was_held:
            return kind
        self.to_hold.pop(id, None)
        self.let_go.add(id)
        return "alert.raised" if bell["status"] == "ringing" else None

    def _reason(
        self,
        row: Mapping[str, Any],
        bell: Mapping[str, Any],
        pupil: Mapping[str, Any],
        silence: Row[Any] | None,
    ) -> dict[str, Any] | None:
        if silence is not None:
            until = start_of(silence.until + timedelta(days=1))
            return {"why": "silenced", "by": silence.id, "due_at": until, "bundle": None}
        inhibitor = self._inhibitor(row["recipient"], bell)
        if inhibitor is not None:
            return {"why": "inhibited", "by": inhibitor, "due_at": None, "bundle": None}
        before = self.held.get(row["id"])
        if before is not None and before.bundle is not None and before.due_at <= self._soon():
            return None  # it has waited
        who = row["recipient"]
        how_soon = (row["route"] or {}).get("how_soon", "at_once")
        matter = Matter(bell["kind"], bell["severity"], how_soon, pupil, bell["urn"])
        of_day = self.sent.get(who, OfDay(0, False))
        days = self.days.get(bell["urn"], SchoolDays({}))
        sent = of_day.messages + self.sending[who]
        wait = wait_of(matter, self.wishes.get(who), sent, days, self.now)
        if wait is None:
            return None
        if wait.why == "limit" and not of_day.told and who not in self._passed:
            self._passed.add(who)
            OVER.labels("notify").inc()
            log.warning("a recipient's limit of a day is reached", practitioner=who)
        return {"why": wait.why, "by": None, "due_at": wait.until, "bundle": wait.bundle}

    def _soon(self) -> datetime:
        return self.now + holding_store.TOGETHER_WITHIN

    def _inhibitor(self, recipient: str, bell: Mapping[str, Any]) -> UUID | None:
        for one in self.inhibitions:
            if bell["kind"] not in one.holds or bell["upn"] is None:
                continue
            by = (
                self.ringing.get((bell["urn"], one.rings))
                if one.of == "school"
                else self.open.get((recipient, bell["upn"], one.rings))
            )
            if by is not None:
                return by
        return None

    def _hold(self, row: Mapping[str, Any], reason: Mapping[str, Any]) -> None:
        id = row["id"]
        self.let_go.discard(id)
        before = self.held.get(id)
        since = before.since if before is not None else self.now
        HELD.labels("notify", reason["why"]).inc()
        names = {"alert": id, "bell": row["bell"], "recipient": row["recipient"], "since": since}
        self.to_hold[id] = {**names, **reason}


async def read_all(
    db: AsyncConnection,
    noise: Noise,
    bells: Sequence[Mapping[str, Any]],
    inhibitions: Sequence[Inhibition],
    people: Collection[str],
) -> None:
    """Read what else than silences may hold back messages about bells; those bells count too."""
    noise.inhibitions = inhibitions
    of_schools = {one.rings for one in inhibitions if one.of == "school"}
    of_children = {one.rings for one in inhibitions if one.of == "child"}
    noise.ringing = await holding_store.ringing_at(db, {b["urn"] for b in bells}, of_schools)
    # Whichever topic or partition was read first: those of this batch count as well.
    for bell in bells:
        if bell["upn"] is None and bell["kind"] in of_schools:
            key = (bell["urn"], bell["kind"])
            if bell["status"] == "ringing":
                noise.ringing[key] = UUID(str(bell["id"]))
            elif noise.ringing.get(key) == UUID(str(bell["id"])):
                del noise.ringing[key]
    upns = {upn for bell in bells if (upn := bell["upn"]) is not None}
    noise.open = await holding_store.open_alerts(db, upns, of_children)
    noise.wishes = await holding_store.wishes(db, people)
    if noise.wishes:
        noise.sent = await holding_store.messages_of(db, london_day(noise.now), noise.wishes)
