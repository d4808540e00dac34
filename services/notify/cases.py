"""A table of cases for the sharing rules: who, which bell, and what is expected to be seen."""

from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.notify.restrictions import RestrictionKind, restricted_for
from services.notify.routing import Capacity, Person, Recipient
from services.notify.sharing import Asked, Decision
from services.notify.sharing_rules import SharingRules, national_text, read_model, text_of
from services.notify.vocabulary import FIELDS, AgencyKind, Footing, Role, Severity
from services.notify.vocabulary import Field as FieldName

NATIONAL = "cases.yaml"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Who(_Part):
    """Who would be told; with a footing they work with the child."""

    agency_kind: AgencyKind
    role: Role
    footing: Footing | None = None
    at_once: bool = False


class Which(_Part):
    """The bell, and on which footings others work with the child."""

    kind: str
    severity: Severity
    footings: tuple[Footing, ...] = ()
    restrictions: tuple[RestrictionKind, ...] = ()
    approved: bool = False


class Case(_Part):
    """One case. `fields` or `withheld` says what is seen; the other follows."""

    name: str
    who: Who
    bell: Which
    on: date | None = Field(None, description="The day; today if not given.")
    expect: str = Field(pattern="^(shared|withheld|awaiting_approval)$")
    fields: tuple[FieldName, ...] | None = None
    withheld: tuple[FieldName, ...] | None = None

    @model_validator(mode="after")
    def _says_what_is_seen(self) -> "Case":
        if self.expect == "withheld":
            if self.fields or self.withheld:
                raise ValueError("of a bell that is withheld no field is seen: name none")
        elif (self.fields is None) == (self.withheld is None):
            raise ValueError("give `fields` or `withheld`, one of the two")
        return self

    @property
    def expected(self) -> list[str]:
        """The fields that are seen, or would be once approved."""
        if self.withheld is not None:
            return [field for field in FIELDS if field not in self.withheld]
        return [field for field in FIELDS if field in (self.fields or ())]


class Cases(_Part):
    """The file."""

    cases: tuple[Case, ...] = Field(min_length=1)


def load(path: Path | None = None) -> Cases:
    """Read a table of cases; the one that ships with the policies if none is named.

    Raises:
        NotUsable: it is wrong; its place is named.
    """
    if path is None:
        return read_model(Cases, NATIONAL, national_text(NATIONAL))
    return read_model(Cases, str(path), text_of(path))


def difference(case: Case, rules: SharingRules, today: date) -> str | None:
    """Return how the decision differs from what is expected; None: not at all."""
    decision = _decide(case, rules, case.on or today)
    if decision.verdict != case.expect:
        return f"{case.name}: expected {case.expect}, decided {decision.verdict}"
    seen = decision.fields or decision.awaiting
    more = [field for field in seen if field not in case.expected]
    less = [field for field in case.expected if field not in seen]
    told = [f"also {', '.join(more)}"] if more else []
    told += [f"not {', '.join(less)}"] if less else []
    return f"{case.name}: {'; '.join(told)}" if told else None


def _decide(case: Case, rules: SharingRules, day: date) -> Decision:
    who, bell = case.who, case.bell
    person = Person("one", frozenset({who.role}), "agency", who.agency_kind, frozenset(), None)
    capacity = Capacity(who.role, who.footing is not None, who.footing or "none", who.at_once)
    footings = {*bell.footings, *({who.footing} if who.footing else ())}
    restricted = restricted_for(person, [{"kind": kind} for kind in bell.restrictions])
    asked = Asked(bell.kind, bell.severity, frozenset(footings), restricted, bell.approved)
    return rules.policies.decide(Recipient(person, (capacity,)), asked, day)
