"""What a receiver's answer means, and when to try again."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.notify.delivery import (
    BACKOFF_MAX,
    JITTER,
    TRIED_FOR,
    Outcome,
    Verdict,
    next_attempt_at,
    outcome_of,
    seconds_of,
    verdict_of,
    wait_after,
)

ID = UUID(int=7)
NOW = datetime(2026, 9, 14, 9, 0, tzinfo=UTC)
YOUNG, OLD = timedelta(seconds=1), TRIED_FOR


@pytest.mark.parametrize(
    ("status", "age", "outcome"),
    [
        (200, YOUNG, Outcome.DELIVERED),
        (204, YOUNG, Outcome.DELIVERED),
        (299, OLD, Outcome.DELIVERED),
        (301, YOUNG, Outcome.RETRY),
        (304, YOUNG, Outcome.RETRY),
        (400, YOUNG, Outcome.RETRY),
        (410, YOUNG, Outcome.GONE),
        (410, OLD, Outcome.GONE),
        (429, YOUNG, Outcome.RETRY),
        (500, YOUNG, Outcome.RETRY),
        (500, TRIED_FOR - timedelta(microseconds=1), Outcome.RETRY),
        (500, TRIED_FOR, Outcome.DEAD),
    ],
)
def test_an_answer_means(status: int, age: timedelta, outcome: Outcome) -> None:
    assert outcome_of(verdict_of(status), age) is outcome


@pytest.mark.parametrize(("age", "outcome"), [(YOUNG, Outcome.RETRY), (OLD, Outcome.DEAD)])
def test_no_answer_is_no_delivery(age: timedelta, outcome: Outcome) -> None:
    assert outcome_of(Verdict.NOT_NOW, age) is outcome


@pytest.mark.parametrize(
    ("attempt", "backoff_s"), [(1, 5), (2, 30), (3, 120), (4, 600), (8, 14_400), (9, 14_400)]
)
def test_the_wait_is_the_schedules_within_its_jitter(attempt: int, backoff_s: float) -> None:
    waits = [wait_after(attempt, 5.0, UUID(int=n)).total_seconds() for n in range(50)]

    assert min(waits) >= backoff_s * (1 - JITTER)
    assert max(waits) <= backoff_s * (1 + JITTER)
    assert len(set(waits)) > 40


@pytest.mark.parametrize("attempt", [20, 1000])
def test_the_wait_is_bounded_however_many_attempts_there_were(attempt: int) -> None:
    assert wait_after(attempt, 5.0, ID) <= BACKOFF_MAX * (1 + JITTER)


def test_the_same_attempt_waits_the_same_after_a_restart() -> None:
    assert wait_after(3, 5.0, ID) == wait_after(3, 5.0, ID)


@pytest.mark.parametrize(
    ("retry_after_s", "seconds"), [(120, 120), (1, 4), (-5, 4), (86_400, 3600), (None, 4)]
)
def test_retry_after_puts_off_never_hastens_and_not_beyond_an_hour(
    retry_after_s: float | None, seconds: float
) -> None:
    wait = wait_after(1, 5.0, ID, retry_after_s).total_seconds()

    assert seconds <= wait <= max(seconds, 6)


def test_the_last_attempt_falls_on_the_end_of_the_schedule_and_is_followed_by_none() -> None:
    created_at = NOW - TRIED_FOR + timedelta(minutes=1)

    last = next_attempt_at(NOW, timedelta(hours=4), created_at)

    assert last == created_at + TRIED_FOR
    assert outcome_of(Verdict.NOT_NOW, last - created_at) is Outcome.DEAD


def test_a_receiver_that_is_away_all_week_is_tried_dozens_of_times_and_then_no_more() -> None:
    now, attempts = NOW, 1
    while outcome_of(Verdict.NOT_NOW, now - NOW) is Outcome.RETRY:
        now = next_attempt_at(now, wait_after(attempts, 5.0, ID), NOW)
        attempts += 1

    assert now == NOW + TRIED_FOR
    assert 40 < attempts < 80


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Mon, 14 Sep 2026 09:02:00 GMT", 120.0),
        ("Mon, 14 Sep 2026 08:59:00 GMT", -60.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("٣", None),
        ("Mon, 14 Sep 2026 09:02:00 -0000", None),
        ("Mon, 99 Sep 2026 09:02:00 GMT", None),
    ],
)
def test_retry_after_has_two_forms(retry_after: str | None, seconds: float | None) -> None:
    assert seconds_of(retry_after, NOW) == seconds
