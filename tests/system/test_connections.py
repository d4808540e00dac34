"""TLS and SASL to Kafka, TLS to PostgreSQL, mutual TLS for clients: real servers, certificates."""

import asyncio
import os
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from libs.common.database import Database
from libs.common.eventlog import LogUnavailable, Message
from libs.common.eventlog_kafka import KafkaEventLog
from libs.common.events import REGISTERS
from libs.common.settings import ServiceSettings, SettingsRefused
from libs.common.tls import kafka_options
from tests.system.certificates import Authority, Pair
from tests.system.stack import FIRSTBELL, free_port, wait_for

SCRIPTS = Path(__file__).parents[2] / "scripts"
USER, PASSWORD = "firstbell", "a-long-password"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)  # PostgreSQL's own user must get there
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder / "certificates")


@pytest.fixture(scope="module")
def stranger(folder: Path) -> Authority:
    return Authority(folder / "others", "stranger")


@contextmanager
def server(
    name: str, folder: Path, *more: str, env: Mapping[str, str] | None = None
) -> Iterator[str]:
    """A real server in this folder; what its start script prints."""
    try:
        command = [str(SCRIPTS / f"{name}-start"), str(folder), *more]
        done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
        yield done.stdout.strip()
    finally:
        subprocess.run([str(SCRIPTS / f"{name}-stop"), str(folder)], check=False)


KAFKA = """
listeners=PLAINTEXT://127.0.0.1:@PORT@,CONTROLLER://127.0.0.1:@CONTROLLER_PORT@,\
TLS://127.0.0.1:{tls},SASL://127.0.0.1:{sasl}
advertised.listeners=PLAINTEXT://127.0.0.1:@PORT@,CONTROLLER://127.0.0.1:@CONTROLLER_PORT@,\
TLS://127.0.0.1:{tls},SASL://127.0.0.1:{sasl}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,SASL:SASL_SSL
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
listener.name.tls.ssl.client.auth=required
listener.name.sasl.sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
"""


class Kafka:
    """A broker with two doors: one for whom the authority vouches, one for who has a password."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.tls, self.sasl = free_port(), free_port()
        pair = authority.vouch_for("kafka")
        keystore = folder / "kafka.pem"
        keystore.write_bytes(pair.key.read_bytes() + pair.certificate.read_bytes())
        self.properties = folder / "tls.properties"
        self.properties.write_text(
            KAFKA.format(
                tls=self.tls,
                sasl=self.sasl,
                keystore=keystore,
                authority=authority.certificate,
                user=USER,
                password=PASSWORD,
            )
        )


@pytest.fixture(scope="module")
def kafka(folder: Path, authority: Authority) -> Iterator[Kafka]:
    made = Kafka(folder, authority)
    with server("kafka", folder / "kafka", str(made.properties)):
        yield made


def settings_of(**more: Any) -> ServiceSettings:
    return ServiceSettings(database_url="sqlite://", **more)


async def published(port: int, **more: Any) -> list[tuple[int, int]]:
    """Publish a record, and read it back, as the settings connect."""
    options = kafka_options(settings_of(**more))
    log = KafkaEventLog(f"127.0.0.1:{port}", options=options)
    try:
        places = await log.publish([Message(REGISTERS, "100000", b"{}", {})])

        async def from_start(found: Any) -> dict[Any, int]:
            return dict.fromkeys(found, 0)

        subscribed: AsyncIterator[Any] = log.subscribe(f"group-{port}", [REGISTERS], from_start)
        async with asyncio.timeout(30):
            assert [record.value async for record in _first(subscribed)] == [b"{}"]
        return places
    finally:
        await log.close()
        await farewell()


async def farewell() -> None:
    """Let TLS connections end: a loop that ends before them leaves them to some later test."""
    await asyncio.sleep(0.2)


async def _first(batches: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for batch in batches:
        yield batch[0]
        break
    await batches.aclose()  # type: ignore[attr-defined]


@pytest.mark.kafka
async def test_a_certificate_of_ours_opens_kafka_and_none_or_anothers_does_not(
    kafka: Kafka, authority: Authority, stranger: Authority
) -> None:
    ours, others = authority.vouch_for("notify"), stranger.vouch_for("notify")
    trust = {"kafka_ca": authority.certificate}

    shown = {"kafka_certificate": ours.certificate, "kafka_key": ours.key}
    assert await published(kafka.tls, **trust, **shown)
    with pytest.raises(LogUnavailable):
        await published(kafka.tls, **trust)
    strange = {"kafka_certificate": others.certificate, "kafka_key": others.key}
    with pytest.raises(LogUnavailable):
        await published(kafka.tls, **trust, **strange)
    with pytest.raises(LogUnavailable):
        await published(kafka.tls, kafka_ca=stranger.certificate, **shown)


@pytest.mark.kafka
async def test_a_password_opens_kafka_over_tls_and_a_wrong_one_does_not(
    kafka: Kafka, authority: Authority
) -> None:
    trust = {"kafka_ca": authority.certificate, "kafka_user": USER, "kafka_mechanism": "PLAIN"}

    assert await published(kafka.sasl, **trust, kafka_password=PASSWORD)
    with pytest.raises(LogUnavailable):
        await published(kafka.sasl, **trust, kafka_password="another")


def test_a_password_never_goes_to_kafka_in_the_clear() -> None:
    with pytest.raises(SettingsRefused, match="needs TLS"):
        kafka_options(settings_of(kafka_user=USER, kafka_password=PASSWORD))


@pytest.fixture(scope="module")
def postgres(folder: Path, authority: Authority) -> Iterator[str]:
    """A PostgreSQL that takes TLS alone, from whom the authority vouches for."""
    home = folder / "postgres"
    with server("postgres", home):
        pass
    pair = authority.vouch_for("postgres")
    data = home / "data"
    for source, name in ((pair.certificate, "tls.crt"), (pair.key, "tls.key")):
        shutil.copy(source, data / name)
        (data / name).chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(data / name, "postgres", "postgres")
    shutil.copy(authority.certificate, data / "ca.crt")
    (data / "ca.crt").chmod(0o644)
    with (data / "postgresql.conf").open("a") as conf:
        conf.write(
            "ssl = on\nssl_cert_file = 'tls.crt'\n"
            "ssl_key_file = 'tls.key'\nssl_ca_file = 'ca.crt'\n"
        )
    ours = authority.vouch_for("postgres-script")
    hba = "hostssl all all 127.0.0.1/32 trust clientcert=verify-ca\n"
    (data / "pg_hba.conf").write_text(hba)
    ours.key.chmod(0o600)
    # The start script looks whether the server is its own; the tests say what they show themselves.
    shown = {"PGSSLCERT": str(ours.certificate), "PGSSLKEY": str(ours.key)}
    with server("postgres", home, env=os.environ | shown) as printed:
        yield printed.removeprefix("url=")


async def answers(url: str) -> bool:
    """Whether PostgreSQL answers at this URL, over TLS."""
    database = Database(url, "ingest")
    try:
        async with database.reading() as db:
            query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            return bool(await db.scalar(text(query)))
    finally:
        await database.close()
        await farewell()


def url_with(url: str, authority: Path, pair: Pair | None) -> str:
    shown = f"&sslcert={pair.certificate}&sslkey={pair.key}" if pair else ""
    return f"{url}?sslmode=verify-full&sslrootcert={authority}{shown}"


@pytest.mark.postgres
async def test_postgresql_is_reached_by_tls_alone_and_only_if_it_is_the_one_that_is_trusted(
    postgres: str, authority: Authority, stranger: Authority
) -> None:
    ours = authority.vouch_for("ingest")

    assert await answers(url_with(postgres, authority.certificate, ours))
    for wrong in (
        postgres,
        url_with(postgres, stranger.certificate, ours),
        url_with(postgres, authority.certificate, None),
        url_with(postgres.replace("127.0.0.1", "localhost"), authority.certificate, ours),
    ):
        with pytest.raises((SQLAlchemyError, OSError)):
            await answers(wrong)


def test_a_weaker_sslmode_is_refused_and_not_taken_for_a_strong_one() -> None:
    with pytest.raises(SettingsRefused, match="verify-full"):
        Database("postgresql+asyncpg://u@127.0.0.1/firstbell?sslmode=require", "ingest")


def test_a_school_without_a_certificate_gets_no_connection(
    tmp_path: Path, authority: Authority, stranger: Authority
) -> None:
    own, port = authority.vouch_for("ingest-server"), free_port()
    env = {k: v for k, v in os.environ.items() if not k.startswith("FIRSTBELL_")} | {
        "FIRSTBELL_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/{{service}}.db",
        "FIRSTBELL_DATA_DIR": str(tmp_path),
        "FIRSTBELL_TLS_CERTIFICATE": str(own.certificate),
        "FIRSTBELL_TLS_KEY": str(own.key),
        "FIRSTBELL_TLS_CLIENT_CA": str(authority.certificate),
    }
    subprocess.run([FIRSTBELL, "migrate", "ingest"], env=env, check=True)
    command = [FIRSTBELL, "serve", "ingest", "--port", str(port)]
    process = subprocess.Popen(command, env=env)
    url = f"https://127.0.0.1:{port}/ingest/readyz"

    def get(pair: Pair | None) -> int | None:
        context = ssl.create_default_context(cafile=authority.certificate)
        if pair is not None:
            context.load_cert_chain(pair.certificate, pair.key)
        try:
            return httpx.get(url, verify=context).status_code
        except httpx.TransportError:
            return None

    try:
        school = authority.vouch_for("school-100000")
        assert wait_for(lambda: get(school)) == 200

        assert get(None) is None
        assert get(stranger.vouch_for("school-100000")) is None
    finally:
        process.terminate()
        process.wait(15)
