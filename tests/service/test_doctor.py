"""`firstbell doctor`: what is wrong with a deployment is named, with what to do about it."""

import asyncio
import base64
from pathlib import Path

import pytest
import trustme
from cryptography.fernet import Fernet
from typer.testing import CliRunner, Result

from libs.common import migrations
from libs.common.settings import PREFIX, ServiceSettings
from services.cli import app
from services.doctor import SERVICES
from tests.service.govuk import KEY, Govuk
from tests.service.mail import PASSWORD, USER, MailServer


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in ServiceSettings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)
    monkeypatch.setenv("FIRSTBELL_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/{{service}}.db")
    monkeypatch.setenv("FIRSTBELL_DATA_DIR", str(tmp_path))
    return monkeypatch


def doctor(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["doctor", *arguments])


def url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder}/{{service}}.db"


async def migrated(folder: Path) -> None:
    for service in SERVICES:
        await migrations.upgrade(service, url(folder))


def test_a_misspelt_variable_is_named_with_the_right_one(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("FIRSTBELL_KAFKA_SERVER", "kafka:9092")

    done = doctor()

    assert done.exit_code == 1
    assert "There is no setting FIRSTBELL_KAFKA_SERVER." in done.output
    assert "Rename it to FIRSTBELL_KAFKA_SERVERS." in done.output


def test_a_value_that_is_refused_is_not_repeated(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("FIRSTBELL_REQUEST_BYTES_MAX", "hush")

    done = doctor()

    assert done.exit_code == 1
    assert "FIRSTBELL_REQUEST_BYTES_MAX" in done.output
    assert "hush" not in done.output


def test_tables_that_were_never_made_are_told_of() -> None:
    done = doctor("--only", "migrations")

    assert done.exit_code == 1
    assert done.output.count("Run `firstbell migrate` of this version.") == 3


def test_an_embedded_installation_that_is_well_is_said_to_be(tmp_path: Path) -> None:
    asyncio.run(migrated(tmp_path))

    done = doctor()

    assert done.exit_code == 0, done.output
    assert "WRONG" not in done.output


@pytest.mark.parametrize(
    ("url", "believes_anybody"),
    [
        ("postgresql+asyncpg://u@db.invalid/firstbell", True),
        ("postgresql+asyncpg://u@db.invalid/firstbell?sslmode=disable", False),
        ("postgresql+asyncpg://u@db.invalid/firstbell?sslmode=verify-full", False),
        ("postgresql+asyncpg://u@127.0.0.1:1/firstbell", False),
    ],
)
def test_a_postgresql_elsewhere_that_nobody_checks_is_told_of(
    environment: pytest.MonkeyPatch, url: str, believes_anybody: bool
) -> None:
    environment.setenv("FIRSTBELL_DATABASE_URL", url)

    done = doctor("--only", "database")

    assert ("Whoever answers as PostgreSQL is believed" in done.output) == believes_anybody


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("FIRSTBELL_DATABASE_URL", "postgresql+asyncpg://u:hush@db/x?sslmode=require", "verify"),
        ("FIRSTBELL_KAFKA_CA", "/nowhere/ca.crt", "a TLS file cannot be used: FileNotFoundError"),
        ("FIRSTBELL_TLS_CLIENT_CA", "/nowhere/ca.crt", "needs FIRSTBELL_TLS_CERTIFICATE"),
    ],
)
def test_a_connection_that_cannot_be_made_as_set_is_told_of(
    environment: pytest.MonkeyPatch, variable: str, value: str, why: str
) -> None:
    environment.setenv(variable, value)

    done = doctor()

    assert done.exit_code == 1
    assert why in done.output
    assert "hush" not in done.output


def test_a_broker_that_does_not_answer_is_told_of(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("FIRSTBELL_KAFKA_SERVERS", "127.0.0.1:1")

    done = doctor("--only", "kafka")

    assert done.exit_code == 1
    assert "Kafka does not answer" in done.output


@pytest.mark.parametrize(
    ("variable", "right"),
    [
        ("FIRSTBELL_SECRET_KEY", Fernet.generate_key().decode()),
        ("FIRSTBELL_LEDGER_KEY", base64.b64encode(bytes(32)).decode()),
    ],
    ids=["secret", "ledger"],
)
def test_a_key_that_is_none_is_told_of_and_not_shown(
    environment: pytest.MonkeyPatch, variable: str, right: str
) -> None:
    environment.setenv(variable, "not-a-key")
    wrong = doctor("--only", "keys")
    environment.setenv(variable, right)

    assert wrong.exit_code == 1
    assert f"{variable} is not such a key." in wrong.output
    assert "not-a-key" not in wrong.output
    assert f"{variable} can be used." in doctor("--only", "keys").output


async def test_a_mail_server_that_lets_us_in_is_found_and_one_that_does_not(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    environment.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with MailServer(authority=authority) as server:
        by_mail = {
            "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(server.port), "SMTP_USER": USER,
            "MAIL_FROM": "firstbell@example.org", "PUBLIC_URL": "https://firstbell.example.org",
        }  # fmt: skip
        for name, value in by_mail.items():
            environment.setenv(PREFIX + name, value)
        environment.setenv("FIRSTBELL_SMTP_PASSWORD", "another")
        shut = await asyncio.to_thread(doctor, "--only", "mail")
        environment.setenv("FIRSTBELL_SMTP_PASSWORD", PASSWORD)
        opened = await asyncio.to_thread(doctor, "--only", "mail")

    assert (shut.exit_code, opened.exit_code) == (1, 0)
    assert "The mail server lets us in." in opened.output
    assert "FIRSTBELL_SMTP_" in shut.output
    assert "another" not in shut.output


def test_a_key_that_govuk_notify_knows_is_found_and_one_that_it_does_not(
    environment: pytest.MonkeyPatch,
) -> None:
    with Govuk() as there:
        environment.setenv("FIRSTBELL_GOVUK_NOTIFY_URL", there.url())
        environment.setenv("FIRSTBELL_GOVUK_NOTIFY_KEY", KEY)
        known = doctor("--only", "mail")
        environment.setenv("FIRSTBELL_GOVUK_NOTIFY_KEY", KEY[:-1] + "9")
        strange = doctor("--only", "mail")

    assert "GOV.UK Notify knows the key." in known.output
    assert "GOV.UK Notify answers 403." in strange.output
    assert (known.exit_code, strange.exit_code) == (0, 1)


def test_half_a_way_for_e_mails_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("FIRSTBELL_SMTP_HOST", "mail.example.org")

    done = doctor()

    assert done.exit_code == 1
    assert "FIRSTBELL_MAIL_FROM and FIRSTBELL_PUBLIC_URL" in done.output
