"""Pure: what a restriction on a child's record keeps from whom. It beats every permit."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from services.notify.routing import Person
from services.notify.vocabulary import FIELDS, Field

RestrictionKind = Literal["relative", "address_withheld", "adoption", "more_detrimental", "other"]

KEPT_BACK: dict[str, tuple[Field, ...]] = {
    "relative": FIELDS,
    "address_withheld": ("school", "sessions", "practitioners"),
    "adoption": ("identifier", "footing", "practitioners"),
    "more_detrimental": FIELDS,
    "other": FIELDS,
}
"""The fields that a kind of restriction keeps back when it names none.

Where the child can be found is told by the school and by when they are in it; that a child is
adopted, by numbers and people of before.
"""


def restricted_for(person: Person, restrictions: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the fields that a child's restrictions keep from a person."""
    fields: set[str] = set()
    for one in restrictions:
        whom = {("practitioner", one.get("practitioner")), ("agency", one.get("agency"))}
        named = {(what, id) for what, id in whom if id is not None}
        if not named or named & {("practitioner", person.id), ("agency", person.agency)}:
            fields.update(one.get("fields") or KEPT_BACK[one["kind"]])
    return frozenset(fields)
