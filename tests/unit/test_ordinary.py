"""Ordinary days and sessions have paths of their own through the loops: they say the same."""

from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from libs.common.codes import NUMBERS
from services.risk.habits import is_ordinary, seen
from services.risk.pupil_days import ORDINARY_DAY
from services.risk.tallies import PRESENT, add, add_present

CODES = [0, *sorted(NUMBERS.values())]


def _in_python(inlined: Any) -> Any:
    return inlined.py_func


@pytest.mark.parametrize(("away", "all_day"), [(False, False), (True, False), (True, True)])
def test_an_ordinary_day_is_seen_as_any_other(away: bool, all_day: bool) -> None:
    pupil = SimpleNamespace(away=away, away_all_day=all_day)
    ordinary = [marks for marks in product(CODES, CODES) if _in_python(is_ordinary)(*marks, pupil)]

    assert bool(ordinary) is not away
    assert all(_in_python(seen)(*marks, pupil) == ORDINARY_DAY for marks in ordinary)


def test_a_session_in_school_is_tallied_as_any_other() -> None:
    tally = SimpleNamespace(
        possible=30, missed=4, possible_in_all=90, missed_in_all=9, ill=2, run=3,
        run_since=1_478_000, run_after_leave=True, on_leave=True,
    )  # fmt: skip
    present = [code for code in CODES if PRESENT[code]]

    assert len(present) > 3
    for code in present:
        anyhow = _in_python(add)(tally, code, 1_478_003, (60, 5), False)
        assert _in_python(add_present)(tally) == anyhow
