"""`firstbell simulate`: a made-up authority's year as files, ready to be pushed."""

import json
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from libs.simulator import Authority, Register, School, simulate

COLUMNS = (TextColumn("Days"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


def line_of(school: School, register: Register) -> dict[str, Any]:
    """Return a register as a line of the NDJSON stream."""
    group = {} if register.group is None else {"group": register.group}
    return {
        "urn": school.urn,
        "date": register.day.isoformat(),
        "session": str(register.session),
        **group,
        "marks": register.marks,
    }


def lines_of(schools: Iterable[School], first: date, last: date) -> Iterator[bytes]:
    """Yield the schools' registers from `first` to `last` in order of sending, as NDJSON lines."""
    made = [
        ((register.sent_on, register.day, register.session), school.urn, line_of(school, register))
        for school in schools
        for register in school.registers(first, last)
    ]
    made.sort(key=lambda one: one[:2])
    for _, _, line in made:
        yield json.dumps(line).encode() + b"\n"


def write(seed: int, academic_year: int, place: tuple[str, int], out: Path) -> None:
    """Write an authority's year into a folder: see `firstbell simulate --help`.

    Args:
        place: the authority's three digits, and how many schools it has.
    """
    la, count = place
    console = Console(stderr=True)
    with console.status("Making up pupils and their year"):
        authority = simulate(seed, academic_year, count, la)
    out.mkdir(parents=True, exist_ok=True)
    _json(out / "involvements.json", authority.involvements)
    _json(out / "truth.json", _truth(authority))
    for school in authority.schools:
        folder = out / school.urn
        folder.mkdir(exist_ok=True)
        _json(folder / "roll.json", {"pupils": school.roll})
        _json(folder / "calendar.json", school.calendar)
    days = [date(academic_year, 8, 1) + timedelta(n) for n in range(366)]
    with (
        Progress(*COLUMNS, console=console) as progress,
        (out / "registers.ndjson").open("wb") as file,
    ):
        # A day at a time: the registers of a large authority's year would not fit into memory.
        for day in progress.track(days):
            file.writelines(lines_of(authority.schools, day, day))


def _truth(authority: Authority) -> list[dict[str, str]]:
    return [
        {name: str(value) for name, value in episode._asdict().items()}
        for episode in authority.truth
    ]


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
