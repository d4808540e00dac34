"""Whether a message waits, for what, and until when."""

from datetime import UTC, datetime

import pytest

from libs.common.school_day import LONDON
from services.notify.school_hours import SchoolDays
from services.notify.timing import Matter, Wishes, next_digest, wait_of

TERM = {
    "terms": [
        {"starts_on": "2026-09-01", "ends_on": "2026-10-23"},
        {"starts_on": "2026-11-02", "ends_on": "2026-12-18"},
    ],
    "closed": [{"date": "2026-09-21", "reason": "INSET"}],
}
DAYS = SchoolDays({2026: TERM})
PUPIL = {"household": "H1", "group": "7A"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LONDON)


def waits(
    severity: str,
    wishes: Wishes | None,
    *,
    kind: str = "lateness",
    how_soon: str = "same_morning",
    sent: int = 0,
    now: str = "2026-09-14 10:00",
) -> tuple[str, str, str] | None:
    matter = Matter(kind, severity, how_soon, PUPIL, "100000")
    wait = wait_of(matter, wishes, sent, DAYS, at(now))
    if wait is None:
        return None
    return wait.why, f"{wait.until.astimezone(LONDON):%Y-%m-%d %H:%M}", wait.bundle


DAILY = Wishes("daily", hour=16)
LIMITED = Wishes(most_a_day=3)


@pytest.mark.parametrize(
    ("severity", "wishes", "more", "expected"),
    [
        ("notice", None, {}, None),
        ("notice", Wishes(), {}, None),
        ("notice", DAILY, {}, ("digest", "2026-09-14 16:00", "digest")),
        ("warning", DAILY, {}, None),
        ("urgent", DAILY, {"now": "2026-09-13 03:00", "sent": 99}, None),
        ("warning", DAILY, {"now": "2026-09-14 07:00"}, ("morning", "2026-09-14 08:00", "morning")),
        ("warning", DAILY, {"now": "2026-09-18 17:00"}, ("morning", "2026-09-22 08:00", "morning")),
        ("warning", DAILY, {"how_soon": "at_once", "now": "2026-09-13 03:00"}, None),
        ("warning", LIMITED, {"sent": 2}, None),
        ("warning", LIMITED, {"sent": 3}, ("limit", "2026-09-15 08:00", "digest")),
        ("warning", LIMITED, {"sent": 3, "kind": "penalty-threshold"}, None),
        ("urgent", LIMITED, {"sent": 3}, None),
        ("notice", DAILY, {"kind": "persistent-absence"}, None),
        (
            "notice",
            DAILY,
            {"kind": "reason-overdue", "how_soon": "digest"},
            ("digest", "2026-09-14 16:00", "digest"),
        ),
        (
            "warning",
            Wishes(together="family"),
            {},
            ("together", "2026-09-14 10:10", "family H1"),
        ),
        (
            "warning",
            Wishes(together="group"),
            {},
            ("together", "2026-09-14 10:10", "group 100000 7A"),
        ),
    ],
)
def test_what_waits_for_what(
    severity: str, wishes: Wishes | None, more: dict[str, object], expected: object
) -> None:
    assert waits(severity, wishes, **more) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wishes", "now", "expected"),
    [
        (Wishes("daily", hour=16), "2026-09-14 15:59", "2026-09-14 16:00"),
        (Wishes("daily", hour=16), "2026-09-14 16:00", "2026-09-15 16:00"),
        (Wishes("daily", hour=16), "2026-09-18 16:30", "2026-09-22 16:00"),
        (Wishes("daily", hour=16), "2026-10-23 16:30", "2026-11-02 16:00"),
        (Wishes("weekly", hour=9, weekday=4), "2026-09-14 10:00", "2026-09-18 09:00"),
        (Wishes("weekly", hour=9, weekday=0), "2026-09-18 10:00", "2026-09-22 09:00"),
        (Wishes("weekly", hour=9, weekday=0), "2026-09-22 08:00", "2026-09-22 09:00"),
        (Wishes("weekly", hour=9, weekday=0), "2026-09-22 09:00", "2026-09-28 09:00"),
        (Wishes("weekly", hour=9, weekday=4), "2026-10-26 09:00", "2026-11-02 09:00"),
    ],
)
def test_a_digest_goes_out_at_its_hour_on_a_school_day(
    wishes: Wishes, now: str, expected: str
) -> None:
    assert next_digest(wishes, DAYS, at(now)) == at(expected)


def test_the_hour_is_englands_in_summer_and_in_winter() -> None:
    daily = Wishes("daily", hour=8)

    summer = next_digest(daily, DAYS, at("2026-10-22 07:00"))
    winter = next_digest(daily, DAYS, at("2026-11-03 07:00"))

    assert summer == datetime(2026, 10, 22, 7, tzinfo=UTC)
    assert winter == datetime(2026, 11, 3, 8, tzinfo=UTC)
