"""Pure: what was done about alerts, how soon, what came of it, and whether attendance got better.

What rests on few children is null: `services.notify.few`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from statistics import median
from typing import Any, Literal

from pydantic import BaseModel, Field

from services.notify.few import PUPILS_MIN, Count, enough_of, hidden, shown
from services.notify.impact_cases import Case

FALSE = "false_bell"
HELPS = frozenset({"support_in_place"})
"""Outcomes that tell of something done, though no action was recorded."""

Rate = float | None


class Answers(BaseModel):
    """How many alerts were answered, and how soon, in hours by the clock from when it was told."""

    acknowledged: Count
    hours_to_acknowledge: Rate = Field(description="The median.")
    acted: Count
    hours_to_act: Rate = Field(description="The median.")
    closed: Count


class OfRule(BaseModel):
    """A rule's bells, and how many of those closed were false."""

    kind: str
    version: str
    bells: Count
    closed: Count
    false_bells: Count
    false_share: Rate = Field(description="Of the closed ones, from 0 to 1.")


class Course(BaseModel):
    """Absence in the 20 school days before the bells and in the 20 after, from 0 to 1.

    `alike` are pupils of the same school whose absence before was nearest, without a bell then.
    What remains is a difference beside them, and no proof of its cause.
    """

    group: Literal["acted", "not_acted"]
    pupils: Count
    absence_before: Rate
    absence_after: Rate
    alike_before: Rate
    alike_after: Rate
    difference: Rate = Field(
        description="How much more absence fell than among those alike; negative: less."
    )


class Impact(BaseModel):
    """What alerts of some time came to, at a school, an agency or in an authority."""

    about: Literal["school", "agency", "area"]
    id: str
    first: date
    last: date
    suppressed: bool = Field(description="Whether a figure is null since it rests on too few.")
    children: Count
    bells: Count
    alerts: Count
    answers: Answers
    actions: dict[str, Count]
    outcomes: dict[str, Count]
    rules: list[OfRule]
    attendance: list[Course]


def impact(
    about: Literal["school", "agency", "area"],
    id: str,
    span: tuple[date, date],
    cases: Sequence[Case],
) -> Impact:
    """Count these alerts."""
    enough = enough_of(cases)
    counted = cases if enough else ()
    outcomes = _parts(counted, lambda case: (case.outcome,) if case.outcome else ())
    # By rule they would add up to what is hidden of all.
    tell_false = outcomes.get(FALSE, 0) is not None
    figures: dict[str, Any] = {
        "children": shown(cases, len({case.upn for case in cases})),
        "bells": shown(cases, len({case.bell for case in cases})),
        "alerts": shown(cases, len(cases)),
        "answers": _answers(counted, enough=enough),
        "actions": _parts(counted, lambda case: case.actions),
        "outcomes": outcomes,
        "rules": _rules(counted, tell_false=tell_false),
        "attendance": [_course("acted", counted), _course("not_acted", counted)],
    }
    found = Impact(about=about, id=id, first=span[0], last=span[1], suppressed=False, **figures)
    return found.model_copy(update={"suppressed": not enough or _hides(found)})


def _answers(cases: Sequence[Case], *, enough: bool) -> Answers:
    acknowledged = [case for case in cases if case.acknowledged_at]
    acted = [case for case in cases if case.acted_at]
    closed = [case for case in cases if case.outcome]
    counts = {"acknowledged": acknowledged, "acted": acted, "closed": closed}
    return Answers(
        **{name: shown(of, len(of)) if enough else None for name, of in counts.items()},
        hours_to_acknowledge=_hours(acknowledged, lambda case: case.acknowledged_at),
        hours_to_act=_hours(acted, lambda case: case.acted_at),
    )


def _hours(cases: Sequence[Case], at: Callable[[Case], datetime | None]) -> Rate:
    waits = [
        (then - case.told_at).total_seconds() / 3600
        for case in cases
        if case.told_at and (then := at(case))
    ]
    return round(median(waits), 1) if waits and enough_of(cases) else None


def _parts(cases: Sequence[Case], names: Callable[[Case], Iterable[str]]) -> dict[str, Count]:
    parts: dict[str, list[Case]] = {}
    for case in cases:
        for name in names(case):
            parts.setdefault(name, []).append(case)
    counts = {name: (len(of), enough_of(of)) for name, of in sorted(parts.items())}
    return hidden(counts, keep=FALSE)


def _rules(cases: Sequence[Case], *, tell_false: bool) -> list[OfRule]:
    found: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        found.setdefault((case.kind, case.version), []).append(case)
    bells = {
        rule: (len({case.bell for case in of}), enough_of(of)) for rule, of in sorted(found.items())
    }
    return [
        _rule(*rule, count, found[rule], tell_false=tell_false)
        for rule, count in hidden(bells).items()
    ]


def _rule(
    kind: str, version: str, bells: Count, cases: Sequence[Case], *, tell_false: bool
) -> OfRule:
    closed = [case for case in cases if case.outcome]
    false = [case for case in closed if case.outcome == FALSE]
    true = [case for case in closed if case.outcome != FALSE]
    each_enough = enough_of(closed) and enough_of(false) and enough_of(true)
    show = tell_false and bells is not None and each_enough
    return OfRule(
        kind=kind,
        version=version,
        bells=bells,
        closed=len(closed) if bells is not None and enough_of(closed) else None,
        false_bells=len(false) if show else None,
        false_share=round(len(false) / len(closed), 4) if show and closed else None,
    )


def _course(group: Literal["acted", "not_acted"], cases: Sequence[Case]) -> Course:
    helped = {case.bell for case in cases if case.acted_at or case.outcome in HELPS}
    of = {
        case.bell: case
        for case in cases
        if case.pupil and case.alike and (case.bell in helped) is (group == "acted")
    }
    pupils = len({case.upn for case in of.values()})
    if pupils < PUPILS_MIN:
        names = ("absence_before", "absence_after", "alike_before", "alike_after", "difference")
        return Course(group=group, pupils=None if pupils else 0, **dict.fromkeys(names))
    # Each bell's own pupil weighs as much as those alike, however many these are.
    pupil = [case.pupil for case in of.values() if case.pupil]
    alike = [case.alike for case in of.values() if case.alike]
    before, after = _mean(pupil, "before"), _mean(pupil, "after")
    like_before, like_after = _mean(alike, "before"), _mean(alike, "after")
    return Course(
        group=group,
        pupils=pupils,
        absence_before=before,
        absence_after=after,
        alike_before=like_before,
        alike_after=like_after,
        difference=round((before - after) - (like_before - like_after), 4),
    )


def _mean(spells: Sequence[Mapping[str, int]], when: str) -> float:
    rates = [spell[f"missed_{when}"] / max(1, spell[f"possible_{when}"]) for spell in spells]
    return round(sum(rates) / len(rates), 4)


def _hides(found: Impact) -> bool:
    counts = [*found.actions.values(), *found.outcomes.values(), found.answers.acknowledged]
    counts += [found.answers.acted, found.answers.closed]
    counts += [count for rule in found.rules for count in (rule.bells, rule.closed)]
    counts += [rule.false_bells for rule in found.rules]
    counts += [course.pupils for course in found.attendance]
    return None in counts
