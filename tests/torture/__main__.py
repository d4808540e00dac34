"""`make torture`: real Kafka and PostgreSQL, `kill -9`, outages; and faults that must be found."""

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from tests.torture.planted import DEATHS, FAULTS
from tests.torture.run import Beside, beside, run
from tests.torture.schedule import Blow, kills, outages
from tests.torture.verdict import Verdict
from tests.torture.world import Size, World, world

FULL = Size(schools=12, groups=10, pupils=30, sessions=84)
SMALL = Size(schools=3, groups=4, pupils=15, sessions=20)
PLANTED_S = 8.0
SHOWN = frozenset().union(*(fault.shows_as for fault in FAULTS.values()))
"""Whatever a planted fault is found by."""


def main(
    seed: int = 1,
    kills: Annotated[int, typer.Option(help="`kill -9` of a process, at random.")] = 104,
    gap_s: Annotated[float, typer.Option(help="Seconds from one to the next, on average.")] = 6.0,
    away_s: Annotated[float, typer.Option(help="How long broker and database are away.")] = 60.0,
    planted: Annotated[bool, typer.Option(help="Plant each fault, and see it found.")] = True,
    fault: Annotated[list[str] | None, typer.Option(help="Plant these alone.")] = None,
    harmed: Annotated[bool, typer.Option(help="Strike the house as it is.")] = True,
    keep: Annotated[
        bool, typer.Option(help="Leave the run's folder: ledgers, logs, data.")
    ] = False,
    sessions: int = FULL.sessions,
) -> None:
    """Exit with 1 when anything was lost, doubled or told to the wrong one, or a fault not found.

    The same seed gives the same registers, receivers' moods and schedule. Processes, servers and
    the machine go at their own pace, so what a kill hits can differ from run to run.
    """
    failed = _harmed(seed, kills, gap_s, away_s, sessions, keep) if harmed else False
    failed |= _planted(seed, fault or list(FAULTS)) if planted else False
    raise typer.Exit(int(failed))


def _harmed(seed: int, number: int, gap_s: float, away_s: float, sessions: int, keep: bool) -> bool:
    told = world(seed, FULL._replace(sessions=sessions))
    blows = schedule(seed, number, gap_s * number, away_s)
    over_s = blows[-1].at_s + blows[-1].for_s
    typer.echo(f"seed {seed}: {told.size.marks} marks in {len(told.requests)} registers")
    for blow in blows:
        typer.echo(f"  {blow}")
    expected = _beside(told)
    verdict = run(told, blows, over_s, expected, say=typer.echo, keep=keep, poisoned=True)
    show(verdict)
    return bool(verdict.faults)


def schedule(seed: int, number: int, over_s: float, away_s: float) -> list[Blow]:
    """Return kills, then the broker killed, stopped and away, then the same of the database."""
    struck = kills(seed, number, over_s)
    away = outages(
        over_s + 5,
        *[("kill -9", "kafka", 0.0)] * 2,
        ("SIGSTOP", "kafka", away_s / 3),
        ("kill -9", "kafka", away_s),
        *[("kill -9", "postgres", 0.0)] * 2,
        ("kill -9", "postgres", away_s),
    )
    return [*struck, *away]


def _planted(seed: int, faults: Sequence[str]) -> bool:
    told = world(seed, SMALL)
    expected = _beside(told)
    # What is found without any fault is found with each, and says nothing of it.
    noise = _found_without(seed, told, expected)
    missed = [name for name in faults if not _is_found(name, told, expected)]
    typer.echo(f"{len(faults) - len(missed)} of {len(faults)} planted faults found")
    return bool(missed or noise)


def _found_without(seed: int, told: World, expected: Beside) -> bool:
    blows = kills(seed, DEATHS, PLANTED_S)
    faults = run(told, blows, PLANTED_S, expected, fault="none").faults
    found = {how: some[:3] for how, some in faults.items() if how in SHOWN}
    typer.echo(f"planted none, killed {DEATHS} times: {found or 'nothing found'}")
    return bool(found)


def _is_found(name: str, told: World, expected: Beside) -> bool:
    began = time.monotonic()
    verdict = run(told, [], PLANTED_S, expected, fault=name)
    shows_as = FAULTS[name].shows_as
    found = {how: len(some) for how, some in verdict.faults.items() if how in shows_as}
    took_s = time.monotonic() - began
    typer.echo(f"planted {name}, {took_s:.0f} s: {found or 'NOT FOUND'}")
    return bool(found)


def _beside(told: World) -> Beside:
    began = time.monotonic()
    expected = beside(told)
    typer.echo(f"unharmed house: {time.monotonic() - began:.0f} s")
    return expected


def show(verdict: Verdict) -> None:
    """Print figures, and faults with a few examples."""
    for name, figure in verdict.figures.items():
        typer.echo(f"{name:28} {figure}")
    for name, found in verdict.faults.items():
        typer.echo(f"FAULT {name}: {len(found)}, e.g. {found[:3]}")
    typer.echo("no fault found" if not verdict.faults else "FAILED")


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
