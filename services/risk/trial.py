"""A trial of rules on made-up years whose truth is known: what rings, how soon, how often falsely.

A true bell is the first emerging bell on a pupil between an episode's first day and ten school
days after its last; more in the same episode are repeats; bells on pupils who missed a tenth or
more from September on are known; all others are false. An episode is evident on the day of its
fourth session of absence or lateness. Long medical absence is not an emerging concern: it is
recognised by a bell of its own.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
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
MEDICAL = "health-absence"
NOT_CONCERNS = frozenset({MEDICAL, "unexplained-absence"})
"""Kinds of episode that are no emerging concern: one has its own route, one its own rule."""
WAVE_TIMES = 1.5
"""A day of a wave: so many times the school's median day of absence."""


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
    medical: Sequence[Spell] = ()
    """Long illnesses, which are no emerging concern."""
    year_groups: NDArray[np.uint8] | None = None
    """As in `Column`, shape (P,)."""
    groups: Mapping[str, NDArray[np.bool_]] = {}
    """Pupils of each group that fairness is told for, shape (P,)."""


class Rung(NamedTuple):
    """A bell: an emerging one, or one for medical absence."""

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
    wave_weeks: float = 0
    """Pupil weeks in waves, and the false bells in them."""
    wave_false: int = 0
    medical: int = 0
    recognised: int = 0
    medical_as_concern: int = 0
    episodes_of: Counter[str] = field(default_factory=Counter)
    """By kind of episode, and those found."""
    found_of: Counter[str] = field(default_factory=Counter)
    true_of: Counter[str] = field(default_factory=Counter)
    """By kind of bell, and those that were not true."""
    others_of: Counter[str] = field(default_factory=Counter)
    groups: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By group: pupil weeks, bells, true bells, episodes, and those found."""

    def __add__(self, other: "Score") -> "Score":
        """Return both together."""
        names = [one.name for one in fields(self)]
        return Score(**{name: getattr(self, name) + getattr(other, name) for name in names})

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
            "false bells in a wave, ratio": self._wave_ratio(),
            "medical absence recognised": self.recognised / max(1, self.medical),
            "medical absence as a concern": self.medical_as_concern / max(1, self.medical),
        }

    def _wave_ratio(self) -> float:
        outside = (self.false - self.wave_false) / max(1.0, self.pupil_weeks - self.wave_weeks)
        return self.wave_false / max(1.0, self.wave_weeks) / outside if outside else 0.0

    def fairness(self) -> dict[str, dict[str, float]]:
        """Return for each group bells per 1,000 pupils a week, precision, and recall."""
        names = sorted({group for group, _ in self.groups})
        rows = {
            name: Counter({k: n for (g, k), n in self.groups.items() if g == name})
            for name in names
        }
        return {
            name: {
                "bells per 1,000 a week": 1000 * row["bells"] / max(1, row["weeks"]),
                "precision": row["true"] / max(1, row["true"] + row["false"]),
                "ever": row["found"] / max(1, row["episodes"]),
                "episodes": row["episodes"],
            }
            for name, row in rows.items()
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
        if one.urn == school.urn
    ]
    absent, possible = ABSENT[codes], POSSIBLE[codes]
    early = _rate(absent[:SEPTEMBER_SESSIONS], possible[:SEPTEMBER_SESSIONS]) >= KNOWN_FROM
    known = early & (_rate(absent, possible) >= KNOWN_FROM)
    ordinals = [ordinal_of(day, half) for day in days for half in Session]
    return Case(
        ordinals,
        codes,
        known,
        [spell for spell in spells if spell.kind not in NOT_CONCERNS],
        [spell for spell in spells if spell.kind == MEDICAL],
        np.array([academic_year_of(p.date_of_birth) % 31 + 1 for p in school.pupils], np.uint8),
        _groups_of(school),
    )


def _groups_of(school: School) -> dict[str, NDArray[np.bool_]]:
    free_meals = np.array([pupil.free_meals for pupil in school.pupils])
    years = np.array([pupil.year_group for pupil in school.pupils])
    everybody = np.ones(len(years), np.bool_)
    return {
        school.phase: everybody,
        "free school meals": free_meals,
        "no free school meals": ~free_meals,
        **{f"year {year}": years == year for year in sorted(set(years.tolist()))},
    }


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
    chosen = [rule for rule in rules if rule.emerging or rule.kind == MEDICAL]

    def rung_in(case: Case) -> list[Rung]:
        pupils = case.codes.shape[1]
        progress = begin(chosen, pupils)
        rung: list[Rung] = []
        for number, ordinal in enumerate(case.ordinals):
            column = column_of(
                case.codes[number],
                ordinal=ordinal,
                school_day=number // 2,
                school_week=number // 10,
                academic_year=academic_year_of(day_of(ordinal)),
                worker=np.zeros(pupils, np.uint8),
                year_groups=case.year_groups,
            )
            after = advance(chosen, progress, column)
            for rule, was, now in zip(chosen, progress.episodes, after.episodes, strict=True):
                if was is not now:
                    rung += [Rung(number // 2, p, rule.kind) for p, _ in now.keys() - was.keys()]
            progress = after
        return rung

    return rung_in


def judge(case: Case, rung: Sequence[Rung]) -> Score:
    """Return what a detector's bells come to."""
    in_wave = _waves(case)
    score = Score(
        pupil_weeks=case.codes.shape[1] * len(case.ordinals) / 10,
        wave_weeks=case.codes.shape[1] * float(in_wave.sum()) / 5,
    )
    by_pupil: dict[int, list[Spell]] = {}
    for spell in case.spells:
        by_pupil.setdefault(spell.pupil, []).append(spell)
    found: dict[Spell, int] = {}
    first: dict[int, int] = {}
    for day, pupil, kind in sorted(one for one in rung if one.kind != MEDICAL):
        first.setdefault(pupil, day)
        at = _spell_at(by_pupil.get(pupil, ()), day)
        verdict = _verdict(at, found, known=bool(case.known[pupil]))
        if verdict == "true" and at is not None:
            found[at] = day
        _count(score, case, Rung(day, pupil, kind), verdict, in_wave=bool(in_wave[day]))
    for spell in case.spells:
        _note(score, spell, found.get(spell))
    _note_groups(score, case, found)
    _note_warned(score, case, by_pupil, first)
    _note_medical(score, case, rung)
    return score


def _verdict(at: Spell | None, found: Mapping[Spell, int], *, known: bool) -> str:
    if at is not None:
        return "repeats" if at in found else "true"
    return "known" if known else "false"


def _count(score: Score, case: Case, one: Rung, verdict: str, *, in_wave: bool) -> None:
    setattr(score, verdict, getattr(score, verdict) + 1)
    (score.true_of if verdict == "true" else score.others_of)[one.kind] += 1
    score.wave_false += verdict == "false" and in_wave
    for name, members in case.groups.items():
        if members[one.pupil]:
            score.groups[name, "bells"] += 1
            score.groups[name, verdict] += 1


def _waves(case: Case) -> NDArray[np.bool_]:
    away, held = ABSENT[case.codes].sum(axis=1), POSSIBLE[case.codes].sum(axis=1)
    days = (away[0::2] + away[1::2]) / np.maximum(1, held[0::2] + held[1::2])
    return np.asarray(days >= WAVE_TIMES * np.median(days))


def _spell_at(spells: Sequence[Spell], day: int) -> Spell | None:
    return next((s for s in spells if s.first <= day <= s.last + AFTERWARDS_DAYS), None)


def _note(score: Score, spell: Spell, day: int | None) -> None:
    score.episodes += 1
    score.episodes_of[spell.kind] += 1
    if day is not None:
        score.found_of[spell.kind] += 1
        score.ever += 1
        score.soon += day <= spell.evident + 5
        score.within_10 += day <= spell.first + 10
        score.within_20 += day <= spell.first + 20


def _note_groups(score: Score, case: Case, found: Mapping[Spell, int]) -> None:
    for name, members in case.groups.items():
        score.groups[name, "weeks"] += int(members.sum()) * len(case.ordinals) // 10
        theirs = [spell for spell in case.spells if members[spell.pupil]]
        score.groups[name, "episodes"] += len(theirs)
        score.groups[name, "found"] += sum(spell in found for spell in theirs)


def _note_medical(score: Score, case: Case, rung: Sequence[Rung]) -> None:
    for spell in case.medical:
        kinds = {r.kind for r in rung if r.pupil == spell.pupil and _spell_at([spell], r.day)}
        score.medical += 1
        score.recognised += MEDICAL in kinds
        score.medical_as_concern += bool(kinds - {MEDICAL})


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
