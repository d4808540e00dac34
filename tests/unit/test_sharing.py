"""How policies are read and asked: basis, days, approvals, faults."""

from datetime import date

import pytest
from structlog.testing import capture_logs

from services.notify.policy_text import faults_of, national, parsed
from services.notify.routing import Capacity, Person, Recipient
from services.notify.sharing import NOTHING, Asked, Policies
from services.notify.vocabulary import FIELDS

DAY = date(2026, 11, 24)
LATENESS = Asked("lateness", "notice")
PERMIT = (
    '@id("{id}") @basis("b of {id}") @source("s") {more} '
    "permit (principal, action, resource){when};"
)
DUTY = "duty-to-share-information"


def permit(id: str, when: str = "", more: str = "") -> str:
    return PERMIT.format(id=id, when=f" when {{ {when} }}" if when else "", more=more)


def recipient(kind: str, *capacities: Capacity) -> Recipient:
    someone = Person("one", frozenset(), "agency", kind, frozenset(), None)
    return Recipient(someone, capacities)


LEAD = recipient("school", Capacity("attendance_lead", False, "none"))
WORKER = recipient("social_care", Capacity("social_worker", True, "early_help"))


def test_a_decision_names_its_policies_and_their_lawful_basis() -> None:
    decision = Policies().decide(LEAD, LATENESS, DAY)

    assert decision.policies == ["school-staff-see-their-own-pupil"]
    assert "UK GDPR Art. 6(1)(c) and (e)" in decision.basis[0]
    assert decision.permitted_by["name"] == ("school-staff-see-their-own-pupil",)


def test_forbid_wins_and_is_named() -> None:
    forbid = (
        '@id("f") @basis("b") @source("s") forbid (principal, action, resource) '
        'when { resource.field == Field::"upn" };'
    )

    decision = Policies(permit("all") + forbid).decide(LEAD, LATENESS, DAY)

    assert decision.withheld == ["upn"]
    assert decision.forbidden_by == {"upn": ("f",)}


@pytest.mark.parametrize(
    ("agency", "role", "kept"),
    [
        ("social_care", "social_worker", ["upn"]),
        ("local_authority", "social_worker", ["upn"]),
        ("health", "school_nurse", ["upn"]),
        ("social_care", "attendance_officer", ["upn"]),
        ("police", "police_contact", ["upn", "codes", "reason", "comment", "health"]),
        ("local_authority", "attendance_officer", []),
        ("school", "attendance_lead", []),
    ],
)
def test_what_is_forbidden_stays_so_whatever_a_later_policy_permits(
    agency: str, role: str, kept: list[str]
) -> None:
    everything = Policies(national() + permit("everything"))
    capacity = Capacity(role, True, "child_in_need")

    assert everything.decide(recipient(agency, capacity), LATENESS, DAY).withheld == kept


def test_without_a_permit_nothing_is_shown() -> None:
    stranger = recipient("health", Capacity("school_nurse", False, "none"))

    decision = Policies().decide(stranger, LATENESS, DAY)

    assert (decision.verdict, decision.fields, decision.policies) == ("withheld", [], [])


def test_who_has_two_roles_sees_what_either_shows() -> None:
    both = recipient(
        "school",
        Capacity("attendance_lead", False, "none"),
        Capacity("safeguarding_lead", False, "none"),
    )

    assert Policies().decide(both, LATENESS, DAY).withheld == ["identifier"]
    assert "footing" in Policies().decide(LEAD, LATENESS, DAY).withheld


def test_who_may_not_see_what_the_kind_gives_away_is_not_told_at_all() -> None:
    decision = Policies().decide(WORKER, Asked("health-absence", "notice"), DAY)

    assert (decision.verdict, decision.fields, decision.untold) == ("withheld", [], ["health"])


def test_a_basis_that_awaits_its_day_permits_nothing_until_the_operator_sets_it() -> None:
    appointed = Policies(relied_from={DUTY: date(2026, 12, 1)})

    assert "practitioners" in Policies().decide(WORKER, LATENESS, DAY).withheld
    assert "practitioners" in appointed.decide(WORKER, LATENESS, date(2026, 11, 30)).withheld
    on_its_day = appointed.decide(WORKER, LATENESS, date(2026, 12, 1))
    assert on_its_day.permitted_by["practitioners"] == (DUTY,)
    assert any("s.16LA" in basis for basis in on_its_day.basis)


def test_every_national_policy_says_from_when_its_basis_may_be_relied_upon() -> None:
    days = {name: policy["annotations"].get("from") for name, policy in parsed(national()).items()}

    assert [name for name, day in days.items() if day == "appointed"] == [DUTY]
    assert all(day == "appointed" or date.fromisoformat(day) < DAY for day in days.values())


def test_what_needs_an_approval_is_shown_only_with_it() -> None:
    policies = Policies(permit("p", more='@approval("safeguarding_lead")'))

    waits = policies.decide(LEAD, LATENESS, DAY)
    released = policies.decide(LEAD, LATENESS._replace(approved=True), DAY)

    assert (waits.verdict, waits.fields, waits.approver) == (
        "awaiting_approval", [], "safeguarding_lead",
    )  # fmt: skip
    assert waits.policies == ["p"]
    assert waits.awaiting == released.fields == list(FIELDS)


def test_a_policy_that_cannot_be_evaluated_is_a_deny_of_everything_and_is_logged() -> None:
    broken = permit("broken", 'principal.shoe_size == "9" && resource.field == Field::"upn"')

    with capture_logs() as logs:
        decision = Policies(permit("all") + broken).decide(LEAD, LATENESS, DAY)

    assert decision == NOTHING
    assert len(logs) == 1
    assert "broken" in str(logs[0]["errors"])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("permit (principal, action, resource", "unexpected end"),
        ("permit (principal, action, resource);", "lacks @basis, @id, @source"),
        ('@id("a") @basis("b") permit (principal, action, resource);', "lacks @source"),
        (permit("a") * 2, "two policies have the id a"),
        (permit("a", more='@from("soon")'), "@from is no day"),
    ],
)
def test_a_policy_that_could_not_be_recorded_is_refused(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Policies(text)


def test_a_day_for_a_policy_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no policy nothing"):
        Policies(relied_from={"nothing": DAY})


def test_the_national_policies_hold_to_the_schema() -> None:
    assert faults_of(national()) == []


@pytest.mark.parametrize(
    ("right", "typo"),
    [
        ('Field::"year_group"', 'Field::"yeargroup"'),
        ('Role::"headteacher"', 'Role::"head_teacher"'),
        ('Footing::"looked_after"', 'Footing::"looked-after"'),
        ('Severity::"urgent"', 'Severity::"Urgent"'),
        ('Kind::"sickness-return"', 'Kind::"sickness_return"'),
        ("principal.involved", "principal.envolved"),
        ("resource.footings", "resource.footing"),
        ('Action::"see"', 'Action::"sea"'),
    ],
)
def test_a_typo_in_a_policy_is_found_by_the_schema(right: str, typo: str) -> None:
    assert right in national()

    assert faults_of(national().replace(right, typo, 1)) != []


def test_the_same_question_has_the_same_answer_whatever_was_asked_before() -> None:
    policies = Policies()
    stranger = recipient("social_care", Capacity("social_worker", False, "none"))
    involved = policies.decide(WORKER, LATENESS, DAY)

    assert policies.decide(stranger, LATENESS, DAY).verdict == "withheld"
    assert policies.decide(WORKER, LATENESS, DAY) == involved
