"""What every rule together costs for one school's register, in the first week and in the last.

    .venv/bin/python -m bench.rules

Stepping the columns of a made-up year beside refolding the whole book at each register, in one run.
CPU time of this process; one register is one session of the whole school.
"""

import time
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
from rich.console import Console
from rich.table import Table

from libs.common.codes import NUMBERS, Codes
from libs.common.school_day import Session, ordinal_of
from services.risk.catalogue import RULES
from services.risk.fold import Column, Progress, advance, begin, column_of

SIZES = (280, 1000)
DAYS = 190
WEEK = 10
REGISTERS_OF_ENGLAND = 24_400
"""Schools of England: one register of each is a morning of 9.0 million marks."""


def year_of(pupils: int) -> list[Column]:
    """Return a year of columns with illness in spells, lateness and unexplained absence."""
    rng = np.random.default_rng(pupils)
    ill = np.zeros(pupils, np.bool_)
    columns = []
    for number in range(DAYS):
        ill = np.where(ill, rng.random(pupils) < 0.55, rng.random(pupils) < 0.02)
        away = rng.random(pupils) < 0.008
        late = rng.random(pupils) < 0.02
        for half, present in ((Session.am, "/"), (Session.pm, "\\")):
            codes = np.full(pupils, NUMBERS[present], np.uint8)
            if half is Session.am:
                codes[late] = NUMBERS["L"]
            codes[away] = NUMBERS["O"]
            codes[ill] = NUMBERS["I"]
            columns.append(_column(number, half, codes))
    return columns


def _column(number: int, half: Session, codes: Codes) -> Column:
    day = date(2025, 9, 1) + timedelta(number // 5 * 7 + number % 5)
    return column_of(
        codes,
        ordinal=ordinal_of(day, half),
        school_day=number,
        school_week=number // 5,
        academic_year=2025,
        worker=np.zeros(len(codes), np.uint8),
    )


def _step(progress: Progress, columns: Sequence[Column]) -> Progress:
    for column in columns:
        progress = advance(RULES, progress, column)
    return progress


def _cost_ms(pupils: int, columns: Sequence[Column], before: Sequence[Column]) -> float:
    start = _step(begin(RULES, pupils), before)
    times = []
    for _ in range(15):
        began = time.process_time()
        _step(start, columns)
        times.append((time.process_time() - began) / len(columns))
    return float(np.median(times)) * 1000


def main() -> None:
    """Measure, and print the table."""
    table = Table(
        "pupils", "first week, ms", "last week, ms", "a year refolded, ms", "ratio",
        "England's morning, CPU s", title=f"All {len(RULES)} rules, one register",
    )  # fmt: skip
    for pupils in SIZES:
        columns = year_of(pupils)
        first = _cost_ms(pupils, columns[:WEEK], ())
        last = _cost_ms(pupils, columns[-WEEK:], columns[:-WEEK])
        began = time.process_time()
        _step(begin(RULES, pupils), columns)
        whole = (time.process_time() - began) * 1000
        morning = last * REGISTERS_OF_ENGLAND / 1000
        cells = (f"{first:.3f}", f"{last:.3f}", f"{whole:.0f}", f"{whole / last:.0f}")
        table.add_row(str(pupils), *cells, f"{morning:.1f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
