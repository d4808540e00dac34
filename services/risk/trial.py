"""A trial of rules on made-up years whose truth is known: what rings, how soon, how often falsely.

A true bell is the first emerging bell on a pupil between an episode's first day and ten school
days after its last; more in the same episode are repeats; bells on pupils who missed a tenth or
more from September on are known; all others are false. An episode is evident on the day of its
fourth session of absence or lateness. Long medical absence is not an emerging concern: it is
recognised by a bell of its own.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from statistics import median

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import ABSENT, POSSIBLE
from services.risk.cases import MEDICAL, Case, Rung, Spell

AFTERWARDS_DAYS = 10
WAVE_TIMES = 1.5
"""A day of a wave: so many times the school's median day of absence."""


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
    delays: list[int] = field(default_factory=list)
    """School days from evident to the bell, of the episodes found."""
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
        """Return the figures by name, as shares unless the name says otherwise.

        `precision, all` counts repeats and known children against the rules; `soon` is within 5
        days of evident; `@10`, `@20` and `ever` are recall within so many days of the onset;
        `warned` are those who crossed 10 % after their episode's bell, and `lead` is the median
        of how long after it, of all who crossed and were found; `wave ratio` is how many more
        false bells there are in a wave than outside; `medical known` and `medical rung` are long
        illnesses recognised as such, and rung as a concern.
        """
        bells = self.true + self.false + self.known + self.repeats
        return {
            "bells/1,000/week": 1000 * bells / max(1.0, self.pupil_weeks),
            "precision": self.true / max(1, self.true + self.false),
            "precision, all": self.true / max(1, bells),
            "soon": self.soon / max(1, self.episodes),
            "@10": self.within_10 / max(1, self.episodes),
            "@20": self.within_20 / max(1, self.episodes),
            "ever": self.ever / max(1, self.episodes),
            "warned": sum(lead > 0 for lead in self.leads) / max(1, self.crossing),
            "lead, days": float(median(self.leads)) if self.leads else 0.0,
            "wave ratio": self._wave_ratio(),
            "medical known": self.recognised / max(1, self.medical),
            "medical rung": self.medical_as_concern / max(1, self.medical),
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
                "bells/1,000/week": 1000 * row["bells"] / max(1, row["weeks"]),
                "precision": row["true"] / max(1, row["true"] + row["false"]),
                "ever": row["found"] / max(1, row["episodes"]),
                "episodes": row["episodes"],
            }
            for name, row in rows.items()
        }


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
    for day, pupil, kind in sorted(one for one in rung if one.kind != MEDICAL):
        at = _spell_at(by_pupil.get(pupil, ()), day)
        verdict = _verdict(at, found, known=bool(case.known[pupil]))
        if verdict == "true" and at is not None:
            found[at] = day
        _count(score, case, Rung(day, pupil, kind), verdict, in_wave=bool(in_wave[day]))
    for spell in case.spells:
        _note(score, spell, found.get(spell))
    _note_groups(score, case, found)
    _note_warned(score, case, found)
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
        score.delays.append(day - spell.evident)
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


def _note_warned(score: Score, case: Case, found: Mapping[Spell, int]) -> None:
    missed = np.cumsum(ABSENT[case.codes], axis=0)[1::2]
    possible = np.cumsum(POSSIBLE[case.codes], axis=0)[1::2]
    above = (missed * 10 >= possible) & (possible >= 40)
    for spell in case.spells:
        days = np.flatnonzero(above[:, spell.pupil])
        if case.known[spell.pupil] or not len(days) or days[0] < spell.first:
            continue
        score.crossing += 1
        if spell in found:
            score.leads.append(int(days[0]) - found[spell])
