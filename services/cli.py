"""The `firstbell` command: parse, call, print."""

import asyncio
import os
import sys
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from rich.console import Console
from rich.table import Table
from sqlalchemy import select, update

from libs.common import migrations, outbox
from libs.common.auth import ADMIN, Issuer
from libs.common.consumer import DeadLetter
from libs.common.database import Database
from libs.common.eventlog import Message
from libs.common.identifiers import id_of
from libs.common.logs import configure
from libs.common.school_day import utc_now
from libs.common.settings import ServiceSettings
from services import demo as showing
from services import evaluate as evaluating
from services import evaluate_report
from services import published as publishing
from services import simulate as simulating
from services import up as house

app = typer.Typer(no_args_is_help=True, help="Early warning for school attendance.")
token_app = typer.Typer(no_args_is_help=True, help="Issue a token from the embedded issuer's key.")
dead_app = typer.Typer(no_args_is_help=True, help="Records that could not be handled.")
published_app = typer.Typer(no_args_is_help=True, help="The Department's published attendance.")
app.add_typer(token_app, name="token")
app.add_typer(dead_app, name="dead-letters")
app.add_typer(published_app, name="published")

Data = Annotated[Path, typer.Option(help="Folder of an embedded installation.")]
Lifetime = Annotated[int, typer.Option("--hours", min=1, help="How long the token holds.")]
DATA = Path("data")

JSON_HEADERS = {"content-type": "application/json"}
SCHOOL_SCOPES = (
    "registers:write registers:read roll:write roll:read calendar:write calendar:read "
    "bells:read attendance:read rules:read"
)
PRACTITIONER_SCOPES = "alerts:read alerts:write endpoints:write rules:read"
AGENCY_SCOPES = f"{PRACTITIONER_SCOPES} directory:read directory:write"


class Service(StrEnum):
    """One of the three."""

    ingest = "ingest"
    risk = "risk"
    notify = "notify"


@app.command()
def up(
    data: Data = DATA,
    host: str = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
) -> None:
    """Run all three services in one process, with SQLite and the embedded log in one folder."""
    settings = house.embedded(data.resolve())
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    configure(settings.log_level)
    asyncio.run(_migrate(settings, list(Service)))
    typer.echo(f"Firstbell is starting on http://{host}:{port} (data in {settings.data_dir})")
    _run(house.create_app(settings), host, port)


@app.command()
def serve(
    service: Service,
    host: str = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
) -> None:
    """Run one service from the settings in `FIRSTBELL_…` variables."""
    settings = ServiceSettings.from_environment()
    configure(settings.log_level)
    _run(house.mount_all({f"/{service}": house.SERVICES[service](settings)}), host, port)


@app.command()
def migrate(
    services: Annotated[list[Service] | None, typer.Argument(help="All, if none is named.")] = None,
) -> None:
    """Bring the tables of each service up to date."""
    chosen = services or list(Service)
    asyncio.run(_migrate(ServiceSettings.from_environment(), chosen))
    typer.echo(f"Up to date: {', '.join(chosen)}")


@app.command()
def demo(
    schools: Annotated[int, typer.Option(min=1, max=200)] = 20,
    seed: int = 7,
) -> None:
    """Start a stack, push a term of made-up registers, and show who was told what, and why."""
    stay = sys.stdout.isatty() and not os.environ.get("CI")
    showing.run(schools, seed, Console(), stay=stay)


@app.command()
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


@app.command()
def evaluate(
    seeds: Annotated[int, typer.Option(min=1, help="Simulated authorities.")] = 5,
    schools: Annotated[int, typer.Option(min=1, max=200, help="Schools in each.")] = 10,
    page: Annotated[
        Path | None, typer.Option(help="Write tables and plots into this page of Markdown.")
    ] = None,
) -> None:
    """Score the rules on emerging patterns on simulated years with known truth."""
    outcome = evaluating.run(seeds, schools, Console())
    if page is not None:
        said = f"firstbell evaluate --seeds {seeds} --schools {schools} --page docs/{page.name}"
        try:
            evaluate_report.write(page, outcome, f"Written by `{said}`.")
        except (evaluate_report.NoPlots, OSError, ValueError) as error:
            raise typer.BadParameter(str(error), param_hint="--page") from None


@token_app.command("school")
def token_school(
    urn: Annotated[list[str], typer.Option(help="A school's URN; may be given again.")],
    data: Data = DATA,
    hours: Lifetime = 24,
) -> None:
    """For a school or its MIS: registers, roll, calendar, and its own bells."""
    _print_token(data, hours, f"school {' '.join(urn)}", scope=SCHOOL_SCOPES, urns=urn)


@token_app.command("practitioner")
def token_practitioner(
    id: Annotated[str, typer.Option(help="The practitioner's id.")],
    data: Data = DATA,
    hours: Lifetime = 24,
) -> None:
    """For a practitioner: their own alerts and endpoints."""
    scope = PRACTITIONER_SCOPES
    _print_token(data, hours, f"practitioner {id}", scope=scope, practitioner=id)


@token_app.command("agency")
def token_agency(
    id: Annotated[str, typer.Option(help="The agency's id.")],
    data: Data = DATA,
    hours: Lifetime = 24,
) -> None:
    """For an agency's system: its people's alerts, its endpoints, the directory."""
    _print_token(data, hours, f"agency {id}", scope=AGENCY_SCOPES, agency=id)


@token_app.command("admin")
def token_admin(data: Data = DATA, hours: Lifetime = 24) -> None:
    """For the operator of an embedded installation: everything."""
    _print_token(data, hours, "admin", scope=ADMIN)


@dead_app.command("list")
def list_dead_letters(data: Data = DATA) -> None:
    """List what was put aside and not yet replayed, with the reasons; no content."""
    table = Table("service", "id", "topic", "partition", "offset", "reason", "put aside at")
    for service, rows in asyncio.run(_dead_letters(_settings(data))).items():
        for row in rows:
            cells = (row.id, row.topic, row.partition, row.offset, row.reason, row.put_aside_at)
            table.add_row(service, *map(str, cells))
    Console().print(table)


@dead_app.command("replay")
def replay_dead_letters(data: Data = DATA) -> None:
    """Publish everything that was put aside to its topic again, in order."""
    count = asyncio.run(_replay(_settings(data)))
    typer.echo(f"{count} record(s) will be published again by the services' relays.")


@published_app.command("load")
def load_published(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, metavar="FILE...")],
    data: Data = DATA,
) -> None:
    """Load the Department's weekly and year-to-date CSV files; a newer edition replaces an older.

    They are the data files of "Pupil attendance in schools" on explore-education-statistics.
    """
    console = Console(stderr=True)
    try:
        loaded = asyncio.run(publishing.load(_settings(data), files, console))
    except publishing.NotLoaded as error:
        typer.echo(f"Not loaded: {error}", err=True)
        raise typer.Exit(1) from None
    for path, count in loaded.items():
        typer.echo(f"{path}: {count} line(s) of figures")


def _run(application: Any, host: str, port: int) -> None:
    uvicorn.run(
        application,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=10,
    )


async def _migrate(settings: ServiceSettings, services: list[Service]) -> None:
    for service in services:
        await migrations.upgrade(service.value, settings.database_url)


def _print_token(data: Path, hours: int, subject: str, **claims: Any) -> None:
    settings = house.embedded(data.resolve())
    issuer = Issuer(settings.data_dir, settings.token_issuer, settings.token_audience)
    typer.echo(issuer.token(subject, timedelta(hours=hours), **claims))


def _settings(data: Path) -> ServiceSettings:
    if (data / "risk.db").exists():
        return house.embedded(data.resolve())
    return ServiceSettings.from_environment()


async def _dead_letters(settings: ServiceSettings) -> dict[str, list[Any]]:
    found = {}
    for service in ("risk", "notify"):
        database = Database(settings.database_url, service)
        async with database.reading() as db:
            query = select(DeadLetter.__table__).where(DeadLetter.replayed_at.is_(None))
            found[service] = list(await db.execute(query.order_by(DeadLetter.id)))
        await database.close()
    return found


async def _replay(settings: ServiceSettings) -> int:
    count = 0
    for service, rows in (await _dead_letters(settings)).items():
        database = Database(settings.database_url, service)
        async with database.transaction() as db:
            messages = [
                (
                    id_of("replay", service, row.id),
                    Message(
                        row.topic, row.key or "", row.value, {"content-type": "application/json"}
                    ),
                )
                for row in rows
            ]
            await outbox.append_messages(db, messages)
            await db.execute(
                update(DeadLetter)
                .where(DeadLetter.id.in_([row.id for row in rows]))
                .values(replayed_at=utc_now())
            )
        await database.close()
        count += len(rows)
    return count
