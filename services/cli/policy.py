"""`firstbell policy`: check the sharing rules, and run their table of cases."""

from pathlib import Path
from typing import Annotated

import typer

from libs.common.school_day import london_day, utc_now
from services.notify import cases, sharing_rules
from services.notify.sharing_rules import NotUsable, SharingRules
from services.notify.vocabulary import KIND_TELLS
from services.risk.catalogue import RULES

policy_app = typer.Typer(no_args_is_help=True, help="Who may see what: the sharing rules.")
Agreement = Annotated[
    Path | None,
    typer.Option(envvar="FIRSTBELL_AGREEMENT", help="The local agreement, if there is one."),
]


@policy_app.command()
def check(agreement: Agreement = None) -> None:
    """Check routes, policies and the local agreement; fail for what it widens and does not say."""
    rules = _read(agreement)
    typer.echo(
        f"version {rules.version}: {len(rules.routes.routes)} routes, "
        f"{len(rules.policies.annotations)} policies, {len(rules.agencies)} added agencies"
    )
    for line in _unrouted(rules):
        typer.echo(f"note: {line}")
    silent = 0
    for one in rules.widenings:
        told = f"acknowledged by {one.acknowledged_by}" if one.acknowledged_by else "NOT SAID"
        typer.echo(f"widens: {one.name} {one.why} ({told})")
        silent += one.acknowledged_by is None
    if silent:
        typer.echo(f"{silent} widening(s) that the agreement's `acknowledged` does not name.")
        raise typer.Exit(1)


@policy_app.command("test")
def run_cases(
    file: Annotated[Path | None, typer.Argument(help="A table of cases; ours if none.")] = None,
    agreement: Agreement = None,
) -> None:
    """Run a table of cases (who, which bell, what is expected), and print the differences."""
    rules = _read(agreement)
    try:
        table = cases.load(file)
    except NotUsable as error:
        raise _refused(error) from None
    today = london_day(utc_now())
    found = [d for case in table.cases if (d := cases.difference(case, rules, today))]
    for line in found:
        typer.echo(line)
    typer.echo(f"{len(table.cases)} case(s), {len(found)} difference(s)")
    if found:
        raise typer.Exit(1)


def _read(agreement: Path | None) -> SharingRules:
    try:
        return sharing_rules.read(agreement)
    except NotUsable as error:
        raise _refused(error) from None


def _refused(error: NotUsable) -> typer.Exit:
    for fault in error.faults:
        typer.echo(fault, err=True)
    return typer.Exit(2)


def _unrouted(rules: SharingRules) -> list[str]:
    """Return kinds of bell that nobody hears of, and kinds in routes that no rule rings."""
    rung = {rule.kind for rule in RULES}
    routed = {kind for route in rules.routes.routes for kind in route.kinds} | set(KIND_TELLS)
    return [
        *(f"no route takes {kind}" for kind in sorted(rung - routed)),
        *(f"no rule rings {kind}" for kind in sorted(routed - rung)),
    ]
