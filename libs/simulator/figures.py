"""The figures of a simulated year, to hold beside those that the DfE publishes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import ABSENT, NUMBERS, POSSIBLE, Codes
from libs.simulator.authority import Authority, School
from libs.simulator.dfe import BANDS, PRESENT, PUBLISHED_ALL, WEEKDAYS, Phase

PHASES: tuple[Phase, ...] = ("primary", "secondary")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")

CODES = {
    "illness": "I", "appointment": "M", "holiday": "G", "unauthorised": "O",
    "no_reason": "N", "late": "L", "after_close": "U",
}  # fmt: skip


class Row(NamedTuple):
    """A figure of the simulated year, in percent, beside the Department's; None: none published."""

    name: str
    simulated: float
    published: float | None


def beside(authority: Authority) -> list[Row]:
    """Return the year's figures beside the published ones, as rows to print.

    First those of `describe`; then for each phase the share of pupils in each band of absence, what
    each weekday has above or below the week's mean, and presence in the morning and afternoon.
    """
    rows = [Row(n, value, PUBLISHED_ALL.get(n)) for n, value in describe(authority).items()]
    for phase in PHASES:
        those = tuple(school for school in authority.schools if school.phase == phase)
        bands = zip(_band_names(), bands_of(those), BANDS[phase], strict=True)
        rows += [Row(f"{name}_{phase}", ours, theirs) for name, ours, theirs in bands]
        week = _above_mean(_by_weekday(those)), _above_mean(np.array(WEEKDAYS[phase]))
        days = zip(DAYS, week[0].tolist(), week[1].tolist(), strict=True)
        rows += [Row(f"{day}_{phase}", ours, theirs) for day, ours, theirs in days]
        for name, text, theirs in zip(("am", "pm"), "/\\", PRESENT[phase], strict=True):
            rows.append(Row(f"present_{name}_{phase}", _present(those, text), theirs))
    return rows


def bands_of(schools: tuple[School, ...]) -> list[float]:
    """Return the percent of pupils in each band of absence, as `dfe.BANDS` has them."""
    bands = np.zeros(11, np.int64)
    for school in schools:
        codes = school.year.final
        missed, possible = ABSENT[codes].sum(axis=0), POSSIBLE[codes].sum(axis=0)
        here = possible > 0
        # In integers, so that a tenth exactly is in the band from 10 %.
        band = missed[here] * 20 // possible[here]
        bands += np.bincount(np.minimum(10, band), minlength=11)
    return [_percent(int(count), int(bands.sum())) for count in bands]


def describe(authority: Authority) -> dict[str, float]:
    """Return the year's figures in percent, named as in `dfe.PUBLISHED_ALL`.

    Of possible sessions after corrections; persistent and severe of pupils; `friday` is how far
    Fridays' absence is above that of the other days, `no_reason_first` what was N on the day.
    A figure for which there is no pupil is 0.
    """
    schools = authority.schools
    numbers = np.concatenate([s.year.final.ravel() for s in schools])
    possible = int(POSSIBLE[numbers].sum())
    figures = {
        name: _percent(int((numbers == NUMBERS[text]).sum()), possible)
        for name, text in CODES.items()
    }
    figures["absence"] = _percent(int(ABSENT[numbers].sum()), possible)
    figures["severe"] = _missing(schools, 50)
    figures["persistent"] = _missing(schools, 10)
    for phase in PHASES:
        those = tuple(s for s in schools if s.phase == phase)
        figures[f"absence_{phase}"] = _absence([s.year.final for s in those])
        figures[f"persistent_{phase}"] = _missing(those, 10)
        figures[f"severe_{phase}"] = _missing(those, 50)
    figures["friday"] = _friday(schools)
    first = sum(int((s.year.first == NUMBERS["N"]).sum()) for s in schools)
    figures["no_reason_first"] = _percent(first, possible)
    for free_meals in (True, False):
        name = "persistent_free_meals" if free_meals else "persistent_others"
        figures[name] = _missing(schools, 10, free_meals)
    return figures


def table(authority: Authority) -> str:
    """Return the figures beside the published ones, a line each."""
    lines = [f"{'figure, percent':<24}{'simulated':>10}{'DfE':>8}"]
    for name, value, published in beside(authority):
        theirs = "" if published is None else f"{published:.2f}"
        lines.append(f"{name:<24}{value:>10.2f}{theirs:>8}")
    return "\n".join(lines)


def _band_names() -> list[str]:
    return [f"band_{low}_{low + 5}" for low in range(0, 50, 5)] + ["band_50_100"]


def _above_mean(week: NDArray[np.float64]) -> NDArray[np.float64]:
    mean = float(week.mean())
    return np.asarray(100 * (week / mean - 1) if mean else np.zeros(len(week)))


def _by_weekday(schools: tuple[School, ...]) -> NDArray[np.float64]:
    chosen: list[list[Codes]] = [[] for _ in DAYS]
    for school in schools:
        weekday = np.array([day.weekday() for day in school.opening.days]).repeat(2)
        for number, columns in enumerate(chosen):
            columns.append(school.year.final[weekday == number])
    return np.array([_absence(columns) for columns in chosen])


def _present(schools: tuple[School, ...], text: str) -> float:
    """Percent of the sessions of its half of the day that have this mark of presence."""
    present = sum(int((s.year.final == NUMBERS[text]).sum()) for s in schools)
    return _percent(2 * present, sum(int(POSSIBLE[s.year.final].sum()) for s in schools))


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


def _absence(columns: list[Codes]) -> float:
    missed = sum(int(ABSENT[c].sum()) for c in columns)
    return _percent(missed, sum(int(POSSIBLE[c].sum()) for c in columns))


def _missing(
    schools: tuple[School, ...], percent_min: int, free_meals: bool | None = None
) -> float:
    """Percent of pupils who missed `percent_min` % or more of their possible sessions."""
    those = pupils = 0
    for school in schools:
        chosen = np.array([free_meals in (None, p.free_meals) for p in school.pupils])
        codes = school.year.final[:, chosen]
        missed, possible = ABSENT[codes].sum(axis=0), POSSIBLE[codes].sum(axis=0)
        those += int(((missed * 100 >= percent_min * possible) & (possible > 0)).sum())
        pupils += int((possible > 0).sum())
    return _percent(those, pupils)


def _friday(schools: tuple[School, ...]) -> float:
    fridays: list[Codes] = []
    others: list[Codes] = []
    for school in schools:
        friday = np.array([day.weekday() == 4 for day in school.opening.days]).repeat(2)
        fridays.append(school.year.final[friday])
        others.append(school.year.final[~friday])
    usual = _absence(others)
    return 100 * (_absence(fridays) / usual - 1) if usual else 0.0
