"""Who may see which fields of a bell about a child."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from services.notify.routing import Person, Recipient
from services.notify.sharing import FIELDS, Policies, shown

EDUCATION = "name date_of_birth upn year_group school explanation evidence"
WORKER = "name date_of_birth identifier year_group school explanation evidence"
BELL: dict[str, Any] = {
    "kind": "unexplained-absence",
    "severity": "urgent",
    "urn": "100000",
    "upn": "B801200005001",
    "explanation": "Absent, and nobody has said why.",
    "evidence": {"sessions": ["2026-09-14 am"]},
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
PERMIT = '@id("{id}") @basis("b of {id}") @source("s") permit (principal, action, resource){when};'


def recipient(kind: str, involved: bool = False, role: str = "social_worker") -> Recipient:
    someone = Person("one", frozenset({role}), "agency", kind, frozenset(), None)
    return Recipient(someone, role, involved, "child_in_need" if involved else "none")


def seen_by(kind: str, involved: bool, pupil: dict[str, Any] = PUPIL) -> dict[str, Any]:
    who = recipient(kind, involved)
    return shown(Policies().decide(who, BELL["kind"], BELL["severity"]), who, BELL, pupil)


@pytest.mark.parametrize(
    ("kind", "involved", "fields"),
    [
        ("school", False, EDUCATION),
        ("school", True, EDUCATION),
        ("trust", False, EDUCATION),
        ("local_authority", False, EDUCATION),
        ("social_care", True, WORKER),
        ("social_care", False, ""),
        ("youth_justice", True, WORKER),
        ("youth_justice", False, ""),
        ("police", True, ""),
        ("police", False, ""),
        ("health", True, ""),
        ("health", False, ""),
        ("unheard_of", True, ""),
    ],
)
def test_each_kind_of_agency_sees_these_fields_and_no_other(
    kind: str, involved: bool, fields: str
) -> None:
    decision = Policies().decide(recipient(kind, involved), "unexplained-absence", "urgent")

    assert set(decision.fields) == set(fields.split())
    assert set(decision.withheld) == set(FIELDS) - set(fields.split())
    assert decision.verdict == ("shared" if fields else "withheld")
    assert bool(decision.basis) == bool(decision.policies) == bool(fields)


@pytest.mark.parametrize("involved", [True, False])
@pytest.mark.parametrize("kind", ["social_care", "youth_justice", "police", "health", "unheard_of"])
def test_the_upn_never_leaves_education(kind: str, involved: bool) -> None:
    assert BELL["upn"] not in str(seen_by(kind, involved))


def test_even_a_permit_of_everything_does_not_share_the_upn_outside_education() -> None:
    forbid = '@id("f") @basis("b") @source("s") forbid (principal, action, resource) when '
    text = PERMIT.format(id="all", when="") + forbid + '{ resource.field == "upn" };'

    decision = Policies(text).decide(recipient("health"), "lateness", "notice")

    assert decision.withheld == ["upn"]


def test_a_worker_of_the_child_sees_their_own_agencys_number_and_no_other() -> None:
    child = seen_by("social_care", True)["child"]

    assert child["identifiers"] == {"social_care": "LCS-81"}
    assert set(child) == {
        "given_name", "family_name", "date_of_birth", "year_group", "identifiers",
    }  # fmt: skip


def test_a_school_sees_the_upn_and_no_agencys_number() -> None:
    child = seen_by("school", False)["child"]

    assert child["upn"] == BELL["upn"]
    assert "identifiers" not in child


@pytest.mark.parametrize("kind", ["school", "social_care", "local_authority"])
def test_the_home_and_household_are_in_no_field(kind: str) -> None:
    assert not {"H-1", "330"} & set(map(str, seen_by(kind, True)["child"].values()))


def test_who_may_see_nothing_has_the_kind_and_severity_and_an_empty_child() -> None:
    assert seen_by("police", True) == {
        "kind": "unexplained-absence",
        "severity": "urgent",
        "child": {},
        "withheld": list(FIELDS),
        "basis": [],
    }


def test_a_pupil_who_is_on_no_roll_is_shown_without_what_is_not_known() -> None:
    body = seen_by("social_care", True, pupil={})

    assert body["child"] == {}
    assert body["school"] == {"urn": "100000"}


def test_a_school_decision_names_its_policy_and_its_lawful_basis() -> None:
    decision = Policies().decide(recipient("school"), "lateness", "notice")

    assert decision.policies == ["school-sees-its-own-pupil"]
    assert "UK GDPR Art. 6(1)(e)" in decision.basis[0]


def test_a_policy_that_cannot_be_evaluated_is_a_deny_and_is_logged_without_the_child() -> None:
    broken = PERMIT.format(id="broken", when=' when { principal.shoe_size == "9" }')
    policies = Policies(PERMIT.format(id="all", when="") + broken)

    with capture_logs() as logs:
        decision = policies.decide(recipient("school"), "lateness", "notice")

    assert decision.fields == decision.policies == decision.basis == []
    assert decision.withheld == list(FIELDS)
    assert all("broken" in str(line["errors"]) for line in logs)
    assert len(logs) == len(FIELDS)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("permit (principal, action, resource", "unexpected end"),
        ("permit (principal, action, resource);", "lacks @basis, @id, @source"),
        ('@id("a") @basis("b") permit (principal, action, resource);', "lacks @source"),
        (PERMIT.format(id="a", when="") * 2, "two policies have the id a"),
    ],
)
def test_a_policy_file_that_could_not_be_recorded_is_refused_at_start(
    text: str, fault: str
) -> None:
    with pytest.raises(ValueError, match=fault):
        Policies(text)


def test_the_same_question_has_the_same_answer_whatever_was_asked_before() -> None:
    policies = Policies()
    involved = policies.decide(recipient("social_care", True), "lateness", "notice")
    stranger = policies.decide(recipient("social_care", False), "lateness", "notice")

    assert policies.decide(recipient("social_care", True), "lateness", "notice") == involved
    assert stranger.verdict == "withheld"
