"""The way by which registers come never changes the bells that stand in the end."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import cache
from typing import NamedTuple

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from libs.common.codes import NUMBERS, numbers_of
from libs.common.school_day import Session, academic_year_of
from libs.simulator import simulate
from services.risk.bells import BellKey, Standing, diff
from services.risk.book import Book
from services.risk.catalogue import RULES
from services.risk.enrolment import Enrolment
from services.risk.fold import Severity

DAYS, PUPILS = 70, 60


class Sent(NamedTuple):
    """A register as it comes: a whole one, a group's, or a correction."""

    day: date
    session: Session
    upns: Sequence[str]
    codes: Sequence[str]


@cache
def term() -> tuple[list[Sent], dict[str, int]]:
    """Return a school's autumn, without its corrections, and its pupils' cohorts."""
    school = simulate(3, 2025, 1).schools[0]
    pupils = school.pupils[:PUPILS]
    chosen = {pupil.upn for pupil in pupils}
    sent = []
    for register in school.registers(date(2025, 9, 1), date(2026, 7, 31)):
        marks = [mark for mark in register.marks if mark["upn"] in chosen]
        if register.day == register.sent_on and len({one.day for one in sent}) <= DAYS:
            upns, codes = [m["upn"] for m in marks], [m["code"] for m in marks]
            sent.append(Sent(register.day, register.session, upns, codes))
    return _with_stories(sent), {p.upn: academic_year_of(p.date_of_birth) for p in pupils}


def _with_stories(sent: list[Sent]) -> list[Sent]:
    """Let some pupils fall away after some weeks, so that every kind of rule has something."""
    told = []
    for number, one in enumerate(sent):
        codes = list(one.codes)
        if number > 70:
            away = {0: number % 3 != 0, 1: one.session is Session.pm, 2: number % 10 < 2}
            for place, is_away in away.items():
                if is_away and place < len(codes):
                    codes[place] = "O"
            codes[3] = "I" if number > 80 else codes[3]
            codes[4] = "L" if one.session is Session.am else codes[4]
        told.append(one._replace(codes=codes))
    return told


def bells_after(sent: Sequence[Sent]) -> dict[BellKey, Standing]:
    """Take registers one by one as the evaluator does; return the bells that were not withdrawn."""
    book = Book("100000", RULES)
    for upn, cohort in term()[1].items():
        book.enrol(upn, Enrolment(cohort=cohort))
    standing: dict[BellKey, Standing] = {}
    for one in sent:
        book.apply(one.day, one.session, one.upns, numbers_of(list(one.codes)))
        after = {
            BellKey(rule.kind, book.upns[position] if position >= 0 else "", anchor): episode
            for rule, found in zip(RULES, book.fold().episodes, strict=True)
            for (position, anchor), episode in found.items()
        }
        for turn in diff(standing, after):
            standing[turn.key] = Standing(Severity(turn.severity), turn.status, turn.grounds)
    return {key: bell for key, bell in standing.items() if bell.status != "withdrawn"}


@cache
def straight() -> dict[BellKey, Standing]:
    return bells_after(term()[0])


Way = Callable[[list[Sent], np.random.Generator], list[Sent]]


def shuffled_within_days(sent: list[Sent], rng: np.random.Generator) -> list[Sent]:
    keys = rng.random(len(sent))
    return [sent[n] for n in sorted(range(len(sent)), key=lambda n: (sent[n].day, keys[n]))]


def a_day_late(sent: list[Sent], rng: np.random.Generator) -> list[Sent]:
    late = rng.random(len(sent)) < 0.1
    return [sent[n] for n in sorted(range(len(sent)), key=lambda n: n + 2.5 * late[n])]


def split_into_groups(sent: list[Sent], rng: np.random.Generator) -> list[Sent]:
    parts = []
    for one in sent:
        at = int(rng.integers(1, max(2, len(one.upns))))
        parts.append(one._replace(upns=one.upns[:at], codes=one.codes[:at]))
        parts.append(one._replace(upns=one.upns[at:], codes=one.codes[at:]))
    return [part for part in parts if part.upns]


def sent_again(sent: list[Sent], rng: np.random.Generator) -> list[Sent]:
    again = []
    for number, one in enumerate(sent):
        again += [one] + [sent[int(rng.integers(0, number + 1))]] * bool(rng.random() < 0.05)
    return again


def corrected_and_uncorrected(sent: list[Sent], rng: np.random.Generator) -> list[Sent]:
    texts = list(NUMBERS)
    told = []
    for number, one in enumerate(sent):
        told.append(one)
        if rng.random() < 0.05:
            back = sent[int(rng.integers(0, number + 1))]
            wrong = rng.integers(0, len(texts), len(back.codes))
            told += [back._replace(codes=[texts[n] for n in wrong]), back]
    return told


WAYS: tuple[Way, ...] = (
    shuffled_within_days, a_day_late, split_into_groups, sent_again, corrected_and_uncorrected,
)  # fmt: skip


def test_the_term_rings_bells_of_many_kinds() -> None:
    assert len({key.kind for key in straight()}) >= 6


@given(st.sets(st.sampled_from(range(len(WAYS))), min_size=1), st.integers(0, 2**32 - 1))
@settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_the_way_by_which_registers_come_changes_no_bell(ways: set[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    sent = term()[0]
    for way in sorted(ways):
        sent = WAYS[way](sent, rng)

    assert bells_after(sent) == straight()
