"""Pure: the Department's files of published attendance, read row by row.

Source: DfE, Pupil attendance in schools, data files "year to date" and "weekly" as published on
explore-education-statistics. Files of 2022 say `school_type` for `education_phase`.
"""

import csv
import math
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, TextIO

from libs.common.school_day import academic_year_of
from services.risk.published_lines import Phase

MISSING = frozenset({"c", "z", "x", "u", "low", ":", "~", ""})
"""Symbols for: confidential, not applicable, not available, unreliable, and nothing at all."""
LEVELS = {"National": "national", "Regional": "region", "Local authority": "la"}
PHASES: dict[str, Phase] = {
    "Primary": "primary", "Secondary": "secondary", "Special": "special", "Total": "total",
}  # fmt: skip
RATES = {
    "absence_rate": "overall_absence_perc",
    "authorised_rate": "authorised_absence_perc",
    "unauthorised_rate": "unauthorised_absence_perc",
}
PHASE_COLUMNS = ("education_phase", "school_type")
NEEDED = (
    "time_period", "time_identifier", "geographic_level", "country_code", "country_name",
    "region_code", "region_name", "new_la_code", "la_name", "old_la_code", *RATES.values(),
)  # fmt: skip
MANY = {
    "persistent_rate": ("pa_perc", "enrolments_pa_10_exact_percent"),
    "severe_rate": ("severe_perc", "enrolments_pa_50_exact_percent"),
}
"""Columns that some files have, under either name."""
CODE = re.compile(r"E[0-9]{8}")
LA = re.compile(r"[0-9]{3}")
ROUNDING = 0.0015
"""How far the published parts may lie from their sum: percentages of one decimal."""

Row = dict[str, Any]
"""A row of `StoredPublished`."""


class Unloadable(Exception):
    """A file, or a line of it, that is not as the Department publishes it."""


def rows_of(lines: TextIO) -> Iterator[Row]:
    """Yield each line's figures.

    Raises:
        Unloadable: with the line and the column that is at fault.
    """
    reader = csv.DictReader(lines, strict=True)
    seen: dict[tuple[Any, ...], int] = {}
    try:
        phase = _phase_column(reader.fieldnames or ())
        for line in reader:
            row = _row(line, phase)
            key = (row["period"], row["starts_on"], row["area"], row["phase"])
            if key in seen:
                raise Unloadable(f"the same area, phase and time as line {seen[key]}")
            seen[key] = reader.line_num
            yield row
    except UnicodeDecodeError as error:
        raise Unloadable("not UTF-8 text: save the file as CSV in UTF-8") from error
    except (csv.Error, Unloadable) as error:
        # The inner reader's: DictReader counts a line only when it has been read.
        raise Unloadable(f"line {max(1, reader.reader.line_num)}: {error}") from error
    if not seen:
        raise Unloadable("no line of figures")


def _phase_column(columns: Any) -> str:
    missing = [name for name in NEEDED if name not in columns]
    phase = next((name for name in PHASE_COLUMNS if name in columns), None)
    if phase is None:
        missing.append(" or ".join(PHASE_COLUMNS))
    if missing:
        raise Unloadable(f"columns are missing: {', '.join(missing)}")
    if "attendance_date" in columns:
        raise Unloadable("figures of single days: load a weekly or a year-to-date file")
    return str(phase)


def _row(line: Mapping[str, str], phase: str) -> Row:
    if None in line or None in line.values():
        raise Unloadable("more or fewer cells than there are columns")
    level = _known(line, "geographic_level", LEVELS)
    period, starts_on = _period(line)
    rates = {name: _rate(line, column) for name, column in RATES.items()}
    for name, columns in MANY.items():
        column = next((one for one in columns if one in line), None)
        rates[name] = None if column is None else _rate(line, column)
    _check_sum(rates)
    return {
        "period": period,
        "starts_on": starts_on,
        "phase": _known(line, phase, PHASES),
        "academic_year": academic_year_of(starts_on),
        "level": level,
        **_place(line, level),
        **rates,
    }


def _place(line: Mapping[str, str], level: str) -> Row:
    part = {"national": "country", "region": "region", "la": "new_la"}[level]
    area, name = _code(line, f"{part}_code"), line[f"{part.removeprefix('new_')}_name"]
    la = line["old_la_code"] if level == "la" else None
    if la is not None and not LA.fullmatch(la):
        raise Unloadable(f"old_la_code: {la[:20]!r} is not three digits")
    region = None if level == "national" else _code(line, "region_code")
    return {"area": area, "la": la, "region": region, "name": name[:100]}


def _code(line: Mapping[str, str], column: str) -> str:
    if not CODE.fullmatch(line[column]):
        raise Unloadable(f"{column}: {line[column][:20]!r} is not E and eight digits")
    return line[column]


def _period(line: Mapping[str, str]) -> tuple[str, date]:
    time, kind = line["time_period"], line["time_identifier"]
    try:
        if kind == "Academic year" and len(time) == 6:
            starts_on = date(int(time[:4]), 8, 1)
            if int(time[4:]) == (starts_on.year + 1) % 100:
                return "year", starts_on
        if kind.startswith("Week ") and len(time) == 4:
            return "week", date.fromisocalendar(int(time), int(kind[5:]), 1)
    except ValueError:
        pass
    raise Unloadable(
        f"time_period and time_identifier: {time[:20]!r}, {kind[:20]!r} are neither an academic "
        "year (202526, Academic year) nor a week (2025, Week 37)"
    )


def _rate(line: Mapping[str, str], column: str) -> float | None:
    text = line[column].strip()
    if text in MISSING:
        return None
    try:
        percent = float(text)
    except ValueError:
        percent = math.nan
    if not 0 <= percent <= 100:
        raise Unloadable(f"{column}: {text[:20]!r} is no percentage")
    return round(percent / 100, 6)


def _check_sum(rates: Mapping[str, float | None]) -> None:
    whole, *parts = (rates[name] for name in RATES)
    known = [part for part in parts if part is not None]
    if whole is not None and len(known) == 2 and abs(whole - sum(known)) > ROUNDING:
        raise Unloadable("authorised and unauthorised absence do not add up to overall absence")


def _known(line: Mapping[str, str], column: str, known: Mapping[str, str]) -> str:
    if line[column] not in known:
        raise Unloadable(f"{column}: {line[column][:20]!r} is none of {', '.join(known)}")
    return known[line[column]]
