"""`firstbell token`: tokens from the embedded issuer's key."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from libs.common.auth import ADMIN, Issuer
from libs.common.settings import embedded
from services.cli.installation import DATA, Data

token_app = typer.Typer(no_args_is_help=True, help="Issue a token from the embedded issuer's key.")

Lifetime = Annotated[int, typer.Option("--hours", min=1, help="How long the token holds.")]

SCHOOL_SCOPES = (
    "registers:write registers:read roll:write roll:read calendar:write calendar:read "
    "bells:read attendance:read rules:read"
)
PRACTITIONER_SCOPES = "alerts:read alerts:write endpoints:write rules:read"
AGENCY_SCOPES = f"{PRACTITIONER_SCOPES} directory:read directory:write"
AREA_SCOPES = "bells:read attendance:read rules:read area"


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


@token_app.command("area")
def token_area(
    la: Annotated[list[str], typer.Option(help="A local authority's code; may be given again.")],
    data: Data = DATA,
    hours: Lifetime = 24,
) -> None:
    """For a local authority's systems: its schools' bells and attendance, and its own figures."""
    _print_token(data, hours, f"area {' '.join(la)}", scope=AREA_SCOPES, las=la)


@token_app.command("admin")
def token_admin(data: Data = DATA, hours: Lifetime = 24) -> None:
    """For the operator of an embedded installation: everything."""
    _print_token(data, hours, "admin", scope=ADMIN)


def _print_token(data: Path, hours: int, subject: str, **claims: Any) -> None:
    settings = embedded(data.resolve())
    issuer = Issuer(settings.data_dir, settings.token_issuer, settings.token_audience)
    typer.echo(issuer.token(subject, timedelta(hours=hours), **claims))
