"""Checks of a deployment, each with what to do about what it finds; nothing is changed."""

import base64
import difflib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import httpx
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from cryptography.fernet import Fernet
from notifications_python_client.errors import HTTPError
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from libs.common import migrations, tls
from libs.common.database import Database
from libs.common.events import DEAD_LETTERS, TOPICS
from libs.common.school_day import utc_now
from libs.common.settings import PREFIX, ServiceSettings, SettingsRefused, UnknownSetting
from services.notify.channels.govuk_notify import GovukNotify
from services.notify.channels.smtp import Smtp

SERVICES = ("ingest", "risk", "notify")
CLOCK_APART_MAX_S = 2.0
"""Tokens allow 30 s; webhooks' receivers 5 min. More than this says that a clock is not kept."""


class Finding(NamedTuple):
    """What a check found: `remedy` is None when all is well."""

    check: str
    what: str
    remedy: str | None = None


def settings_or_findings() -> ServiceSettings | list[Finding]:
    """Return the environment's settings, or what is wrong with them; no value is repeated."""
    try:
        settings = ServiceSettings.from_environment()
        tls.check(settings)
        return settings
    except SettingsRefused as refused:
        return [Finding("settings", f"Refused: {refused}.", "See docs/deploy.md, Who may connect.")]
    except UnknownSetting:
        return [_misspelt(name) for name in sorted(os.environ) if _is_unknown(name)]
    except ValidationError as error:
        return [
            Finding(
                "settings",
                "".join(f"{PREFIX}{str(name).upper()}: " for name in fault["loc"][:1])
                + fault["msg"],
                "Set it as libs/common/settings.py describes it.",
            )
            for fault in error.errors()
        ]


def _known() -> list[str]:
    return [PREFIX + name.upper() for name in ServiceSettings.model_fields]


def _is_unknown(name: str) -> bool:
    ours = name.startswith(PREFIX) and not name.startswith(PREFIX + "TEST_")
    return ours and name not in _known()


def _misspelt(name: str) -> Finding:
    near = difflib.get_close_matches(name, _known(), 1)
    remedy = f"Rename it to {near[0]}." if near else "Remove it: no service starts with it."
    return Finding("settings", f"There is no setting {name}.", remedy)


async def check_database(settings: ServiceSettings) -> AsyncIterator[Finding]:
    """Whether each service's database answers."""
    for service in SERVICES:
        try:
            await _answer(settings, service, "SELECT 1")
        except (SQLAlchemyError, OSError) as error:
            remedy = "See that the server runs, and that FIRSTBELL_DATABASE_URL names it rightly."
            what = f"{service}'s database does not answer: {type(error).__name__}."
            yield Finding("database", what, remedy)
        else:
            yield Finding("database", f"{service}'s database answers.")
    if not settings.database_url.startswith("sqlite") and tls.is_unverified(settings.database_url):
        what = "Whoever answers as PostgreSQL is believed: its certificate is not checked."
        remedy = (
            "Add ?sslmode=verify-full&sslrootcert=… to FIRSTBELL_DATABASE_URL, or sslmode=disable "
            "where the way there is closed to others."
        )
        yield Finding("database", what, remedy)


async def check_migrations(settings: ServiceSettings) -> AsyncIterator[Finding]:
    """Whether each service's tables are as this version expects them."""
    for service in SERVICES:
        try:
            ready = await migrations.are_far_enough(service, settings.database_url)
        except (DBAPIError, OSError):
            ready = False
        if ready:
            yield Finding("migrations", f"{service}'s tables are up to date.")
        else:
            what = f"{service}'s tables are missing or of another version."
            yield Finding("migrations", what, "Run `firstbell migrate` of this version.")


async def check_kafka(settings: ServiceSettings) -> AsyncIterator[Finding]:
    """Whether Kafka answers and has the topics."""
    if settings.kafka_servers is None:
        yield Finding("kafka", "None is set: the embedded log, in one folder, for one machine.")
        return
    try:
        there = await _topics(settings)
    except (KafkaError, OSError) as error:
        what = f"Kafka does not answer: {type(error).__name__}."
        remedy = "See that it runs and that FIRSTBELL_KAFKA_SERVERS is what it advertises."
        yield Finding("kafka", what, remedy)
        return
    wanted = {name for topic in TOPICS for name in (topic, topic + DEAD_LETTERS)}
    missing = sorted(wanted - there)
    if missing:
        what = f"Topics are missing: {', '.join(missing)}."
        yield Finding("kafka", what, "Start a service that may create them, or create them.")
    else:
        how = "in the clear" if settings.kafka_ca is None else "over TLS"
        yield Finding("kafka", f"Kafka answers, {how}, and has all {len(wanted)} topics.")


async def check_clock(settings: ServiceSettings) -> AsyncIterator[Finding]:
    """Whether this clock and the database's agree."""
    if settings.database_url.startswith("sqlite"):
        yield Finding("clock", "One machine, one clock.")
        return
    try:
        there = await _answer(settings, "ingest", "SELECT clock_timestamp()")
    except (SQLAlchemyError, OSError):
        yield Finding("clock", "Not compared: the database does not answer.", "Mend that first.")
        return
    assert isinstance(there, datetime)
    apart_s = abs((utc_now() - there).total_seconds())
    what = f"This clock and the database's are {apart_s:.1f} s apart."
    wrong = apart_s > CLOCK_APART_MAX_S
    yield Finding("clock", what, "Let both keep time by NTP." if wrong else None)


async def check_keys(settings: ServiceSettings) -> AsyncIterator[Finding]:
    """Whether keys that are set can be used, and the issuer's can be had."""
    for name, is_key in (("secret_key", _is_fernet), ("ledger_key", _is_ed25519)):
        secret, variable = getattr(settings, name), PREFIX + name.upper()
        if secret is None:
            made = f"{variable} is not set: a key in {settings.data_dir} is used."
            remedy = f"Set {variable}: else each process or machine has its own."
            yield Finding("keys", made, remedy if settings.kafka_servers else None)
        elif not all(is_key(one.strip()) for one in secret.get_secret_value().split(",")):
            remedy = "Make one as docs/deploy.md says."
            yield Finding("keys", f"{variable} is not such a key.", remedy)
        else:
            yield Finding("keys", f"{variable} can be used.")
    if settings.jwks_url is None:
        yield Finding("keys", "Tokens are the embedded issuer's: FIRSTBELL_JWKS_URL is not set.")
        return
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            keys = len((await client.get(settings.jwks_url)).raise_for_status().json()["keys"])
        yield Finding("keys", f"The token issuer publishes {keys} key(s).")
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        what = f"The token issuer's keys cannot be fetched: {type(error).__name__}."
        yield Finding("keys", what, "See FIRSTBELL_JWKS_URL, and the way from here to it.")


async def check_mail(settings: ServiceSettings) -> AsyncIterator[Finding]:
    """Whether the mail server lets us in, and GOV.UK Notify knows the key; nothing is sent."""
    if settings.smtp_host is None and settings.govuk_notify_key is None:
        yield Finding("mail", "None is set: alerts go to webhooks and feeds alone.")
    if settings.smtp_host is not None:
        smtp = Smtp(settings)
        try:
            await smtp.sign_in()
        except Exception as error:
            remedy = "See FIRSTBELL_SMTP_…, the way from here to it, and its certificate."
            yield Finding("mail", f"E-mails cannot go out: {smtp.fault_of(error)}.", remedy)
        else:
            yield Finding("mail", "The mail server lets us in.")
    if settings.govuk_notify_key is not None:
        govuk = GovukNotify(settings, "text")
        try:
            await govuk.status_of(UUID(int=0))
        except HTTPError as error:
            what = f"GOV.UK Notify answers {error.status_code}."
            yield Finding("mail", what, "See FIRSTBELL_GOVUK_NOTIFY_KEY, and the way to it.")
        else:
            yield Finding("mail", "GOV.UK Notify knows the key.")
        finally:
            await govuk.close()


Check = Callable[[ServiceSettings], AsyncIterator[Finding]]

CHECKS: Mapping[str, Check] = {
    "database": check_database,
    "migrations": check_migrations,
    "kafka": check_kafka,
    "clock": check_clock,
    "keys": check_keys,
    "mail": check_mail,
}


async def examine(settings: ServiceSettings, only: str | None = None) -> list[Finding]:
    """Run every check, or one, and return what they found."""
    chosen = [CHECKS[only]] if only else list(CHECKS.values())
    return [finding for check in chosen async for finding in check(settings)]


async def wait_until_well(
    examined: Callable[[], Awaitable[list[Finding]]],
    wait_s: float,
    pause: Callable[[float], Awaitable[None]],
) -> list[Finding]:
    """Look again, a second between, until all is well or `wait_s` seconds have passed."""
    end = time.monotonic() + wait_s
    while True:
        findings = await examined()
        if all(f.remedy is None for f in findings) or time.monotonic() >= end:
            return findings
        await pause(1.0)


def _is_fernet(key: str) -> bool:
    try:
        Fernet(key)
    except ValueError:
        return False
    return True


def _is_ed25519(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 32
    except ValueError:
        return False


async def _answer(settings: ServiceSettings, service: str, question: str) -> object:
    database = Database(settings.database_url, service)
    try:
        async with database.reading() as db:
            answer: object = await db.scalar(text(question))
            return answer
    finally:
        await database.close()


async def _topics(settings: ServiceSettings) -> set[str]:
    options = {"request_timeout_ms": 5_000, **tls.kafka_options(settings)}
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_servers, **options)
    try:
        await admin.start()
        return set(await admin.list_topics())
    finally:
        await admin.close()
