"""Every role x field x footing x severity x kind x restriction, against a table written by hand.

The table below says what an information-governance lead has agreed to; it is not derived from the
policies, and the few lines that read it know no Cedar.
"""

from collections.abc import Iterator
from datetime import date
from itertools import product
from typing import NamedTuple, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notify.routing import Capacity, Person, Recipient
from services.notify.sharing import Asked, Decision, Policies
from services.notify.vocabulary import FIELDS, AgencyKind, Footing, Role, Severity

TABLE = """
agency           role                  told of | na db up id yg sc pa se co re cm he fo pr ex ev
school           attendance_lead       always  | x  x  x  .  x  x  x  x  x  x  x  x  .  .  x  x
school           safeguarding_lead     always  | x  x  x  .  x  x  x  x  x  x  x  x  x  x  x  x
school           headteacher           always  | x  x  x  .  x  x  x  x  x  x  x  x  x  x  x  x
trust            attendance_lead       always  | x  x  x  .  x  x  x  x  x  x  x  x  .  .  x  x
trust            safeguarding_lead     always  | x  x  x  .  x  x  x  x  x  x  x  x  x  x  x  x
trust            headteacher           always  | x  x  x  .  x  x  x  x  x  x  x  x  x  x  x  x
local_authority  attendance_officer    always  | x  x  x  .  x  x  x  x  x  x  .  s  .  .  x  x
local_authority  virtual_school_head   care    | x  x  x  .  x  x  x  x  x  x  .  .  x  x  x  x
local_authority  send_officer          works   | x  x  x  .  x  x  x  x  x  x  .  .  .  .  x  x
local_authority  social_worker         works   | x  x  .  x  x  x  x  x  x  x  p  t  x  t  x  x
social_care      social_worker         works   | x  x  .  x  x  x  x  x  x  x  p  t  x  t  x  x
local_authority  youth_justice_worker  works   | x  x  .  x  x  x  x  x  x  x  .  .  x  .  x  x
youth_justice    youth_justice_worker  works   | x  x  .  x  x  x  x  x  x  x  .  .  x  .  x  x
health           school_nurse          ill     | x  x  .  x  x  x  x  x  x  x  .  x  .  .  x  x
police           police_contact        risk    | x  x  .  x  .  x  x  x  .  .  .  .  x  .  x  x
"""
"""told of: always; `works` with the child today; `care`: works with the child, or the child is
looked after; `ill`: a bell about long illness; `risk`: works with the child on the footing of
missing or exploitation, and the bell is urgent.

x shown; . withheld; s only for a sickness return; t on a statutory footing (protection plan, in
need, looked after, missing or exploitation); p only protection plan or looked after.
Who is in no line sees nothing."""

COLUMNS = (
    "name date_of_birth upn identifier year_group school pattern sessions codes reason comment "
    "health footing practitioners explanation evidence"
).split()
LINES = [line.split() for line in TABLE.strip().splitlines()[1:]]
ROWS = {(line[0], line[1]): (line[2], dict(zip(COLUMNS, line[4:], strict=True))) for line in LINES}
STATUTORY = {
    "child_protection_plan",
    "child_in_need",
    "looked_after",
    "missing_or_exploitation_risk",
}
KINDS = ("unexplained-absence", "lateness", "sickness-return", "health-absence")
ALSO_TELLS = {
    "unexplained-absence": {"footing"},
    "sickness-return": {"health"},
    "health-absence": {"health"},
}
RESTRICTIONS: tuple[frozenset[str], ...] = (
    frozenset(),
    frozenset(COLUMNS),
    frozenset({"name", "school", "comment", "evidence"}),
    frozenset({"health", "practitioners", "explanation"}),
    frozenset({"footing"}),
)
DAY = date(2026, 11, 24)


class Case(NamedTuple):
    """Who asks, and about what."""

    agency: str
    capacity: Capacity
    asked: Asked


def fields_of(case: Case) -> set[str]:
    """Return what the table shows, as if an approval had been given where one is needed."""
    if (case.agency, case.capacity.role) not in ROWS:
        return set()
    when, cells = ROWS[case.agency, case.capacity.role]
    footing, involved = case.capacity.footing, case.capacity.involved
    told = {
        "always": True,
        "works": involved,
        "care": involved or "looked_after" in case.asked.footings,
        "ill": case.asked.kind in {"health-absence", "sickness-return"},
        "risk": involved
        and footing == "missing_or_exploitation_risk"
        and case.asked.severity == "urgent",
    }[when]
    means = {
        "x": True,
        ".": False,
        "s": case.asked.kind == "sickness-return",
        "t": footing in STATUTORY,
        "p": footing in {"child_protection_plan", "looked_after"},
    }
    shown = {field for field in COLUMNS if told and means[cells[field]]} - case.asked.restricted
    needed = {"pattern"} | ALSO_TELLS.get(case.asked.kind, set())
    return shown if needed <= shown else set()


def expected(case: Case) -> tuple[str, set[str]]:
    """Return the verdict and the fields shown at once."""
    fields = fields_of(case)
    waits = case.capacity.role == "police_contact" and not case.capacity.at_once
    if fields and waits and not case.asked.approved:
        return "awaiting_approval", set()
    return ("shared" if fields else "withheld"), fields


def cases(agency: str, role: str) -> Iterator[Case]:
    works = [Capacity(role, True, footing) for footing in get_args(Footing)]
    capacities = [*works, Capacity(role, False, "none")]
    approvals = [False]
    if role == "police_contact":
        capacities += [one._replace(at_once=True) for one in works]
        approvals = [False, True]
    for capacity, severity, kind, restricted, approved, elsewhere in product(
        capacities, get_args(Severity), KINDS, RESTRICTIONS, approvals, ({}, {"looked_after"})
    ):
        if elsewhere and severity != "urgent":
            continue  # the footing of others' work bears on no severity
        footings = frozenset({capacity.footing, *elsewhere})
        yield Case(agency, capacity, Asked(kind, severity, footings, restricted, approved))


def decided(policies: Policies, case: Case) -> Decision:
    person = Person("one", frozenset(), "agency", case.agency, frozenset(), None)
    return policies.decide(Recipient(person, (case.capacity,)), case.asked, DAY)


@pytest.fixture(scope="module")
def policies() -> Policies:
    return Policies()


@pytest.mark.parametrize(("agency", "role"), sorted(ROWS))
def test_each_field_is_decided_as_the_table_says(
    policies: Policies, agency: str, role: str
) -> None:
    differences = []
    for case in cases(agency, role):
        decision, (verdict, fields) = decided(policies, case), expected(case)
        if decision.verdict != verdict or set(decision.fields) != fields:
            differences.append((case, decision.verdict, set(decision.fields) ^ fields))
        assert {*decision.fields, *decision.withheld} == set(COLUMNS)

    assert differences == []


@pytest.mark.parametrize("agency", get_args(AgencyKind))
def test_a_role_in_an_agency_that_has_no_such_role_sees_nothing(
    policies: Policies, agency: str
) -> None:
    seen = []
    for role, footing, kind in product(get_args(Role), get_args(Footing), KINDS):
        if (agency, role) not in ROWS:
            case = Case(agency, Capacity(role, True, footing), Asked(kind, "urgent"))
            seen += [(case, field) for field in decided(policies, case).fields]

    assert seen == []


def test_what_awaits_an_approval_is_what_the_approval_then_shows(policies: Policies) -> None:
    for case in cases("police", "police_contact"):
        decision = decided(policies, case)
        if decision.verdict == "awaiting_approval":
            released = decided(policies, case._replace(asked=case.asked._replace(approved=True)))
            assert decision.awaiting == released.fields
            assert decision.approver == "safeguarding_lead"


SOME_FIELDS = st.frozensets(st.sampled_from(FIELDS))
CAPACITIES = st.builds(
    Capacity,
    st.sampled_from(get_args(Role)),
    st.booleans(),
    st.sampled_from(get_args(Footing)),
    st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(
    agency=st.sampled_from(get_args(AgencyKind)),
    capacities=st.lists(CAPACITIES, min_size=1, max_size=3),
    kind=st.sampled_from(KINDS),
    severity=st.sampled_from(get_args(Severity)),
    footings=st.frozensets(st.sampled_from(get_args(Footing)), max_size=3),
    approved=st.booleans(),
    before=SOME_FIELDS,
    added=SOME_FIELDS,
)
def test_no_restriction_that_is_added_shows_more(
    agency: str,
    capacities: list[Capacity],
    kind: str,
    severity: str,
    footings: frozenset[str],
    approved: bool,
    before: frozenset[str],
    added: frozenset[str],
) -> None:
    person = Person("one", frozenset(), "agency", agency, frozenset(), None)
    recipient = Recipient(person, tuple(capacities))
    asked = Asked(kind, severity, footings, before, approved)

    less = ALL.decide(recipient, asked._replace(restricted=before | added), DAY)
    more = ALL.decide(recipient, asked, DAY)

    assert set(less.fields) <= set(more.fields) - added
    assert {*less.fields, *less.awaiting} <= {*more.fields, *more.awaiting} - added


ALL = Policies()
