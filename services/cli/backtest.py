"""`firstbell backtest`: changed rules over stored years, beside those in force."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services import backtest as testing
from services import backtest_report
from services.cli.installation import DATA, Data, settings_of
from services.risk.backtest import Window
from services.risk.catalogue import RulesRefused


def backtest(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"])],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"])],
    rules: Annotated[
        Path | None, typer.Option(help="Parameters (TOML) in place of those in force.")
    ] = None,
    rule_file: Annotated[
        list[Path] | None, typer.Option(help="Python file with RULES; may be given again.")
    ] = None,
    urn: Annotated[list[str] | None, typer.Option(help="A school; all, if none is named.")] = None,
    data: Data = DATA,
    json: Annotated[
        typer.FileTextWrite | None, typer.Option(help="Write the figures; - is the output.")
    ] = None,
    csv: Annotated[
        typer.FileTextWrite | None, typer.Option(help="Write the figures; - is the output.")
    ] = None,
) -> None:
    """Run changed rules over stored years beside the rules in force: bells gained, lost, sooner.

    Reads risk's tables, writes nothing there, and tells nobody.
    """
    window = Window(first.date(), last.date())
    if window.first > window.last:
        raise typer.BadParameter("it lies after --to", param_hint="--from")
    if rules is None and not rule_file:
        raise typer.BadParameter("name changed rules with --rules, --rule-file or both")
    console = Console(stderr=True)
    try:
        asked = testing.asked_of(settings_of(data), rules, rule_file or [], window)
        outcome = testing.run(asked, urn or [], console)
    except (RulesRefused, testing.NotTested) as error:
        typer.echo(f"Not tested: {error}", err=True)
        raise typer.Exit(1) from None
    if json is not None:
        backtest_report.write_json(outcome, json)
    if csv is not None:
        backtest_report.write_csv(outcome, csv)
    if "-" not in {file.name for file in (json, csv) if file is not None}:
        console = Console()
    backtest_report.tables(outcome, console)
