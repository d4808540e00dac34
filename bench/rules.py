"""What every rule together costs for one school's register, in the first week and in the last.

    .venv/bin/python -m bench.rules

A register into a book of a made-up year, and a whole year refolded, in turns with eight plain rules
in NumPy (`bench.plain_rules`), in one run. CPU time of this process from the marks in the book to
what rings: the session's column with the roll, every rule, stories and episodes; of the plain
rules, their step alone. One register is one session of the whole school, the average of mornings
and of afternoons, which complete a day.
"""

import time
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.plain_rules import PlainRules
from libs.common.codes import NUMBERS, Codes
from libs.common.school_day import Session, ordinal_of
from services.risk.book import Book
from services.risk.catalogue import RULES
from services.risk.enrolment import Enrolment

SIZES = (280, 369, 1000)
DAYS = 190
WEEK, REPEATED = 10, 21
REGISTERS_OF_ENGLAND = 24_400
"""Schools of England: one register of each is a morning of 9.0 million marks."""


class Register(NamedTuple):
    """A session's marks, in the order of the school's pupils."""

    day: date
    session: Session
    codes: Codes


def year_of(pupils: int) -> list[Register]:
    """Return a year of registers with illness in spells, lateness and absence without a reason."""
    rng = np.random.default_rng(pupils)
    ill = np.zeros(pupils, np.bool_)
    registers = []
    for number in range(DAYS):
        ill = np.where(ill, rng.random(pupils) < 0.55, rng.random(pupils) < 0.02)
        away = rng.random(pupils) < 0.008
        late = rng.random(pupils) < 0.02
        for half, present in ((Session.am, "/"), (Session.pm, "\\")):
            codes = np.full(pupils, NUMBERS[present], np.uint8)
            if half is Session.am:
                codes[late] = NUMBERS["L"]
            codes[away] = NUMBERS["O"]
            if number >= DAYS - 5:  # the reasons of earlier days have been found
                codes[away & (rng.random(pupils) < 0.5)] = NUMBERS["N"]
            codes[ill] = NUMBERS["I"]
            day = date(2025, 9, 1) + timedelta(number // 5 * 7 + number % 5)
            registers.append(Register(day, half, codes))
    return registers


def _book_of(pupils: int, registers: Sequence[Register]) -> Book:
    book = Book("100000", RULES)
    for number in range(pupils):
        book.enrol(str(number), Enrolment(cohort=2014 + number % 7))
    for register in registers:
        book.apply(register.day, register.session, book.upns, register.codes)
    return book


def _ours_us(pupils: int, registers: Sequence[Register], before: Sequence[Register]) -> float:
    book, spent = _book_of(pupils, before), 0.0
    book.fold()
    for day, session, codes in registers:
        book.apply(day, session, book.upns, codes)
        began = time.process_time()
        book.fold()
        spent += time.process_time() - began
    return spent / len(registers) * 1e6


def _plain_us(pupils: int, registers: Sequence[Register], before: Sequence[Register]) -> float:
    book, plain, spent = _book_of(pupils, before), PlainRules(np.arange(pupils) % 7), 0.0
    for n, (day, session, codes) in enumerate([*before, *registers]):
        ordinal = book.apply(day, session, book.upns, codes)
        began = time.process_time()
        plain.step(ordinal, n // WEEK, codes)
        spent += (time.process_time() - began) * (n >= len(before))
    return spent / len(registers) * 1e6


def _year_ms(pupils: int, registers: Sequence[Register]) -> float:
    book = _book_of(pupils, registers)
    began = time.process_time()
    book.fold()
    return (time.process_time() - began) * 1e3


def _plain_year_ms(pupils: int, registers: Sequence[Register]) -> float:
    plain = PlainRules(np.arange(pupils) % 7)
    began = time.process_time()
    for n, (day, session, codes) in enumerate(registers):
        plain.step(ordinal_of(day, session), n // WEEK, codes)
    return (time.process_time() - began) * 1e3


def _in_turns(pupils: int) -> list[float]:
    """Return the medians of all of these, and of how many times the plain rules' ours were."""
    registers = year_of(pupils)
    last, before = registers[-WEEK:], registers[:-WEEK]
    rows = []
    for _ in range(REPEATED):
        first = _ours_us(pupils, registers[:WEEK], ())
        ours, plain = _ours_us(pupils, last, before), _plain_us(pupils, last, before)
        year, plain_year = _year_ms(pupils, registers), _plain_year_ms(pupils, registers)
        rows.append((first, ours, plain, ours / plain, year, plain_year, year / plain_year))
    medians: list[float] = np.median(rows, axis=0).tolist()
    return medians


def main() -> None:
    """Measure, and print the table."""
    table = Table(
        "pupils", "first week, µs", "last week, µs", "plain, µs", "times", "a year, ms",
        "plain, ms", "times", "England's morning, CPU s",
        title=f"All {len(RULES)} rules, one register; beside them eight plain rules",
    )  # fmt: skip
    for pupils in SIZES:
        first, ours, plain, times, year, plain_year, times_year = _in_turns(pupils)
        table.add_row(
            str(pupils), f"{first:.0f}", f"{ours:.0f}", f"{plain:.0f}", f"{times:.2f}",
            f"{year:.1f}", f"{plain_year:.1f}", f"{times_year:.2f}",
            f"{ours * REGISTERS_OF_ENGLAND / 1e6:.1f}",
        )  # fmt: skip
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
