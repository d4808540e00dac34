"""Who needs to know of a bell."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from services.notify import sharing_rules
from services.notify.routing import About, Capacity, Person, Recipient, Routes, recipients_of

URN = "100000"
DAY = date(2026, 9, 14)
STARTED = "2026-09-01"


def person(id: str, role: str, kind: str, *urns: str, la: str | None = None) -> Person:
    return Person(id, frozenset({role}), f"agency of {id}", kind, frozenset(urns), la)


PEOPLE = [
    person("lead", "attendance_lead", "school", URN),
    person("lead elsewhere", "attendance_lead", "school", "100001"),
    person("trust lead", "attendance_lead", "trust", "100001", URN),
    person("head", "headteacher", "school", URN),
    person("guard", "safeguarding_lead", "school", URN),
    person("officer", "attendance_officer", "local_authority", URN, la="801"),
    person("officer at home", "attendance_officer", "local_authority", la="330"),
    person("lead of an authority", "attendance_lead", "local_authority", URN, la="801"),
    person("worker", "social_worker", "social_care"),
    person("worker elsewhere", "social_worker", "social_care"),
    person("youth", "youth_justice_worker", "youth_justice"),
    person("virtual", "virtual_school_head", "local_authority", la="330"),
    person("virtual elsewhere", "virtual_school_head", "local_authority", la="801"),
    person("police", "police_contact", "police"),
    person("nurse", "school_nurse", "health"),
    person("nurse of the school", "school_nurse", "health", URN),
]
NATIONAL = sharing_rules.load().routes
LEADS = {"lead", "trust lead"}


def works(practitioner: str, role: str, **more: Any) -> dict[str, Any]:
    involvement = {"practitioner": practitioner, "role": role, "footing": "child_in_need"}
    return {**involvement, "from": STARTED, "to": None, **more}


EVERYBODY = (
    works("worker", "social_worker"),
    works("youth", "youth_justice_worker"),
    works("virtual", "virtual_school_head"),
    works("police", "police_contact"),
    works("nurse", "school_nurse"),
)


def found(
    kind: str,
    *involvements: dict[str, Any],
    home_la: str | None = "330",
    urn: str = URN,
    severity: str = "urgent",
) -> list[Recipient]:
    about = About(kind, severity, urn, home_la, DAY, involvements)
    return recipients_of(about, NATIONAL, PEOPLE)


def ids(*args: Any, **more: Any) -> set[str]:
    return {recipient.person.id for recipient in found(*args, **more)}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("unexplained-absence", {"worker", "youth", "guard"}),
        ("reason-overdue", LEADS),
        ("ten-days-unauthorised", LEADS | {"officer at home", "worker"}),
        ("penalty-threshold", LEADS | {"officer at home", "worker"}),
        ("sickness-return", LEADS | {"officer at home", "nurse", "nurse of the school"}),
        ("health-absence", LEADS | {"nurse", "nurse of the school"}),
        ("persistent-absence", LEADS | {"worker"}),
        ("severe-absence", LEADS | {"guard", "officer at home", "worker", "virtual"}),
        ("missing-education", LEADS | {"guard", "officer at home", "worker", "virtual"}),
        ("no-such-kind", set()),
    ],
)
def test_each_kind_of_bell_goes_to_those_its_route_names(kind: str, expected: set[str]) -> None:
    assert ids(kind, *EVERYBODY) == expected


def test_a_looked_after_child_adds_the_virtual_school_head_of_the_home_authority() -> None:
    worker = works("worker", "social_worker", footing="looked_after")

    assert ids("unexplained-absence", worker) == {"worker", "guard", "virtual"}
    assert "virtual" not in ids("unexplained-absence", works("worker", "social_worker"))
    assert "virtual elsewhere" in ids("persistent-absence", worker, home_la="801")


def test_a_youth_justice_footing_adds_the_worker() -> None:
    youth = works("youth", "youth_justice_worker", footing="youth_justice")

    assert "youth" in ids("persistent-absence", youth)
    assert "youth" not in ids("persistent-absence", works("youth", "youth_justice_worker"))


@pytest.mark.parametrize(
    ("footing", "severity", "kind", "told"),
    [
        ("missing_or_exploitation_risk", "urgent", "unexplained-absence", True),
        ("missing_or_exploitation_risk", "warning", "unexplained-absence", False),
        ("missing_or_exploitation_risk", "urgent", "lateness", False),
        ("child_protection_plan", "urgent", "unexplained-absence", False),
    ],
)
def test_a_police_contact_is_routed_to_for_a_child_at_risk_and_urgent_alone(
    footing: str, severity: str, kind: str, told: bool
) -> None:
    police = works("police", "police_contact", footing=footing)

    assert ("police" in ids(kind, police, severity=severity)) is told


def test_the_most_urgent_of_several_routes_says_how_somebody_is_reached() -> None:
    routes = Routes.model_validate(
        {
            "version": 1,
            "routes": [
                {
                    "name": name,
                    "kinds": ["lateness"],
                    "to": [{"role": role, "found_by": "school", "how_soon": soon}],
                }
                for name, role, soon in (
                    ("slow", "headteacher", "digest"), ("quick", "attendance_lead", "at_once"),
                )
            ],
        }
    )  # fmt: skip
    both = frozenset({"headteacher", "attendance_lead"})
    someone = Person("one", both, "elm", "school", frozenset({URN}), None)

    (told,) = recipients_of(About("lateness", "notice", URN, None, DAY, ()), routes, [someone])

    assert told.route == "quick"
    assert told.to is not None
    assert told.to.how_soon == "at_once"
    assert {one.role for one in told.capacities} == both


@pytest.mark.parametrize(
    ("home_la", "urn", "expected"),
    [
        ("330", URN, {"officer at home"}),
        ("801", URN, {"officer"}),
        ("999", URN, set()),
        (None, URN, {"officer"}),  # home unknown: the authority that looks after the school
        (None, "100009", set()),
    ],
)
def test_the_home_authority_is_where_the_child_lives(
    home_la: str | None, urn: str, expected: set[str]
) -> None:
    officers = {
        r.person.id
        for r in found("sickness-return", home_la=home_la, urn=urn)
        if r.role == "attendance_officer"
    }

    assert officers == expected


@pytest.mark.parametrize(
    ("starts_on", "ends_on", "holds"),
    [
        ("2026-09-14", None, True),
        ("2026-09-15", None, False),
        (STARTED, "2026-09-14", True),
        (STARTED, "2026-09-13", False),
        ("2026-09-14", "2026-09-14", True),
    ],
)
def test_an_involvement_holds_from_its_first_day_to_its_last(
    starts_on: str, ends_on: str | None, holds: bool
) -> None:
    involvement = works("worker", "social_worker", **{"from": starts_on, "to": ends_on})

    assert ("worker" in ids("persistent-absence", involvement)) is holds


def test_an_involvement_in_another_role_is_not_the_routes() -> None:
    assert "worker" not in ids("persistent-absence", works("worker", "school_nurse"))


@pytest.mark.parametrize("turned", [False, True])
def test_a_practitioner_with_two_involvements_is_found_by_either(turned: bool) -> None:
    both = [works("worker", "social_worker"), works("worker", "virtual_school_head")]

    assert "worker" in ids("persistent-absence", *(both[::-1] if turned else both))


def test_an_involvement_of_somebody_unknown_finds_nobody() -> None:
    assert ids("unexplained-absence", works("nobody", "social_worker")) == {"guard"}


def test_a_recipient_bears_the_role_and_footing_by_which_they_were_found() -> None:
    ours = {r.person.id: r for r in found("unexplained-absence", works("worker", "social_worker"))}

    assert ours["worker"].capacities == (Capacity("social_worker", True, "child_in_need"),)
    assert ours["guard"].capacities == (Capacity("safeguarding_lead", False, "none"),)


def test_everybody_is_found_once_in_order_of_their_ids() -> None:
    people = [
        *PEOPLE,
        PEOPLE[0]._replace(roles=frozenset({"attendance_lead", "safeguarding_lead"})),
    ]

    about = About("severe-absence", "urgent", URN, None, DAY, EVERYBODY)
    twice = recipients_of(about, NATIONAL, people)

    assert [r.person.id for r in twice] == sorted({r.person.id for r in twice})


ROUTE: dict[str, Any] = {
    "name": "one",
    "kinds": ["lateness"],
    "to": [{"role": "headteacher", "found_by": "school"}],
}


@pytest.mark.parametrize(
    ("wrong", "at"),
    [
        ({"to": [{"role": "headteacher", "found_by": "telepathy"}]}, "to.0.found_by"),
        ({"to": [{"role": "spy", "found_by": "school"}]}, "to.0.role"),
        ({"to": [{**ROUTE["to"][0], "how_soon": "tomorrow"}]}, "to.0.how_soon"),
        ({"to": [{**ROUTE["to"][0], "by": ["pigeon"]}]}, "to.0.by.0"),
        ({"to": [{**ROUTE["to"][0], "after_hours": 4}]}, "to.0"),
        ({"to": []}, "to"),
        ({"severities": ["mild"]}, "severities.0"),
        ({"footings": ["friend"]}, "footings.0"),
        ({"kinds": ["Lateness!"]}, "kinds.0"),
    ],
)
def test_a_wrong_route_is_refused_and_its_place_named(wrong: dict[str, Any], at: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Routes.model_validate({"version": 1, "routes": [{**ROUTE, **wrong}]})

    places = [".".join(map(str, error["loc"])) for error in refused.value.errors()]
    assert places[0] == f"routes.0.{at}"


def test_two_routes_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="two routes have the name one"):
        Routes.model_validate({"version": 1, "routes": [ROUTE, ROUTE]})
