"""What bells of emerging patterns tell: figures, since when, how usual, and how soon to look."""

from datetime import timedelta

import pytest

from libs.common.codes import numbers_of
from libs.common.school_day import Session
from services.risk.book import Book
from services.risk.catalogue import RULES
from services.risk.fold import Alike, Finding, Severity
from services.risk.pupil_days import LATE
from services.risk.rules.evidence import alike
from services.risk.words import (
    SEVERITY_ASKS,
    STORY_CLEARS,
    clears_of,
    severities_of,
    with_asks,
    with_grounds,
    with_school,
)
from tests.unit.books import MONDAY, Marks, finding

DAYS = 80
BY_KIND = {rule.kind: rule for rule in RULES}


def school(*changed: dict[int, str]) -> Marks:
    """Return a school: the given pupils with their two marks on some days, and others, ill once."""
    ill = [{n * 7 % (DAYS - 1): "II", n * 7 % (DAYS - 1) + 1: "II"} for n in range(120)]
    return Marks(["".join(days.get(day, "//") for day in range(DAYS)) for days in [*changed, *ill]])


def on(*days: int, marks: str) -> dict[int, str]:
    return dict.fromkeys(days, marks)


TOGETHER = on(30, 38, 46, 51, 57, marks="OO")
TOLD = [
    (
        "sudden-change",
        school(on(10, marks="II") | on(62, 64, 66, 68, 70, 72, marks="OO")),
        "absent in 12 of 40 sessions (30 %), since Wednesday 2 December 2026",
        "Before that, in 2 of 120 (2 %).",
        12,
    ),
    (
        "weekday-pattern",
        school(on(*range(39, 75, 5), marks="II")),
        "Absent on 8 of the last 10 Fridays, since Friday 30 October 2026.",
        "Before that, on 0 of 6 (0 %). In the latest weeks, also absent on 0 of 40 other days",
        16,
    ),
    (
        "leaves-after-registration",
        school(on(62, 65, 66, 70, 73, marks="/O")),
        "on 5 of 20 days (25 %), since Wednesday 2 December 2026",
        "Before that, on 0 of 60 (0 %).",
        5,
    ),
    (
        "lateness",
        school(on(*range(60, 80, 2), marks="L/")),
        "Late on 10 of 20 mornings (50 %) in the latest four weeks, since Monday 30 November 2026",
        "Before that, on 0 of 60 (0 %).",
        10,
    ),
    (
        "relapse",
        school(on(60, 61, 62, marks="EE") | on(64, 70, 76, marks="II")),
        "Came back on Thursday 3 December 2026 from a suspension. Since then, absent in 6 of 34 "
        "sessions (18 %), since Friday 4 December 2026.",
        "Before that, in 0 of 120 (0 %).",
        6,
    ),
    (
        "likely-persistent",
        school(on(*range(60, 80, 3), marks="II")),
        "Missed 14 of 160 sessions (9 %) this year. In the latest five weeks, 14 of 50 (28 %), "
        "since Monday 30 November 2026.",
        "Before that, 0 of 110 (0 %).",
        14,
    ),
    (
        "group-absence",
        school(TOGETHER, TOGETHER, TOGETHER),
        "began on 5 of the last 64 school days, since Monday 19 October 2026",
        "Before those weeks, 0.",
        10,
    ),
    (
        "health-absence",
        school(on(*range(30, 60), marks="II")),
        "for 30 of the last 60 school days, since Monday 19 October 2026",
        "Before that, 0 of 20.",
        60,
    ),
]


@pytest.mark.parametrize(
    ("kind", "marks", "seen", "before", "missed"), TOLD, ids=[one[0] for one in TOLD]
)
def test_a_bell_tells_what_was_seen_since_when_and_the_pupils_own_earlier_rate(
    kind: str, marks: Marks, seen: str, before: str, missed: int
) -> None:
    told = finding(BY_KIND[kind], marks)

    assert seen in told.explanation
    assert before in told.explanation
    assert len(told.evidence["sessions"]) == missed


def test_a_return_from_a_long_absence_says_how_long_it_was() -> None:
    away = on(*range(45, 60), marks="OO") | on(62, 64, 66, 68, marks="OO")

    told = finding(BY_KIND["relapse"], school(away))

    assert "Came back on Monday 30 November 2026 from an absence of 15 school days." in (
        told.explanation
    )
    assert {one["date"] for one in told.evidence["sessions"]} == {
        "2026-12-02", "2026-12-04", "2026-12-08", "2026-12-10",
    }  # fmt: skip


def test_an_afternoon_appointment_is_no_evidence_of_leaving() -> None:
    away = on(62, 65, 66, 70, 73, marks="/O") | on(75, marks="/M")

    told = finding(BY_KIND["leaves-after-registration"], school(away))

    assert {one["code"] for one in told.evidence["sessions"]} == {"O"}


@pytest.mark.parametrize(
    ("as_many", "of", "words"),
    [
        (0, 840, "Of the school's 840 other pupils, none were late at least as often."),
        (12, 840, "Of the school's 840 other pupils, 12 were late at least as often."),
        (1, 1, "Of the school's 1 other pupil, 1 were late at least as often."),
    ],
)
def test_a_bell_tells_how_unusual_it_is_in_the_school(as_many: int, of: int, words: str) -> None:
    likened = Alike((1,), LATE, "were late at least as often")

    told = with_school(Finding("Seen.", {"sessions": []}, likened), as_many, of)

    assert told.explanation == f"Seen. {words}"
    assert told.evidence["school"] == {"as_absent": as_many, "of": of}


def test_pupils_are_compared_in_what_the_bell_is_about() -> None:
    book = Book("100000", ())
    for number, codes in enumerate(("L//OI", "L/L//", "L//L/")):
        upns = [f"pupil {n}" for n in range(len(codes))]
        book.apply(MONDAY + timedelta(days=number), Session.am, upns, numbers_of(list(codes)))
    record = book.record_of(0)
    every = record.ordinals > 0

    assert book.as_many(0, alike(record, every, LATE, "")) == (0, 4)
    assert book.as_many(2, alike(record, every, LATE, "")) == (2, 4)
    assert book.as_many(1, alike(record, every, LATE, "")) == (0, 0)  # nothing to compare


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_every_kind_says_what_clears_it_and_how_grave_it_can_be(rule: object) -> None:
    assert clears_of(rule).endswith(".")  # type: ignore[arg-type]
    assert severities_of(rule, RULES)  # type: ignore[arg-type]


def test_a_notice_that_a_graver_rule_can_join_can_become_a_warning() -> None:
    notice_or_warning = [Severity.notice, Severity.warning]

    assert severities_of(BY_KIND["lateness"], RULES) == notice_or_warning
    assert severities_of(BY_KIND["relapse"], RULES) == [Severity.warning]
    assert severities_of(BY_KIND["persistent-absence"], RULES) == [Severity.notice]


def test_a_bell_that_rings_ends_with_what_clears_it_what_is_asked_and_how_soon() -> None:
    rule = BY_KIND["lateness"]
    joined = with_grounds(Finding("Seen.", {}), [BY_KIND["relapse"], rule], rule)

    told = with_asks(joined, rule, Severity.warning)

    assert told.explanation == (
        f"Seen. Also seen: away again after coming back. {STORY_CLEARS} {rule.asks} "
        f"{SEVERITY_ASKS[Severity.warning]}"
    )
