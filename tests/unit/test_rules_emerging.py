"""Emerging rules: what rings, what does not, and that one story is one bell."""

import numpy as np
import pytest

from services.risk.catalogue import RULES
from services.risk.progress import Progress
from services.risk.rules.likely_persistent import LikelyPersistent
from tests.unit.books import Marks, finding, fold

EMERGING = [rule for rule in RULES if rule.emerging]
KINDS = [rule.kind for rule in RULES]
DAYS = 80
PRESENT = "//"


def pupil(*changes: tuple[int, str]) -> str:
    """Return a pupil present on all days but those given, by number, with their two marks."""
    days = [PRESENT] * DAYS
    for day, marks in changes:
        days[day] = marks
    return "".join(days)


def school(*changed: str, others: int = 120) -> Marks:
    """Return a school of the given pupils and of others, each of whom is ill for two days once."""
    usual = [
        pupil((n * 7 % (DAYS - 1), "II"), (n * 7 % (DAYS - 1) + 1, "II")) for n in range(others)
    ]
    return Marks([*changed, *usual])


def kinds_of(marks: Marks, position: int = 0) -> list[str]:
    """Return the kinds of a pupil's bells in the order in which they rang."""
    last: Progress = fold(RULES, marks)[-1]
    rung = [
        (episode.since, kind)
        for kind, rule, episodes in zip(KINDS, RULES, last.episodes, strict=True)
        for (at, _), episode in episodes.items()
        if at == position and (rule.emerging or kind == "health-absence")
    ]
    return [kind for _, kind in sorted(rung)]


def emerging_pupils(marks: Marks) -> set[int]:
    """Return the positions of pupils on whom an emerging bell ever rang."""
    episodes = fold(EMERGING, marks)[-1].episodes
    return {position for found in episodes for position, _ in found}


def test_who_is_never_absent_rings_nothing() -> None:
    assert kinds_of(school(pupil())) == []


def test_ordinary_illness_rings_nothing() -> None:
    assert emerging_pupils(school()) == set()


def test_absences_without_a_reason_here_and_there_are_a_sudden_change_and_one_bell() -> None:
    away = [(day, "OO") for day in (40, 42, 45, 47, 50, 52, 54, 57, 59, 62)]

    assert kinds_of(school(pupil(*away))) == ["sudden-change"]


def first_day(marks: Marks) -> int | None:
    """Return the number of the day on which an emerging bell first rang."""
    steps = enumerate(fold(EMERGING, marks))
    return next((n // 2 for n, step in steps if any(len(r.pupils) for r in step.ringing)), None)


def test_a_change_rings_within_five_days_of_the_fourth_session_missed() -> None:
    day = first_day(school(pupil((40, "OO"), (42, "OO"), (44, "OO"), (46, "OO"))))

    assert day is not None
    assert day <= 42 + 5


def test_the_same_weekday_again_and_again() -> None:
    fridays = [(day, "II") for day in range(39, 75, 5)]

    assert kinds_of(school(pupil(*fridays))) == ["weekday-pattern"]


def test_gone_in_the_afternoon() -> None:
    left = [(day, "/O") for day in (40, 43, 44, 48, 51)]

    assert kinds_of(school(pupil(*left))) == ["leaves-after-registration"]


def test_appointments_in_the_afternoon_are_not_leaving() -> None:
    assert kinds_of(school(pupil(*[(day, "/M") for day in (40, 47, 58)]))) == []


def test_late_much_more_often_than_before() -> None:
    late = [(day, "L/") for day in range(40, 60, 2)]

    assert kinds_of(school(pupil(*late))) == ["lateness"]


def test_who_was_always_late_does_not_ring_in_spring() -> None:
    late = [(day, "L/") for day in range(0, DAYS, 2)]
    marks = school(pupil(*late))
    since = [
        n for n, p in enumerate(fold(EMERGING, marks)) if any(len(r.pupils) for r in p.ringing)
    ]

    assert not since or since[0] // 2 < 40


def test_a_long_illness_is_a_medical_matter_and_no_concern() -> None:
    assert kinds_of(school(pupil(*[(day, "II") for day in range(30, 60)]))) == ["health-absence"]


def test_pupils_who_are_away_together() -> None:
    days = (30, 38, 46, 51, 57)
    marks = school(*[pupil(*[(day, "OO") for day in days])] * 3)

    found = {kind for position in range(3) for kind in kinds_of(marks, position)}

    assert found <= {"group-absence", "sudden-change"}
    assert found


@pytest.mark.parametrize(("share", "code"), [(0.4, "I"), (0.7, "O"), (1.0, "O")])
def test_a_day_on_which_much_of_the_school_is_away_rings_for_nobody(
    share: float, code: str
) -> None:
    rng = np.random.default_rng(4)
    pupils = []
    for one in school(others=150).pupils:
        days = [one[2 * n : 2 * n + 2] for n in range(DAYS)]
        for day in (33, 34, 61):
            if rng.random() < share:
                days[day] = code * 2
        pupils.append("".join(days))

    assert emerging_pupils(Marks(pupils)) == set()


def test_a_wave_of_illness_rings_for_nobody() -> None:
    rng = np.random.default_rng(5)
    pupils = []
    for one in school(others=150).pupils:
        days = [one[2 * n : 2 * n + 2] for n in range(DAYS)]
        if rng.random() < 0.7:
            start, length = int(rng.integers(40, 55)), int(rng.integers(2, 5))
            days[start : start + length] = ["II"] * length
        pupils.append("".join(days))

    assert emerging_pupils(Marks(pupils)) == set()


def test_a_story_ends_after_steady_weeks_and_a_new_one_is_a_new_bell() -> None:
    first = [(day, "OO") for day in (10, 12, 14, 16, 18)]
    again = [(day, "OO") for day in (60, 62, 64, 66, 67, 69)]

    assert kinds_of(school(pupil(*first, *again))) == ["sudden-change", "sudden-change"]


def test_a_year_that_will_end_above_ten_percent_is_foretold_while_below_it() -> None:
    rule = LikelyPersistent(chance_min=0.6)
    away = [(day, "II") for day in range(60, 80, 3)]
    marks = school(pupil(*away))

    seen = fold([rule], marks)
    (first,) = [n for n, p in enumerate(seen) if 0 in p.ringing[0].pupils][:1]

    missed = 2 * sum(1 for day, _ in away if day <= first // 2)
    assert missed / (first + 1) < 0.1
    assert {p for p, _ in seen[-1].episodes[0]} == {0}


def test_the_forecast_gives_its_interval_and_chance() -> None:
    rule = LikelyPersistent(chance_min=0.6)
    told = finding(rule, school(pupil(*[(day, "II") for day in range(60, 80, 3)])))

    assert "the year ends with" in told.explanation
    assert 0.5 < told.evidence["chance"] <= 1


def test_away_again_after_a_suspension() -> None:
    suspended = [(day, "EE") for day in range(30, 33)]
    again = [(day, "II") for day in (34, 40, 46)]

    assert kinds_of(school(pupil(*suspended, *again)))[0] == "relapse"


def test_steady_after_a_suspension_rings_nothing() -> None:
    assert kinds_of(school(pupil(*[(day, "EE") for day in range(30, 33)], (50, "II")))) == []
