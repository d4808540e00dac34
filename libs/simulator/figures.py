"""The figures of a simulated year, to hold beside those that the DfE publishes."""

import numpy as np

from libs.common.codes import ABSENT, NUMBERS, POSSIBLE, Codes
from libs.simulator.authority import Authority, School
from libs.simulator.dfe import PUBLISHED_ALL

CODES = {
    "illness": "I", "appointment": "M", "holiday": "G", "unauthorised": "O",
    "no_reason": "N", "late": "L", "after_close": "U",
}  # fmt: skip


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
    for phase in ("primary", "secondary"):
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
    for name, value in describe(authority).items():
        published = PUBLISHED_ALL.get(name)
        lines.append(f"{name:<24}{value:>10.2f}{'' if published is None else published:>8}")
    return "\n".join(lines)


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
