"""A trial of rules on made-up years whose truth is known: what rings, how soon, how often falsely.

A true bell is the first emerging bell on a pupil between an episode's first day and ten school
days after its last; more in the same episode are repeats; bells on pupils who missed a tenth or
more from September on are known; all others are false. An episode is evident on the day of its
fourth session of absence or lateness. Medical absence is not an emerging concern.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import ABSENT, LATE, POSSIBLE, Codes
from libs.common.school_day import Session, academic_year_of, day_of, ordinal_of
from libs.simulator import Episode, School
from services.risk.fold import Rule, advance, begin, column_of

AFTERWARDS_DAYS = 10
SEPTEMBER_SESSIONS = 60
KNOWN_FROM = 0.1
EVIDENT_SESSIONS = 4
NOT_CONCERNS = frozenset({"health-absence", "unexplained-absence"})
"""Kinds of episode that are no emerging concern: one has its own route, one its own rule."""


class Spell(NamedTuple):
    """An episode, in days of the case."""

    pupil: int
    kind: str
    first: int
    last: int
    evident: int


class Case(NamedTuple):
    """One school's year. T days, P pupils."""

    ordinals: list[int]
    """Of its sessions, two a day, shape (2T,)."""
    codes: Codes
    """Shape (2T, P)."""
    known: NDArray[np.bool_]
    """Pupils often away from September on, shape (P,)."""
    spells: list[Spell]


class Rung(NamedTuple):
    """An emerging bell."""

    day: int
    pupil: int
    kind: str


Detector = Callable[[Case], list[Rung]]


@dataclass
class Score:
    """Counts over cases; add them up with `+`."""

    pupil_weeks: float = 0
    true: int = 0
    false: int = 0
    known: int = 0
    repeats: int = 0
    episodes: int = 0
    soon: int = 0
    within_10: int = 0
    within_20: int = 0
    ever: int = 0
    crossing: int = 0
    leads: list[int] = field(default_factory=list)
    by_kind: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Episodes, and those found, by kind."""

    def __add__(self, other: "Score") -> "Score":
        """Return both together."""
        added: dict[str, Any] = {
            one.name: getattr(self, one.name) + getattr(other, one.name)
            for one in fields(self)
            if one.name != "by_kind"
        }
        kinds = self.by_kind.keys() | other.by_kind.keys()
        pairs = {k: (self.by_kind.get(k, (0, 0)), other.by_kind.get(k, (0, 0))) for k in kinds}
        return Score(
            **added, by_kind={k: (a[0] + b[0], a[1] + b[1]) for k, (a, b) in pairs.items()}
        )

    def figures(self) -> dict[str, float]:
        """Return the figures by name, as shares, bells per 1,000 pupils a week, and school days."""
        bells = self.true + self.false + self.known + self.repeats
        return {
            "bells per 1,000 a week": 1000 * bells / max(1.0, self.pupil_weeks),
            "precision": self.true / max(1, self.true + self.false),
            "counting repeats and known": self.true / max(1, bells),
            "within 5 days of evident": self.soon / max(1, self.episodes),
            "within 10 days": self.within_10 / max(1, self.episodes),
            "within 20 days": self.within_20 / max(1, self.episodes),
            "ever": self.ever / max(1, self.episodes),
            "warned before 10 %": len(self.leads) / max(1, self.crossing),
            "median lead, days": float(median(self.leads)) if self.leads else 0.0,
        }


def case_of(school: School, truth: Sequence[Episode]) -> Case:
    """Return a simulated school's year as it stands in the end, with its episodes."""
    days = school.opening.days
    codes = school.year.final
    place = {day: number for number, day in enumerate(days)}
    pupils = {pupil.upn: number for number, pupil in enumerate(school.pupils)}
    spells = [
        _spell(codes, pupils[one.upn], one.kind, place[one.onset], place[one.until])
        for one in truth
        if one.urn == school.urn and one.kind not in NOT_CONCERNS
    ]
    absent, possible = ABSENT[codes], POSSIBLE[codes]
    early = _rate(absent[:SEPTEMBER_SESSIONS], possible[:SEPTEMBER_SESSIONS]) >= KNOWN_FROM
    known = early & (_rate(absent, possible) >= KNOWN_FROM)
    ordinals = [ordinal_of(day, half) for day in days for half in Session]
    return Case(ordinals, codes, known, spells)


def _spell(codes: Codes, pupil: int, kind: str, first: int, last: int) -> Spell:
    marks = codes[2 * first : 2 * last + 2, pupil]
    sessions = np.flatnonzero(ABSENT[marks] | LATE[marks])
    enough = len(sessions) >= EVIDENT_SESSIONS
    evident = first + int(sessions[EVIDENT_SESSIONS - 1]) // 2 if enough else last
    return Spell(pupil, kind, first, last, evident)


def _rate(absent: NDArray[np.bool_], possible: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.asarray(absent.sum(axis=0) / np.maximum(1, possible.sum(axis=0)))


def rules_detector(rules: Sequence[Rule[Any]]) -> Detector:
    """Return the detector that these rules' emerging ones are."""
    emerging = [rule for rule in rules if rule.emerging]

    def rung_in(case: Case) -> list[Rung]:
        pupils = case.codes.shape[1]
        progress = begin(emerging, pupils)
        rung: list[Rung] = []
        for number, ordinal in enumerate(case.ordinals):
            column = column_of(
                case.codes[number],
                ordinal=ordinal,
                school_day=number // 2,
                school_week=number // 10,
                academic_year=academic_year_of(day_of(ordinal)),
                worker=np.zeros(pupils, np.uint8),
            )
            after = advance(emerging, progress, column)
            for rule, was, now in zip(emerging, progress.episodes, after.episodes, strict=True):
                if was is not now:
                    rung += [Rung(number // 2, p, rule.kind) for p, _ in now.keys() - was.keys()]
            progress = after
        return rung

    return rung_in


def judge(case: Case, rung: Sequence[Rung]) -> Score:
    """Return what a detector's bells come to."""
    score = Score(pupil_weeks=case.codes.shape[1] * len(case.ordinals) / 10)
    by_pupil: dict[int, list[Spell]] = {}
    for spell in case.spells:
        by_pupil.setdefault(spell.pupil, []).append(spell)
    found: dict[Spell, int] = {}
    first: dict[int, int] = {}
    for day, pupil, _ in sorted(rung):
        first.setdefault(pupil, day)
        at = _spell_at(by_pupil.get(pupil, ()), day)
        if at is not None and at in found:
            score.repeats += 1
        elif at is not None:
            found[at] = day
            score.true += 1
        elif case.known[pupil]:
            score.known += 1
        else:
            score.false += 1
    for spell in case.spells:
        _note(score, spell, found.get(spell))
    _note_warned(score, case, by_pupil, first)
    return score


def _spell_at(spells: Sequence[Spell], day: int) -> Spell | None:
    return next((s for s in spells if s.first <= day <= s.last + AFTERWARDS_DAYS), None)


def _note(score: Score, spell: Spell, day: int | None) -> None:
    score.episodes += 1
    count, hits = score.by_kind.get(spell.kind, (0, 0))
    score.by_kind[spell.kind] = (count + 1, hits + (day is not None))
    if day is not None:
        score.ever += 1
        score.soon += day <= spell.evident + 5
        score.within_10 += day <= spell.first + 10
        score.within_20 += day <= spell.first + 20


def _note_warned(
    score: Score, case: Case, by_pupil: dict[int, list[Spell]], first: dict[int, int]
) -> None:
    missed = np.cumsum(ABSENT[case.codes], axis=0)[1::2]
    possible = np.cumsum(POSSIBLE[case.codes], axis=0)[1::2]
    above = (missed * 10 >= possible) & (possible >= 40)
    for pupil, spells in by_pupil.items():
        days = np.flatnonzero(above[:, pupil])
        if case.known[pupil] or not len(days) or days[0] < spells[0].first:
            continue
        score.crossing += 1
        if first.get(pupil, len(above)) < days[0]:
            score.leads.append(int(days[0]) - first[pupil])


def ten_percent(case: Case) -> list[Rung]:
    """Ring whenever the year to date comes to 10 % (from 20 sessions on)."""
    missed = np.cumsum(ABSENT[case.codes], axis=0)[1::2]
    possible = np.cumsum(POSSIBLE[case.codes], axis=0)[1::2]
    return _starts((missed * 10 >= possible) & (possible >= 20), "10 % year to date")


def three_days_running(case: Case) -> list[Rung]:
    """Ring on the third day running with absence."""
    away = ABSENT[case.codes]
    days = away[0::2] | away[1::2]
    three = days.copy()
    three[1:] &= days[:-1]
    three[2:] &= days[:-2]
    three[:2] = False
    return _starts(three, "three days running")


def knows_the_truth(case: Case) -> list[Rung]:
    """Ring on the day on which each episode is evident."""
    return [Rung(spell.evident, spell.pupil, spell.kind) for spell in case.spells]


def _starts(on: NDArray[np.bool_], kind: str) -> list[Rung]:
    begins = on.copy()
    begins[1:] &= ~on[:-1]
    return [Rung(int(day), int(pupil), kind) for day, pupil in np.argwhere(begins)]
