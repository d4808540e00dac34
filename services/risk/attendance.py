"""Pure: sessions possible, attended and missed, and the rates that the Department publishes.

Source: DfE, Pupil absence statistics: methodology. Overall absence is sessions missed over possible
sessions; persistent is 10 % or more of a pupil's own possible sessions, severe 50 % or more. As
there, enrolments are counted: a pupil of two schools counts in each, and nobody without a possible
session counts.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from pydantic import BaseModel, Field

from libs.common.school_day import academic_year_label, academic_year_of
from services.risk.attendance_counts import Counts, Tally, by_enrolment, by_week
from services.risk.attendance_terms import Name, Term
from services.risk.published_lines import Published

PUPILS_MIN = 10
"""Figures that rest on fewer pupils could tell of one; only who speaks for the school sees them."""

Whole = int | None
Rate = float | None


class Figures(BaseModel):
    """Sessions possible and missed; every figure is null where it is suppressed."""

    pupils: Whole = Field(description="Enrolments with at least one possible session.")
    sessions_possible: Whole
    attended: Whole
    authorised: Whole
    unauthorised: Whole
    late: Whole = Field(description="Attended late (L), and absent by arriving too late (U).")
    absence_rate: Rate = Field(description="Missed over possible; null without any.")
    authorised_rate: Rate = Field(description="Authorised absence over possible.")
    unauthorised_rate: Rate = Field(description="Unauthorised absence over possible.")


class Week(Figures):
    """Sessions in one week."""

    starts_on: date = Field(description="Its Monday.")
    absence_rate_to_date: Rate = Field(
        description="From the academic year's (or the answer's) first session to this week."
    )


class Span(Figures):
    """Sessions in a span of time, and how many pupils missed many of their own."""

    persistent: Whole = Field(description="Pupils who missed 10 % or more of their own sessions.")
    severe: Whole = Field(description="Pupils who missed 50 % or more of their own sessions.")
    persistent_rate: Rate = Field(description="Persistent over pupils.")
    severe_rate: Rate = Field(description="Severe over pupils.")


class TermSpan(Span):
    """One term by the official statistics' dates: spring ends with Easter Sunday."""

    academic_year: str = Field(description="As people write it: 2026-27.")
    term: Name
    starts_on: date
    ends_on: date
    year_to_date: Span = Field(description="From the academic year's start to this term's end.")


class Attendance(Span):
    """Sessions possible and missed, of one pupil or of many."""

    suppressed: bool = Field(
        description=f"Figures are null where they rest on fewer than {PUPILS_MIN} pupils."
    )
    schools: int = Field(description="Schools whose books were added up.")
    weeks: list[Week]
    terms: list[TermSpan]
    published: list[Published] = Field(
        [], description="The Department's figures beside, by phase; none where none are loaded."
    )


def summary(
    tallies: Sequence[Tally], *, one_pupil: bool = False, pupils_min: int = 0
) -> Attendance:
    """Add up schools' counts.

    Args:
        one_pupil: each tally is of the same pupil, who counts once.
        pupils_min: figures that rest on fewer pupils, but some, become null.
    """
    terms, weeks = by_enrolment(tallies), by_week(tallies)
    if one_pupil:
        terms = {term: own.sum(axis=1, keepdims=True) for term, own in terms.items()}
        weeks = {monday: np.append(own[:5], min(own[5], 1)) for monday, own in weeks.items()}
    whole = _span(_added(list(terms.values())), pupils_min)
    shown = _weeks(weeks, pupils_min)
    return Attendance(
        **whole,
        suppressed=whole["pupils"] is None or any(week.pupils is None for week in shown),
        schools=len(tallies),
        weeks=shown,
        terms=_terms(terms, pupils_min),
    )


def _weeks(weeks: Mapping[date, Counts], pupils_min: int) -> list[Week]:
    shown, year = [], 0
    so_far = np.zeros(5, np.int64)
    for monday, counts in weeks.items():
        if not counts[0]:
            continue
        if academic_year_of(monday) != year:
            year, so_far = academic_year_of(monday), np.zeros(5, np.int64)
        so_far = so_far + counts[:5]
        figures = _figures(counts[:5], int(counts[5]), pupils_min)
        to_date = None if figures["pupils"] is None else _rate(so_far[2] + so_far[3], so_far[0])
        shown.append(Week(starts_on=monday, absence_rate_to_date=to_date, **figures))
    return shown


def _terms(terms: Mapping[Term, Counts], pupils_min: int) -> list[TermSpan]:
    return [
        TermSpan(
            **_span(own, pupils_min),
            academic_year=academic_year_label(term.academic_year),
            term=term.name,
            starts_on=term.span[0],
            ends_on=term.span[1],
            year_to_date=Span(**_span(_added(_until(terms, term)), pupils_min)),
        )
        for term, own in terms.items()
        if own[0].any()
    ]


def _until(terms: Mapping[Term, Counts], last: Term) -> list[Counts]:
    year = last.academic_year
    return [own for term, own in terms.items() if term.academic_year == year and term <= last]


def _added(parts: Sequence[Counts]) -> Counts:
    return np.sum(parts, axis=0) if parts else np.zeros((5, 0), np.int64)


def _span(own: Counts, pupils_min: int) -> dict[str, Any]:
    """Return the figures of these pupils, whose counts have the shape (5, P)."""
    possible, missed = own[0], own[2] + own[3]
    held = possible > 0
    pupils = int(held.sum())
    figures = _figures(own.sum(axis=1), pupils, pupils_min)
    persistent = int((held & (missed * 10 >= possible)).sum())
    severe = int((held & (missed * 2 >= possible)).sum())
    many = {
        "persistent": persistent,
        "severe": severe,
        "persistent_rate": _rate(persistent, pupils),
        "severe_rate": _rate(severe, pupils),
    }
    return figures | (dict.fromkeys(many) if figures["pupils"] is None else many)


def _figures(counts: Counts, pupils: int, pupils_min: int) -> dict[str, Any]:
    possible, attended, authorised, unauthorised, late = (int(n) for n in counts)
    figures = {
        "pupils": pupils,
        "sessions_possible": possible,
        "attended": attended,
        "authorised": authorised,
        "unauthorised": unauthorised,
        "late": late,
        "absence_rate": _rate(authorised + unauthorised, possible),
        "authorised_rate": _rate(authorised, possible),
        "unauthorised_rate": _rate(unauthorised, possible),
    }
    return dict.fromkeys(figures) if 0 < pupils < pupils_min else figures


def _rate(part: int, whole: int) -> Rate:
    return round(int(part) / int(whole), 4) if whole else None
