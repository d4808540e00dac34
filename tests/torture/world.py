"""A made-up authority or three, whose every register, worker and word a seed decides."""

import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from libs.common.school_day import academic_year_of, london_day, utc_now
from tests.service.ingest_app import upn

AUTHORITIES = ("330", "331", "332")
WORKERS = 3
"""Social workers of each authority."""


class Size(NamedTuple):
    """How much is sent."""

    schools: int
    groups: int
    pupils: int
    """In each group."""
    sessions: int

    @property
    def marks(self) -> int:
        return self.schools * self.groups * self.pupils * self.sessions


class Request(NamedTuple):
    """A register as it is sent; `number` is its idempotency key in the ledger."""

    number: int
    urn: str
    day: str
    session: str
    group: str
    codes: dict[str, str]

    @property
    def body(self) -> dict[str, Any]:
        marks = [{"upn": upn, "code": code} for upn, code in self.codes.items()]
        return {"group": self.group, "marks": marks}


class Pupil(NamedTuple):
    """A child, who works with it, and the words that tell of this child alone."""

    upn: str
    urn: str
    group: str
    worker: str | None
    police: str | None
    bent: float
    """How apt to be away."""

    @property
    def words(self) -> dict[str, str]:
        number = self.upn[-9:]
        return {
            "upn": self.upn,
            "family_name": f"Family{number}q",
            "social_care": f"LCS{number}q",
            "police": f"PNC{number}q",
        }


@dataclass(frozen=True)
class World:
    """Everything that is told to a stack."""

    seed: int
    size: Size
    pupils: tuple[Pupil, ...]
    requests: tuple[Request, ...]

    @property
    def urns(self) -> list[str]:
        return sorted({pupil.urn for pupil in self.pupils})

    def may_hold(self, recipient: str) -> set[str]:
        """Return the words that may stand in what this recipient is sent."""
        kind, _, whose = recipient.partition("-")
        if kind == "lead":
            own = [pupil for pupil in self.pupils if pupil.urn == whose]
            return {pupil.words[name] for pupil in own for name in ("upn", "family_name")}
        field, name = ("worker", "social_care") if kind == "worker" else ("police", "police")
        own = [pupil for pupil in self.pupils if getattr(pupil, field) == recipient]
        return {pupil.words[word] for pupil in own for word in (name, "family_name")}

    @property
    def recipients(self) -> list[str]:
        workers = [f"worker-{la}-{n}" for la in AUTHORITIES for n in range(WORKERS)]
        leads = [f"lead-{urn}" for urn in self.urns]
        return [*workers, *leads, *(f"police-{la}" for la in AUTHORITIES)]


def authority_of(urn: str) -> str:
    return AUTHORITIES[int(urn) % len(AUTHORITIES)]


def world(seed: int, size: Size) -> World:
    """Make a world up; the same seed and size, the same world."""
    dice = random.Random(f"world {seed}")
    pupils = tuple(
        _pupil(dice, number, school, group)
        for number, (school, group) in enumerate(
            (school, group)
            for school in range(size.schools)
            for group in range(size.groups)
            for _ in range(size.pupils)
        )
    )
    sent = [request for school in _by_school(pupils) for request in _sent(dice, school, size)]
    sent.sort(key=lambda one: one[0])
    numbered = [request._replace(number=n) for n, (_, request) in enumerate(sent)]
    return World(seed, size, pupils, tuple(numbered))


def _pupil(dice: random.Random, number: int, school: int, group: int) -> Pupil:
    urn = str(100_001 + school)
    la = authority_of(urn)
    worker = f"worker-{la}-{dice.randrange(WORKERS)}" if dice.random() < 0.2 else None
    police = f"police-{la}" if worker and dice.random() < 0.3 else None
    return Pupil(upn(number), urn, f"G{group}", worker, police, dice.choice((0, 0, 0, 1, 1, 8)))


def _by_school(pupils: tuple[Pupil, ...]) -> list[list[Pupil]]:
    urns = sorted({pupil.urn for pupil in pupils})
    return [[pupil for pupil in pupils if pupil.urn == urn] for urn in urns]


def days(sessions: int) -> list[tuple[date, str]]:
    """Return the last so many sessions of this school year's first term, or of the one before."""
    today = london_day(utc_now())
    year = academic_year_of(today) - (today.month in {8, 9, 10})
    day = min(today - timedelta(days=1), date(year, 12, 18))
    found: list[tuple[date, str]] = []
    while len(found) < sessions:
        if day.weekday() < 5:
            found += [(day, "pm"), (day, "am")]
        day -= timedelta(days=1)
    return found[sessions - 1 :: -1]


def _sent(
    dice: random.Random, school: list[Pupil], size: Size
) -> list[tuple[tuple[float, str], Request]]:
    """Return a school's registers with their turns: some again, some late, some corrected."""
    sent: list[tuple[tuple[float, str], Request]] = []
    away: dict[str, int] = {}
    for turn, (day, session) in enumerate(days(size.sessions)):
        for group in sorted({pupil.group for pupil in school}):
            codes = {p.upn: _code(dice, p, session, away) for p in school if p.group == group}
            one = Request(0, school[0].urn, day.isoformat(), session, group, codes)
            at = turn + (dice.uniform(1, 3) if dice.random() < 0.005 else 0.0)
            sent.append(((at, one.urn), one))
            if dice.random() < 0.02:
                sent.append(((at, one.urn), one))
            if dice.random() < 0.01 * len(codes):
                late = at + dice.uniform(0.5, 5)
                sent.append(((late, one.urn), _corrected(dice, one)))
    return sent


def _code(dice: random.Random, pupil: Pupil, session: str, away: dict[str, int]) -> str:
    left = away.get(pupil.upn, 0)
    if left:
        away[pupil.upn] = left - 1
        return "O"
    fall = dice.random()
    if fall < 0.0005 * pupil.bent:
        away[pupil.upn] = dice.randrange(2, 24)
        return "O"
    if fall < 0.002 * pupil.bent + 0.003:
        return "N"
    present = "/" if session == "am" else "\\"
    return "I" if fall < 0.01 * pupil.bent + 0.02 else "L" if fall > 0.99 else present


def _corrected(dice: random.Random, one: Request) -> Request:
    apart = [upn for upn, code in one.codes.items() if code in "NO"] or list(one.codes)
    upn_ = dice.choice(apart)
    new = dice.choice("ICML") if one.codes[upn_] in "NO" else "N"
    return one._replace(codes={upn_: new})
