"""What an alert bears of a bell, given which fields may be seen."""

from typing import Any

import pytest

from libs.common.codes import NUMBERS
from services.notify.routing import Capacity, Person, Recipient
from services.notify.sharing import NOTHING
from services.notify.shown import Facts, evidence_for, shown, told_by_explanation
from services.notify.vocabulary import FIELDS, HEALTH_CODES
from services.risk.rules.evidence import codes_in_words

ALL = frozenset(FIELDS)
MARKS = [
    {"date": "2026-09-14", "session": "am", "code": "N"},
    {"date": "2026-09-14", "session": "pm", "code": "O"},
]
ILL = [{"date": "2026-09-15", "session": "am", "code": "I"}]
BELL: dict[str, Any] = {
    "kind": "persistent-absence",
    "severity": "warning",
    "status": "ringing",
    "urn": "100000",
    "upn": "B801200005001",
    "explanation": "Missed 12 of 100 possible sessions.",
    "evidence": {"missed": 12, "sessions": MARKS},
}
PUPIL: dict[str, Any] = {
    "given_name": "Ada",
    "family_name": "Example",
    "date_of_birth": "2014-02-03",
    "year_group": "7",
    "identifiers": {"social_care": "LCS-81", "police": "P-3", "health": "NHS-5"},
    "household": "H-1",
    "home_la": "330",
}
WORKS = Capacity("social_worker", True, "child_in_need")
LEADS = Capacity("safeguarding_lead", False, "none")
TEAM = [
    {"id": "one", "name": "Sam Worker", "role": "social_worker"},
    {"id": "two", "name": "Yan Worker", "role": "youth_justice_worker"},
]


def body(
    fields: frozenset[str],
    kind: str = "social_care",
    capacity: Capacity = WORKS,
    pupil: dict[str, Any] = PUPIL,
    **bell: Any,
) -> tuple[dict[str, Any], list[str]]:
    who = Recipient(Person("one", frozenset(), "agency", kind, frozenset(), None), (capacity,))
    decision = NOTHING._replace(
        fields=[f for f in FIELDS if f in fields], withheld=[f for f in FIELDS if f not in fields]
    )
    rung = {**BELL, **bell}
    footings = ["child_in_need", "youth_justice"]
    facts = Facts(rung, pupil, footings, TEAM, told_by_explanation(rung))
    return shown(decision, who, facts)


def test_who_may_see_everything_sees_their_own_agencys_number_and_no_other() -> None:
    child = body(ALL)[0]["child"]

    assert child["identifiers"] == {"social_care": "LCS-81"}
    assert "P-3" not in str(child)
    assert "NHS-5" not in str(child)


@pytest.mark.parametrize("kind", ["school", "social_care", "local_authority"])
def test_the_home_and_household_are_in_no_field(kind: str) -> None:
    child = body(ALL, kind)[0]["child"]

    assert not {"H-1", "330"} & set(map(str, child.values()))


def test_a_worker_sees_their_own_footing_and_a_lead_every_one() -> None:
    assert body(ALL)[0]["child"]["footing"] == ["child_in_need"]
    leads = body(ALL, "school", LEADS)[0]["child"]
    assert leads["footing"] == ["child_in_need", "youth_justice"]


def test_the_other_practitioners_are_named_by_name_and_role() -> None:
    assert body(ALL)[0]["child"]["practitioners"] == [
        {"name": "Yan Worker", "role": "youth_justice_worker"}
    ]


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_is_withheld_is_nowhere_in_the_body(field: str) -> None:
    told = {
        "name": ["Ada", "Example"],
        "date_of_birth": ["2014-02-03"],
        "upn": ["B801200005001"],
        "identifier": ["LCS-81"],
        "year_group": ["year_group"],
        "school": ["100000"],
        "sessions": ["2026-09-14"],
        "codes": ["'code'"],
        "footing": ["child_in_need", "footing'"],
        "practitioners": ["Yan"],
        "explanation": ["Missed 12"],
        "evidence": ["'missed'", "'date'"],
    }
    said = body(ALL - {field})[0]
    said.pop("withheld")

    assert [word for word in told.get(field, ()) if word in str(said)] == []


def test_a_pupil_who_is_on_no_roll_is_shown_without_what_is_not_known() -> None:
    said = body(ALL, pupil={})[0]

    assert set(said["child"]) == {"upn", "footing", "practitioners"}
    assert said["school"] == {"urn": "100000"}


@pytest.mark.parametrize(
    ("lacking", "sessions"),
    [
        (set(), MARKS + ILL),
        ({"codes"}, [{"date": m["date"], "session": m["session"]} for m in MARKS + ILL]),
        ({"health"}, [{"date": m["date"], "session": m["session"]} for m in MARKS + ILL]),
        ({"sessions"}, [{"code": "N"}, {"code": "O"}, {"code": "I"}]),
        ({"sessions", "codes"}, None),
        ({"sessions", "health"}, None),
    ],
)
def test_marks_are_cut_to_what_may_be_seen(lacking: set[str], sessions: Any) -> None:
    evidence = {"missed": 12, "sessions": MARKS + ILL}

    assert evidence_for(ALL - lacking, evidence).get("sessions") == sessions


def test_codes_that_tell_nothing_of_health_are_shown_without_it() -> None:
    assert evidence_for(ALL - {"health"}, BELL["evidence"]) == BELL["evidence"]


@pytest.mark.parametrize(
    ("part", "needed"),
    [
        ({"missed": 12}, {"pattern"}),
        ({"weekday": "Friday"}, {"pattern"}),
        ({"reason": "holiday"}, {"reason"}),
        ({"comment": "Mum rang"}, {"comment"}),
        ({"diagnosis": "asthma"}, {"pattern", "sessions", "codes", "reason", "comment", "health"}),
    ],
)
def test_each_other_part_of_evidence_needs_its_fields(
    part: dict[str, Any], needed: set[str]
) -> None:
    assert evidence_for(ALL, part) == part
    assert all(evidence_for(ALL - {field}, part) == {} for field in needed)


@pytest.mark.parametrize(
    ("text", "evidence", "also"),
    [
        ("Missed 12 of 100.", {}, set()),
        ("Missed 12 of 100.", {"sessions": ILL}, set()),
        ("Ill or at appointments (codes I and M).", {}, {"health"}),
        ("Codes: I (illness).", {}, {"health"}),
        ("Monday is now M (medical or dental appointment).", {}, {"health"}),
        ("The child has a social worker.", {}, {"footing"}),
    ],
)
def test_what_an_explanation_tells(text: str, evidence: dict[str, Any], also: set[str]) -> None:
    told = told_by_explanation({**BELL, "explanation": text, "evidence": evidence})

    assert told == {"pattern", "sessions", "codes", "reason"} | also


def test_an_explanation_that_tells_too_much_is_given_in_general_and_that_is_noted() -> None:
    said, cut = body(ALL - {"codes"})

    assert said["explanation"] == (
        "This bell rings: persistent absence (warning). The marks behind it are not shown."
    )
    assert cut == ["explanation", "evidence"]
    assert body(ALL)[1] == []


@pytest.mark.parametrize("code", sorted(HEALTH_CODES))
def test_a_code_of_illness_is_found_by_the_meaning_that_rules_give_with_it(code: str) -> None:
    words = codes_in_words([NUMBERS[code]])

    assert "health" in told_by_explanation({**BELL, "explanation": f"Away 3 days. {words}."})
