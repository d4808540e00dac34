"""`firstbell demo`, `simulate` and `evaluate`: made-up schools."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services import demo as showing
from services import evaluate as evaluating
from services import evaluate_report
from services import simulate as simulating


def demo(
    schools: Annotated[int, typer.Option(min=1, max=200)] = 20,
    seed: int = 7,
) -> None:
    """Start a stack, push a term of made-up registers, and show who was told what, and why."""
    stay = sys.stdout.isatty() and not os.environ.get("CI")
    showing.run(schools, seed, Console(), stay=stay)


def simulate(
    out: Annotated[Path, typer.Option(help="Folder to write into.")],
    seed: Annotated[int, typer.Option(min=0)] = 7,
    academic_year: Annotated[int, typer.Option(min=2024, max=2100)] = 2025,
    schools: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    la: Annotated[str, typer.Option(help="The authority's three digits.")] = "330",
) -> None:
    """Write a made-up authority's year: registers, rolls, calendars, involvements and the truth.

    In OUT: registers.ndjson in order of sending, URN/roll.json and
    URN/calendar.json for each school, involvements.json by UPN (add a
    practitioner to each), and truth.json, the patterns that were put in. Push
    a past year without telling anybody:

    T=$(firstbell token admin); H="Authorization: Bearer $T"
    cd OUT; B=http://127.0.0.1:8000/ingest/v1
    for urn in 1*; do
    curl -X PUT -H "$H" --json @$urn/roll.json $B/schools/$urn/roll
    curl -X PUT -H "$H" --json @$urn/calendar.json $B/schools/$urn/calendar/2025
    done
    N="Content-Type: application/x-ndjson"
    curl -X POST -H "$H" -H "$N" -T registers.ndjson "$B/registers?mode=backfill"
    """
    simulating.write(seed, academic_year, (la, schools), out)


def evaluate(
    seeds: Annotated[int, typer.Option(min=1, help="Simulated authorities.")] = 5,
    schools: Annotated[int, typer.Option(min=1, max=200, help="Schools in each.")] = 10,
    page: Annotated[
        Path | None, typer.Option(help="Write tables and plots into this page of Markdown.")
    ] = None,
) -> None:
    """Score the rules on emerging patterns on simulated years with known truth."""
    # Where nobody looks, nothing is cut to a screen's width.
    console = Console(width=None if sys.stdout.isatty() else 150)
    outcome = evaluating.run(seeds, schools, console)
    if page is not None:
        said = f"firstbell evaluate --seeds {seeds} --schools {schools} --page docs/{page.name}"
        try:
            evaluate_report.write(page, outcome, f"Written by `{said}`.")
        except (evaluate_report.NoPlots, OSError, ValueError) as error:
            raise typer.BadParameter(str(error), param_hint="--page") from None
