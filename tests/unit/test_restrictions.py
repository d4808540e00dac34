"""What a restriction keeps from whom."""

import pytest

from services.notify.restrictions import restricted_for
from services.notify.routing import Person
from services.notify.vocabulary import FIELDS

SAM = Person("sam", frozenset(), "care", "social_care", frozenset(), None)
EVERYTHING = " ".join(FIELDS)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("relative", EVERYTHING),
        ("more_detrimental", EVERYTHING),
        ("other", EVERYTHING),
        ("address_withheld", "school sessions practitioners"),
        ("adoption", "identifier footing practitioners"),
    ],
)
def test_each_kind_keeps_back_its_fields_if_it_names_none(kind: str, fields: str) -> None:
    assert restricted_for(SAM, [{"kind": kind}]) == set(fields.split())
    assert restricted_for(SAM, [{"kind": kind, "fields": ["name"]}]) == {"name"}


@pytest.mark.parametrize(
    ("whom", "holds"),
    [
        ({}, True),
        ({"practitioner": "sam"}, True),
        ({"practitioner": "eve"}, False),
        ({"agency": "care"}, True),
        ({"agency": "elm"}, False),
        ({"practitioner": "eve", "agency": "care"}, True),
        ({"practitioner": "sam", "agency": "elm"}, True),
        ({"practitioner": "care"}, False),
        ({"practitioner": None, "agency": None}, True),
    ],
)
def test_it_holds_for_whom_it_names_and_without_a_name_for_everybody(
    whom: dict[str, str], holds: bool
) -> None:
    assert bool(restricted_for(SAM, [{"kind": "other", **whom}])) is holds


def test_several_hold_together() -> None:
    two = [{"kind": "other", "fields": ["name"]}, {"kind": "adoption", "agency": "care"}]

    assert restricted_for(SAM, two) == {"name", "identifier", "footing", "practitioners"}


def test_without_any_nothing_is_kept_back() -> None:
    assert restricted_for(SAM, []) == frozenset()
