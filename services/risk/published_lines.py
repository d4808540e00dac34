"""Pure: the Department's published figures as lines to hold an area's own beside."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, Field

from libs.common.school_day import academic_year_label

Phase = Literal["primary", "secondary", "special", "total"]
PHASES: tuple[Phase, ...] = ("primary", "secondary", "special", "total")
Rate = float | None


class Line(BaseModel):
    """Published rates of one area, from 0 to 1; null: suppressed, or not published."""

    name: str = Field(description="England, the region or the authority.")
    absence_rate: Rate
    authorised_rate: Rate
    unauthorised_rate: Rate
    persistent_rate: Rate
    severe_rate: Rate


class Place(BaseModel):
    """Where the authority's published rate lies among its region's."""

    rank: int = Field(description="1: the least absence in the region.")
    authorities: int = Field(description="Authorities of the region with a figure, itself too.")
    lower_quartile: float = Field(description="Of the other authorities.")
    median: float
    upper_quartile: float
    from_median: float = Field(description="Its rate less the others' median.")


class Neighbours(BaseModel):
    """How far an authority lies from the others of its region, by the Department's figures."""

    region: str
    absence_rate: Place | None
    persistent_rate: Place | None


class PublishedWeek(BaseModel):
    """Published overall absence in one week."""

    starts_on: date = Field(description="Its Monday.")
    national: Rate
    authority: Rate


class Published(BaseModel):
    """The Department's figures for one phase: the academic year to date, and its weeks."""

    phase: Phase
    academic_year: str | None = Field(
        description="Of the figures to date: the year asked for, else the latest before it."
    )
    national: Line | None
    region: Line | None
    authority: Line | None
    neighbours: Neighbours | None
    weeks: list[PublishedWeek]


class Year(NamedTuple):
    """What is stored of one academic year, for England and one authority's region."""

    academic_year: int
    rows: Sequence[Any]
    """Rows of `StoredPublished`, of all phases."""


def published(
    year: Year | None, weeks: Iterable[Any], la: str | None, phases: Sequence[Phase] = PHASES
) -> list[Published]:
    """Return the lines of each phase of which anything is published.

    Args:
        weeks: weekly rows of England and of this authority, oldest first.
        la: the authority's three digits; None: not known, so the national line alone.
    """
    weekly = list(weeks)
    found = []
    for phase in phases:
        rows = [row for row in (year.rows if year else ()) if row.phase == phase]
        own = [row for row in weekly if row.phase == phase]
        if rows or own:
            found.append(_published(phase, year, rows, own, la))
    return found


def _published(
    phase: Phase, year: Year | None, rows: Sequence[Any], weeks: Sequence[Any], la: str | None
) -> Published:
    authorities = [row for row in rows if row.level == "la"]
    authority = next((row for row in authorities if row.la == la), None)
    region = next((row for row in rows if row.level == "region"), None)
    return Published(
        phase=phase,
        academic_year=academic_year_label(year.academic_year) if year and rows else None,
        national=_line(next((row for row in rows if row.level == "national"), None)),
        region=_line(region),
        authority=_line(authority),
        neighbours=_neighbours(authority, authorities, region),
        weeks=_weeks(weeks),
    )


def _line(row: Any | None) -> Line | None:
    return None if row is None else Line(**{name: getattr(row, name) for name in Line.model_fields})


def _weeks(rows: Sequence[Any]) -> list[PublishedWeek]:
    weeks: dict[date, dict[str, Rate]] = {}
    for row in rows:
        level = "national" if row.level == "national" else "authority"
        weeks.setdefault(row.starts_on, {"national": None, "authority": None})
        weeks[row.starts_on][level] = row.absence_rate
    return [PublishedWeek(starts_on=monday, **rates) for monday, rates in sorted(weeks.items())]


def _neighbours(own: Any | None, every: Sequence[Any], region: Any | None) -> Neighbours | None:
    if own is None:
        return None
    places = {
        name: place(
            getattr(own, name),
            [
                rate
                for row in every
                if row.area != own.area and (rate := getattr(row, name)) is not None
            ],
        )
        for name in ("absence_rate", "persistent_rate")
    }
    return Neighbours(region=own.region if region is None else region.name, **places)


def place(rate: Rate, others: Sequence[float]) -> Place | None:
    """Return where a rate lies among others; None without it, or without others."""
    if rate is None or not others:
        return None
    lower, median, upper = (round(float(q), 6) for q in np.quantile(others, (0.25, 0.5, 0.75)))
    return Place(
        rank=1 + sum(other < rate for other in others),
        authorities=1 + len(others),
        lower_quartile=lower,
        median=median,
        upper_quartile=upper,
        from_median=round(rate - median, 6),
    )
