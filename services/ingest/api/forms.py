"""Bodies and answers of the roll and the calendar."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from libs.common.problems import InvalidRequest
from libs.common.school_day import Day, Session, academic_year_label, academic_year_of
from services.ingest.api.parts import RejectedMark
from services.ingest.roll import fault_of_terms

PUPIL = {
    "upn": "B801200005001",
    "given_name": "Ada",
    "family_name": "Example",
    "date_of_birth": "2014-02-03",
    "year_group": "7",
    "group": "7A",
    "entered_on": "2025-09-01",
    "home_la": "801",
    "identifiers": {"social_care": "LCS-81"},
}


class RollIn(BaseModel):
    """A school's whole roll: pupils left out are taken off it."""

    model_config = ConfigDict(extra="forbid")

    pupils: list[Any] = Field(
        min_length=1,
        max_length=20_000,
        examples=[[PUPIL]],
        description="`upn`, `given_name`, `family_name`, `date_of_birth`, `year_group`, "
        "`entered_on`, and if known `group`, `left_on`, `home_la`, `identifiers` by agency kind, "
        "`household`, and `brought`: `academic_year`, sessions `possible`, `authorised` and "
        "`unauthorised` at former schools, from the common transfer file. A pupil that cannot "
        "be read is rejected, the others are taken.",
    )


class RollReceipt(BaseModel):
    """What became of a roll."""

    receipt: UUID
    accepted: int
    corrected: int
    unchanged: int
    removed: int
    rejected: list[RejectedMark]


class TermIn(BaseModel):
    """A stretch of school days, both ends included."""

    model_config = ConfigDict(extra="forbid")

    starts_on: Day
    ends_on: Day


class ClosureIn(BaseModel):
    """A day, or one session of it, on which the school is closed."""

    model_config = ConfigDict(extra="forbid")

    date: Day
    session: Session | None = None
    reason: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")


class CalendarIn(BaseModel):
    """When a school is open in an academic year."""

    model_config = ConfigDict(extra="forbid")

    terms: list[TermIn] = Field(min_length=1, max_length=20)
    closed: list[ClosureIn] = Field([], max_length=400)

    @model_validator(mode="after")
    def _in_order(self) -> "CalendarIn":
        fault = fault_of_terms([(term.starts_on, term.ends_on) for term in self.terms])
        if fault or any((t.ends_on - t.starts_on).days > 366 for t in self.terms):
            raise ValueError(fault or "a term is longer than a year")
        return self


CALENDAR = {
    "terms": [{"starts_on": "2026-09-02", "ends_on": "2026-10-23"}],
    "closed": [{"date": "2026-09-02", "reason": "INSET day"}],
}


def check_year(calendar: CalendarIn, academic_year: int) -> None:
    """Refuse a calendar with a day outside its academic year.

    Raises:
        InvalidRequest: with the first such day's place.
    """
    days = [(["terms", n, "starts_on"], term.starts_on) for n, term in enumerate(calendar.terms)]
    days += [(["terms", n, "ends_on"], term.ends_on) for n, term in enumerate(calendar.terms)]
    days += [(["closed", n, "date"], closed.date) for n, closed in enumerate(calendar.closed)]
    for place, day in days:
        if academic_year_of(day) != academic_year:
            why = f"not in the academic year {academic_year_label(academic_year)}"
            raise InvalidRequest("Mend the date.", errors=[{"at": ["body", *place], "why": why}])


class CalendarReceipt(BaseModel):
    """What became of a calendar."""

    receipt: UUID
    revision: int
    changed: bool


def _one_year(label: str) -> str:
    start, _, end = label.partition("-")
    if end and int(end) % 100 != (int(start) + 1) % 100:
        raise ValueError("an academic year ends in the year after it starts, e.g. 2026-27")
    return start


AcademicYear = Annotated[
    str,
    Path(
        pattern=r"^20[0-9]{2}(-(20)?[0-9]{2})?$",
        description="E.g. 2026-27.",
        examples=["2026-27"],
    ),
    AfterValidator(_one_year),
]
