"""The use case: what an event changes in a school's book, and the bells that follow."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.contextvars import bound_contextvars

from libs.common import outbox, traces
from libs.common.codes import numbers_of
from libs.common.events import (
    BellChanged,
    BellJudged,
    CalendarSet,
    Event,
    InvolvementsSet,
    RegisterTaken,
    RollChanged,
)
from libs.common.identifiers import id_of
from services.risk import judged, store
from services.risk.bells import THE_SCHOOL, BellKey, Standing, Turn, diff
from services.risk.book import Book
from services.risk.enrolment import Enrolment, enrolment_of
from services.risk.episodes import Episode
from services.risk.fold import SCHOOL, Finding, Rule, Severity
from services.risk.progress import Progress
from services.risk.silences import silences_of
from services.risk.words import switched_off, with_asks, with_grounds, with_school, words_of

log = structlog.get_logger()

BOOKS_MAX = 1000
"""Books held in memory; the one least recently used goes first."""


@dataclass
class Shelf:
    """A book in memory with its bells, as they are in the database at `book.version`."""

    book: Book
    bells: dict[BellKey, dict[str, Any]]
    progress: Progress | None = None
    is_silent: bool = True
    """Whether a register is known to be missing; not known of a book just opened."""


@dataclass
class Evaluator:
    """Takes events into books. Books in memory are only ever a copy: the stored version decides."""

    rules: Sequence[Rule]
    _shelves: OrderedDict[str, Shelf] = field(default_factory=OrderedDict)

    def forget(self) -> None:
        """Drop every book in memory: effects on them were rolled back."""
        self._shelves.clear()

    async def handle(self, db: AsyncConnection, events: Sequence[Event]) -> None:
        """Take events in order, each evaluated by itself so that no bell depends on batching."""
        for event in events:
            what = "register" if isinstance(event, RegisterTaken) else "cause"
            with (
                traces.step(f"evaluate {event.topic}", event.id),
                bound_contextvars(**{what: str(event.id)}),
            ):
                await self._take(db, event)

    async def _take(self, db: AsyncConnection, event: Event) -> None:
        match event:
            case RegisterTaken():
                await self._take_register(db, event)
            case RollChanged():
                await self._take_roll(db, event)
            case CalendarSet():
                await store.save_calendar(db, event)
                shelf = await self._open(db, event.urn)
                shelf.book.open_as(event)
                await self._evaluate(db, shelf, event.occurred_at, quiet=False)
            case InvolvementsSet():
                await self._take_involvements(db, event)
            case BellJudged():
                await judged.save(db, event)

    async def _take_register(self, db: AsyncConnection, event: RegisterTaken) -> None:
        shelf = await self._open(db, event.urn)
        book = shelf.book
        known = len(book.upns)
        ordinal = book.apply(event.day, event.session, event.upns, numbers_of(event.codes))
        await self._welcome(db, book, known)
        await store.save_columns(db, book, [ordinal])
        await self._evaluate(db, shelf, event.occurred_at, quiet=event.backfill)

    async def _take_roll(self, db: AsyncConnection, event: RollChanged) -> None:
        shelf = await self._open(db, event.urn)
        book = shelf.book
        known = len(book.upns)
        rows = []
        for pupil in event.pupils:
            enrolment = enrolment_of(pupil)
            book.enrol(pupil.upn, enrolment)
            row = store.pupil_row(event.urn, pupil.upn, book.position_of(pupil.upn), enrolment)
            rows.append(row | {"home_la": pupil.home_la})
        await self._welcome(db, book, known)
        await store.save_pupils(db, rows)
        await self._evaluate(db, shelf, event.occurred_at, quiet=False)

    async def _take_involvements(self, db: AsyncConnection, event: InvolvementsSet) -> None:
        await store.save_involvements(db, event.upn, event.involvements)
        for urn in await store.schools_of(db, event.upn):
            shelf = await self._open(db, urn)
            shelf.book.involve(event.upn, event.involvements)
            await self._evaluate(db, shelf, event.occurred_at, quiet=False)

    async def take_silence(self, db: AsyncConnection, urn: str, latest: int, at: datetime) -> None:
        """Ring for a school whose registers up to the session `latest` have not come."""
        shelf = await self._open(db, urn)
        silent = shelf.book.silence(latest)
        if silent:
            await self._evaluate(db, shelf, at, quiet=False, silent=silent)

    async def evaluate_again(self, db: AsyncConnection, urn: str, at: datetime) -> None:
        """Take it into account that a school's stored book was changed; ring quietly."""
        self._shelves.pop(urn, None)
        await self._evaluate(db, await self._open(db, urn), at, quiet=True)

    async def _welcome(self, db: AsyncConnection, book: Book, known: int) -> None:
        new = book.upns[known:]
        rows = [
            store.pupil_row(book.urn, upn, position, Enrolment())
            for position, upn in enumerate(new, known)
        ]
        await store.save_pupils(db, rows)
        for upn, involvements in (await store.involvements_by_upn(db, new)).items():
            book.involve(upn, involvements)

    async def _open(self, db: AsyncConnection, urn: str) -> Shelf:
        version = await store.lock_book(db, urn)
        shelf = self._shelves.get(urn)
        if shelf is None or shelf.book.version != version:
            book = await store.read_book(db, urn, self.rules)
            bells = {_key(row): row for row in await store.bells_of(db, urn)}
            shelf = self._shelves[urn] = Shelf(book, bells)
        self._shelves.move_to_end(urn)
        if len(self._shelves) > BOOKS_MAX:
            self._shelves.popitem(last=False)
        return shelf

    async def _evaluate(
        self,
        db: AsyncConnection,
        shelf: Shelf,
        at: datetime,
        *,
        quiet: bool,
        silent: Sequence[int] = (),
    ) -> None:
        book = shelf.book
        book.version += 1
        await store.set_version(db, book.urn, book.version)
        before, shelf.progress = shelf.progress, book.fold()
        if not (silent or shelf.is_silent) and _same(before, shelf.progress):
            return
        silences = silences_of(shelf.bells, book, silent)
        shelf.is_silent = any(episode.until is None for episode in silences.values())
        standing = {
            key: Standing(Severity[row["severity"]], row["status"], self._grounds(row))
            for key, row in shelf.bells.items()
            if row["status"] == "ringing" or self._rule_of(key.kind) is not None
        }
        turns = diff(standing, _episodes(book, shelf.progress) | silences)
        events = [self._turn(shelf, turn, at, quiet=quiet) for turn in turns]
        await store.save_bells(db, [shelf.bells[turn.key] for turn in turns])
        changed = [event for event in events if event is not None]
        await outbox.append(db, "risk", changed)
        for event in changed:
            told = {"bell": str(event.bell.id), "kind": event.bell.kind, "change": event.change}
            (log.debug if quiet else log.info)("bell changed", **told)

    def _turn(self, shelf: Shelf, turn: Turn, at: datetime, *, quiet: bool) -> BellChanged | None:
        row = self._row(shelf, turn, at)
        shelf.bells[turn.key] = row
        if turn.change is None:
            return None
        return BellChanged(
            occurred_at=at,
            change=turn.change,
            sequence=row["sequence"],
            bell=store.bell_of(row),
            quiet=quiet,
        )

    def _row(self, shelf: Shelf, turn: Turn, at: datetime) -> dict[str, Any]:
        book, key = shelf.book, turn.key
        before = shelf.bells.get(key)
        rule = self._rule_of(key.kind)
        finding = self._finding(book, rule, turn, before)
        rings_anew = before is None or turn.change == "raised"
        rings_so = turn.change in {"raised", "escalated"}
        return {
            "id": id_of("bell", book.urn, *key),
            "urn": book.urn,
            "upn": key.upn or None,
            "kind": key.kind,
            "anchor": key.anchor,
            "severity": turn.severity.name,
            "status": turn.status,
            "sequence": before["sequence"] + 1 if before else 1,
            "raised_on": book.latest_day if rings_anew or not before else before["raised_on"],
            "raised_at": at if rings_anew or not before else before["raised_at"],
            "explanation": finding.explanation,
            "evidence": finding.evidence,
            # It goes on telling the version that rang, also when another one clears it.
            "rule": before["rule"] if before and not rings_so else _name_of(rule),
        }

    def _finding(
        self, book: Book, rule: Rule | None, turn: Turn, before: Mapping[str, Any] | None
    ) -> Finding:
        if rule is None:
            return switched_off(before or {})
        if turn.key.upn == THE_SCHOOL:
            finding = words_of(rule, book.school_record(), turn, before)
        else:
            position = book.position_of(turn.key.upn)
            finding = words_of(rule, book.record_of(position), turn, before)
            if finding.alike is not None and turn.status == "ringing":
                finding = with_school(finding, *book.as_many(position, finding.alike))
        if turn.status == "withdrawn":
            return finding
        joined = [one for n, one in enumerate(self.rules) if turn.grounds >> n & 1]
        finding = with_grounds(finding, joined, rule)
        if turn.status == "ringing":
            return with_asks(finding, rule, turn.severity)
        return finding

    def _rule_of(self, kind: str) -> Rule | None:
        """Return the rule that rings bells of a kind; None where it is switched off."""
        return next((rule for rule in self.rules if rule.kind == kind), None)

    def _grounds(self, row: Mapping[str, Any]) -> int:
        named = row["evidence"].get("grounds", ())
        return sum(1 << n for n, rule in enumerate(self.rules) if rule.kind in named)


def _name_of(rule: Rule | None) -> dict[str, str]:
    if rule is None:  # no bell is rung by a rule that is not there
        return {}
    return {"name": rule.kind, "version": rule.version, "source": rule.source}


def _key(row: dict[str, Any]) -> BellKey:
    return BellKey(row["kind"], row["upn"] or THE_SCHOOL, row["anchor"])


def _same(before: Progress | None, after: Progress) -> bool:
    return before is not None and all(
        a is b for a, b in zip(before.episodes, after.episodes, strict=True)
    )


def _episodes(book: Book, progress: Progress) -> dict[BellKey, Episode]:
    return {
        BellKey(
            rule.kind, THE_SCHOOL if position == SCHOOL else book.upns[position], anchor
        ): episode
        for rule, found in zip(book.rules, progress.episodes, strict=True)
        for (position, anchor), episode in found.items()
    }
