"""`firstbell doctor`: is this deployment as it should be, and if not, what is to be done?"""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from services.doctor import Finding, examine, settings_or_findings, wait_until_well


class Check(StrEnum):
    """One of the checks; `services.doctor.CHECKS` has each under this name."""

    database = "database"
    migrations = "migrations"
    kafka = "kafka"
    clock = "clock"
    keys = "keys"
    mail = "mail"


def doctor(
    only: Annotated[Check | None, typer.Option(help="This check alone.")] = None,
    wait_s: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for all to be well, e.g. for migrations.")
    ] = 0,
) -> None:
    """Check settings, database, migrations, Kafka, clock, keys, mail; say what to do. 1 if ill."""
    settings = settings_or_findings()
    if isinstance(settings, list):
        findings = settings
    else:
        findings = asyncio.run(
            wait_until_well(lambda: examine(settings, only), wait_s, asyncio.sleep)
        )
    for finding in findings:
        typer.echo(_line(finding))
    if any(finding.remedy for finding in findings):
        raise typer.Exit(1)


def _line(finding: Finding) -> str:
    if finding.remedy is None:
        return f"ok    {finding.check}: {finding.what}"
    return f"WRONG {finding.check}: {finding.what}\n      {finding.remedy}"
