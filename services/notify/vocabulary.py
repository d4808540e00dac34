"""The words of the directory and of sharing, once: roles, kinds of agency, footings, fields."""

from typing import Annotated, Literal

from pydantic import StringConstraints

ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
Name = Annotated[str, StringConstraints(pattern=ID)]
"""The id of a practitioner or an agency."""

ChannelKind = Literal["webhook", "email", "text", "feed"]
"""How an endpoint is reached."""

Role = Literal[
    "attendance_lead", "safeguarding_lead", "headteacher", "attendance_officer",
    "virtual_school_head", "send_officer", "social_worker", "youth_justice_worker",
    "police_contact", "school_nurse",
]  # fmt: skip
AgencyKind = Literal[
    "school", "trust", "local_authority", "social_care", "police", "health", "youth_justice"
]
Footing = Literal[
    "child_protection_plan", "child_in_need", "looked_after", "youth_justice", "early_help",
    "missing_or_exploitation_risk", "none",
]  # fmt: skip
Severity = Literal["notice", "warning", "urgent"]
Field = Literal[
    "name", "date_of_birth", "upn", "identifier", "year_group", "school", "pattern", "sessions",
    "codes", "reason", "comment", "health", "footing", "practitioners", "explanation", "evidence",
]  # fmt: skip
FIELDS: tuple[Field, ...] = (
    "name",
    "date_of_birth",
    "upn",
    "identifier",
    "year_group",
    "school",
    "pattern",
    "sessions",
    "codes",
    "reason",
    "comment",
    "health",
    "footing",
    "practitioners",
    "explanation",
    "evidence",
)
"""What can be told of a bell about a child, decided one by one.

`pattern` is the bell's kind, severity and figures; `sessions` their dates; `codes` the symbols of
the marks and `reason` what they mean; `comment` the school's free text; `health` whatever says that
the child is ill; `footing` on what footing agencies work with the child, and `practitioners` who.
"""

HEALTH_KINDS = frozenset({"health-absence", "sickness-return"})
URGENT_KINDS = frozenset({"unexplained-absence", "missing-education"})
"""Kinds that ring because a child may be in danger: nobody may silence them, however they ring."""
EXACT_KINDS = frozenset({
    "unexplained-absence", "reason-overdue", "ten-days-unauthorised", "sickness-return",
    "penalty-threshold", "persistent-absence", "severe-absence", "missing-education",
    "register-missing",
})  # fmt: skip
"""Kinds that count, and do not surmise: no other bell swallows them, and no limit."""
HEALTH_CODES = frozenset({"I", "M"})
"""Codes that say that the child is ill or at a medical appointment."""

KIND_TELLS: dict[str, frozenset[Field]] = {
    "health-absence": frozenset({"health"}),
    "sickness-return": frozenset({"health"}),
    "unexplained-absence": frozenset({"footing"}),
}
"""Fields that the kind alone gives away: `unexplained-absence` rings only for a child who has a
social worker or youth justice worker. Who may not see them is not told of the bell at all."""
