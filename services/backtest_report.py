"""What came of a backtest, as tables for people, and as JSON and CSV."""

import csv
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TextIO

from rich import box
from rich.console import Console
from rich.table import Table

from services.backtest import Outcome
from services.risk.backtest_tally import Tally

BELLS = (
    "current", "new", "gained", "lost", "renamed", "current_burden", "new_burden", "both", "sooner",
    "later", "days_sooner",
)  # fmt: skip
WARNINGS = (
    "crossing", "current_warned", "new_warned", "current_days_before", "new_days_before",
)  # fmt: skip
HEADS = {
    "current": "now", "renamed": "other\nkind", "current_burden": "burden\nnow",
    "new_burden": "burden\nnew", "days_sooner": "days\nsooner", "crossing": "to 10 %",
    "current_warned": "warned\nnow", "new_warned": "warned\nnew",
    "current_days_before": "days before,\nnow", "new_days_before": "days before,\nnew",
}  # fmt: skip
SHOWN = tuple(name for name in BELLS if name != "both")
NAME_WIDTH_MIN = 12
SHOWN_MAX = 20
"""Most schools in the table for people; the files have all."""


class Row(NamedTuple):
    """One line of figures."""

    level: str
    """`all`, `kind`, `year group` or `school`."""
    name: str
    figures: Mapping[str, float | None]


def rows_of(outcome: Outcome) -> Iterator[Row]:
    """Yield the figures of all schools, then by kind, year group and school."""
    total = outcome.total
    yield Row("all", "", _all_of(total))
    for kind in total.kinds:
        yield Row("kind", kind, total.figures(kind))
    for level, tallies in (("year group", outcome.year_groups()), ("school", outcome.schools())):
        for name, tally in tallies.items():
            yield Row(level, name, _all_of(tally))


def tables(outcome: Outcome, console: Console) -> None:
    """Print what came of it; of many schools those with the most bells gained and lost."""
    rows = list(rows_of(outcome))
    changes = Table("kind", "now", "new", title="Compared, by version", box=box.SIMPLE)
    for kind, versions in versions_of(outcome).items():
        changes.add_row(kind, *versions)
    console.print(changes)
    of_kinds = [
        row._replace(name=row.name or "all") for row in rows if row.level in ("kind", "all")
    ]
    console.print(_table("Bells, by kind (burden: per 1,000 pupils a week)", of_kinds, SHOWN))
    schools = [row for row in rows if row.level == "school"]
    schools.sort(key=lambda row: -(row.figures["gained"] or 0) - (row.figures["lost"] or 0))
    groups = [row for row in rows if row.level == "year group"]
    for title, some in (("year group", groups), ("school", schools[:SHOWN_MAX])):
        left_out = f" ({len(schools) - SHOWN_MAX} more are left out)" * (
            some is not groups and len(schools) > SHOWN_MAX
        )
        console.print(_table(f"Bells, by {title}{left_out}", some, SHOWN))
    crossing = [row for row in of_kinds if row.level == "all"] + groups
    console.print(_table("Pupils who came to 10 %, and were told of before", crossing, WARNINGS))


def write_json(outcome: Outcome, file: TextIO) -> None:
    """Write everything as one JSON object."""
    window = outcome.asked.window
    body: dict[str, Any] = {
        "from": window.first.isoformat(),
        "to": window.last.isoformat(),
        "rules": {
            kind: {"current": current or None, "new": new or None}
            for kind, (current, new) in versions_of(outcome).items()
        },
        "rows": [{"level": row.level, "name": row.name, **row.figures} for row in rows_of(outcome)],
    }
    json.dump(body, file, indent=1)
    file.write("\n")


def write_csv(outcome: Outcome, file: TextIO) -> None:
    """Write every row of figures as a line; an empty field: there is nothing to tell it of."""
    lines = csv.DictWriter(file, ["level", "name", *BELLS, *WARNINGS], lineterminator="\n")
    lines.writeheader()
    for row in rows_of(outcome):
        lines.writerow({"level": row.level, "name": row.name, **row.figures})


def versions_of(outcome: Outcome) -> dict[str, tuple[str, str]]:
    """Return each compared kind's versions, current and new; empty: it is not among the rules."""
    current, new = (
        {rule.kind: rule.version for rule in rules} for rules in outcome.asked.compared()
    )
    return {
        kind: (current.get(kind, ""), new.get(kind, ""))
        for kind in sorted(current.keys() | new.keys())
    }


def _all_of(tally: Tally) -> dict[str, float | None]:
    return tally.figures() | tally.warnings()


def _table(title: str, rows: list[Row], names: tuple[str, ...]) -> Table:
    table = Table(title=title, box=box.SIMPLE, padding=(0, 0, 0, 1), pad_edge=False)
    # On a narrow terminal the names are folded, and the figures stay whole.
    table.add_column(min_width=NAME_WIDTH_MIN, overflow="fold")
    for name in names:
        table.add_column(HEADS.get(name, name), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row.name or row.level, *(_cell(row.figures[name], name) for name in names))
    return table


def _cell(value: float | None, name: str) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if name.endswith("burden") else f"{value:g}"
