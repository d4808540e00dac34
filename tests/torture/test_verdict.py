"""The verdict can find fault: with what is too much, too late, hidden, or was never tried."""

import json
from collections import Counter
from typing import Any

from tests.torture.house import Restart
from tests.torture.outcome import Heard, Outcome, heard
from tests.torture.poison import DELAY_S_MAX
from tests.torture.schedule import Blow, Window
from tests.torture.verdict import (
    SERVING_S_MAX,
    Verdict,
    compare,
    judge_answers,
    judge_blows,
    judge_restarts,
)
from tests.torture.world import Size, World, world

TOLD = world(1, Size(schools=2, groups=1, pupils=30, sessions=2))
KEY = ("100001", "2026-09-14", "am")
WELL = Outcome(
    registers={KEY: (1, {"A": "/"})}, attendance={"100001": {}}, bells={"bell": {}},
    alerts={("worker", "alert"): ()}, decisions=Counter({("bell", "worker", "shared"): 1}),
    whole=True,
)  # fmt: skip
SAID = Heard({("worker", "alert"): ["alert.raised"]}, [], 0, 0, [])


def compared(found: Outcome = WELL, expected: Outcome = WELL, said: Heard = SAID) -> set[str]:
    verdict = Verdict()
    compare(verdict, (found, said), (expected, said), {KEY: (1, {"A": "/"})})
    return set(verdict.faults)


def test_what_is_as_it_should_be_is_not_blamed() -> None:
    assert compared() == set()


def test_two_houses_that_both_came_to_nothing_are_not_alike() -> None:
    empty = Outcome(registers=WELL.registers, whole=True)

    assert compared(empty, empty, Heard({}, [], 0, 0, [])) == {"the unharmed house has none"}


def test_a_mark_that_nobody_sent_is_found() -> None:
    more = Outcome(**{**vars(WELL), "registers": {KEY: (1, {"A": "/", "B": "N"})}})

    assert compared(more) == {"marks too many"}


def test_a_start_that_the_next_kill_hid_counts_by_how_long_it_had_had() -> None:
    verdict = Verdict()
    late = Restart(100.0, "risk", SERVING_S_MAX + 1, 0.0, served=False)
    soon = Restart(110.0, "risk", 1.0, 0.0, served=False)

    judge_restarts(verdict, [late, soon, Restart(120.0, "risk", 2.0, 1.5)], [], [])

    assert verdict.faults == {"not serving in 5 s": [("risk", SERVING_S_MAX + 1)]}
    assert verdict.figures["killed again before"] == 2


def test_blows_that_did_not_fall_and_restarts_that_nobody_saw_are_blamed() -> None:
    verdict = Verdict()

    judge_blows(verdict, [Blow(1.0, "kill -9", ("risk", "notify"))] * 10, killed=10)

    assert set(verdict.faults) == {"too few were killed", "no restart was seen"}


def answer(at: float, s: float = 0.1) -> dict[str, Any]:
    return {"what": "answer", "n": 0, "at": at, "s": s, "status": 202, "rejected": 0}


def answered(*lines: dict[str, Any]) -> set[str]:
    verdict = Verdict()
    judge_answers(verdict, lines, [Window("kafka", 100.0, 160.0)], 1)
    return set(verdict.faults)


def test_an_outage_in_which_nothing_was_sent_shows_nothing() -> None:
    assert answered(answer(at=90.0)) == {"nothing was sent meanwhile"}


def test_an_outage_in_which_answers_come_late_is_blamed() -> None:
    assert answered(*[answer(at=120.0, s=DELAY_S_MAX)] * 9) == {"slow while the broker was away"}
    assert answered(*[answer(at=120.0)] * 9) == set()


def line(told: World, recipient: str, words: str) -> dict[str, Any]:
    data = {"alert": "one", "kind": "sudden-change", "explanation": words}
    body = json.dumps({"type": "alert.raised", "sequence": 1, "data": data})
    return {"to": recipient, "id": "1", "verified": True, "status": 204, "body": body}


def test_a_name_is_found_in_a_sentence_with_its_commas() -> None:
    theirs = next(pupil for pupil in TOLD.pupils if pupil.urn == TOLD.urns[0])
    words = f"({theirs.words['family_name']}'s mornings)"
    own, other = (f"lead-{urn}" for urn in TOLD.urns)

    assert heard([line(TOLD, own, words)], TOLD).wrong == []
    assert heard([line(TOLD, other, words)], TOLD).wrong == [other]
