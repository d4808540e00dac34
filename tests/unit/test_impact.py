"""What was done about alerts and what came of it, with nothing that tells of one child."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.few import hidden
from services.notify.impact import Impact, impact
from services.notify.impact_cases import Case
from services.notify.impact_files import as_csv, as_page

SPAN = (date(2026, 9, 1), date(2026, 9, 30))
TOLD = datetime(2026, 9, 14, 9, tzinfo=UTC)


def case(child: int, **more: Any) -> Case:
    """Return an alert about a child that nobody has answered, unless said otherwise."""
    hours = more.pop("hours", None)
    at = None if hours is None else TOLD + timedelta(hours=hours)
    held: dict[str, Any] = {
        "upn": f"pupil {child}",
        "bell": uuid4(),
        "kind": "lateness",
        "version": "4",
        "told_at": TOLD,
        "acknowledged_at": at,
        "acted_at": at if more.get("actions") else None,
        "actions": (),
        "outcome": None,
        "pupil": None,
        "alike": None,
    }
    return Case(**{**held, **more})


def of(cases: list[Case]) -> Impact:
    return impact("school", "100000", SPAN, cases)


def spell(before: int, after: int) -> dict[str, int]:
    return {
        "possible_before": 40,
        "missed_before": before,
        "possible_after": 40,
        "missed_after": after,
    }


def test_alerts_answers_and_outcomes_are_counted() -> None:
    done = [
        case(n, hours=n + 1, actions=("visited",), outcome="returned" if n < 5 else "moved")
        for n in range(10)
    ]

    found = of([*done, *(case(n) for n in range(5))])

    assert (found.children, found.bells, found.alerts) == (10, 15, 15)
    assert found.answers.acknowledged == found.answers.acted == found.answers.closed == 10
    assert found.answers.hours_to_acknowledge == 5.5
    assert found.actions == {"visited": 10}
    assert found.outcomes == {"moved": 5, "returned": 5}


def test_of_four_children_nothing_is_told() -> None:
    found = of([case(n, hours=1, actions=("visited",), outcome="moved") for n in range(4)])

    assert found.suppressed
    assert (found.children, found.bells, found.alerts) == (None, None, None)
    assert set(found.answers.model_dump().values()) == {None}
    assert (found.actions, found.outcomes, found.rules) == ({}, {}, [])


def test_of_nobody_there_is_nothing_to_hide() -> None:
    found = of([])

    assert not found.suppressed
    assert found.alerts == 0


def test_one_hidden_outcome_takes_the_next_smallest_with_it() -> None:
    outcomes = ["returned"] * 20 + ["moved"] * 6 + ["other"] * 2

    found = of([case(n, hours=1, outcome=outcome) for n, outcome in enumerate(outcomes)])

    assert found.outcomes == {"moved": None, "other": None, "returned": 20}
    assert found.suppressed


def test_false_bells_are_hidden_last_and_then_by_rule_too() -> None:
    outcomes = ["returned"] * 20 + ["moved"] * 2 + ["false_bell"] * 6

    three = of([case(n, hours=1, outcome=outcome) for n, outcome in enumerate(outcomes)])
    two = of([case(n, hours=1, outcome=outcome) for n, outcome in enumerate(outcomes[20:])])

    assert three.outcomes == {"false_bell": 6, "moved": None, "returned": None}
    assert two.outcomes == {"false_bell": None, "moved": None}
    assert {rule.false_share for rule in two.rules} == {None}


@given(st.dictionaries(st.text(min_size=1), st.tuples(st.integers(0, 50), st.booleans())))
def test_no_part_is_what_is_missing_from_the_whole(parts: dict[str, tuple[int, bool]]) -> None:
    shown = hidden(parts)

    assert all(shown[name] is None for name, (_, enough) in parts.items() if not enough)
    assert len(parts) == 1 or list(shown.values()).count(None) != 1


def test_false_bells_are_told_by_rule_and_version() -> None:
    closed = [
        case(n, hours=1, outcome="false_bell" if n < 6 else "returned", version="3")
        for n in range(20)
    ]

    found = of([*closed, *(case(n) for n in range(8))])

    shares = {(rule.version, rule.bells, rule.false_share) for rule in found.rules}
    assert shares == {("3", 20, 0.3), ("4", 8, None)}


@pytest.mark.parametrize("false", [1, 4, 17, 19])
def test_neither_few_false_bells_nor_few_others_are_told(false: int) -> None:
    cases = [case(n, hours=1, outcome="false_bell" if n < false else "returned") for n in range(20)]

    (rule,) = of(cases).rules

    assert (rule.closed, rule.false_bells, rule.false_share) == (20, None, None)


def test_attendance_after_is_held_against_pupils_alike() -> None:
    acted = [
        case(n, hours=1, actions=("plan",), pupil=spell(20, 10), alike=spell(20, 16))
        for n in range(10)
    ]
    not_acted = [case(n, pupil=spell(8, 8), alike=spell(8, 8)) for n in range(9)]

    done, nothing = of([*acted, *not_acted]).attendance

    assert (done.pupils, done.absence_before, done.absence_after) == (10, 0.5, 0.25)
    assert (done.alike_before, done.alike_after, done.difference) == (0.5, 0.4, 0.15)
    assert (nothing.pupils, nothing.difference) == (None, None)


def test_a_bell_told_to_several_counts_once_in_attendance() -> None:
    bells = [
        case(n, hours=1, actions=("plan",), pupil=spell(8, 4), alike=spell(8, 8)) for n in range(10)
    ]
    others = [bell._replace(acted_at=None, actions=()) for bell in bells]

    done, nothing = of([*bells, *others]).attendance

    assert (done.pupils, nothing.pupils) == (10, 0)


def test_the_table_has_every_figure_and_the_page_needs_nothing_from_elsewhere() -> None:
    found = of([case(n, hours=1, actions=("visited",), outcome="returned") for n in range(6)])

    table, page = as_csv(found), as_page(found)

    assert "outcomes,returned,alerts,6\r\n" in table
    assert "rules,lateness 4,bells,6\r\n" in table
    assert "<svg" in page
    assert not any(part in page for part in ("http:", "https:", "<script", "src=", "href="))


def test_the_page_says_what_is_too_few_to_show() -> None:
    assert "too few to show" in as_page(of([case(1)]))
