"""TLS: who is trusted, and who we are, for Kafka, for PostgreSQL, and for those who call us."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import URL, make_url

from libs.common.settings import ServiceSettings, SettingsRefused

LIBPQ = ("sslmode", "sslrootcert", "sslcert", "sslkey")
"""What a PostgreSQL URL says of TLS, in libpq's own words."""
ON_THIS_MACHINE = (None, "localhost", "127.0.0.1", "::1")


def context_of(
    authority: Path | None, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """Return what checks a server's certificate and its name, and shows ours if there is one.

    Args:
        authority: who vouches for the server, PEM; None: whom this machine trusts.

    Raises:
        SettingsRefused: a file is not there, or is no such thing.
    """
    try:
        made = ssl.create_default_context(cafile=authority)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate is not None:
            made.load_cert_chain(certificate, key)
    except OSError as error:  # ssl's errors are among them
        raise SettingsRefused(f"a TLS file cannot be used: {type(error).__name__}") from None
    return made


def kafka_options(settings: ServiceSettings) -> dict[str, Any]:
    """Return how every client of Kafka connects, in aiokafka's words.

    Raises:
        SettingsRefused: a password would go out in the clear, or a file cannot be used.
    """
    options: dict[str, Any] = {}
    if settings.kafka_ca is not None:
        options["security_protocol"] = "SSL"
        options["ssl_context"] = context_of(
            settings.kafka_ca, settings.kafka_certificate, settings.kafka_key
        )
    if settings.kafka_user is not None and settings.kafka_password is not None:
        if settings.kafka_ca is None:
            raise SettingsRefused("a Kafka password needs TLS: set FIRSTBELL_KAFKA_CA too")
        options["security_protocol"] = "SASL_SSL"
        options["sasl_mechanism"] = settings.kafka_mechanism
        options["sasl_plain_username"] = settings.kafka_user
        options["sasl_plain_password"] = settings.kafka_password.get_secret_value()
    return options


def postgres_tls(url: str) -> tuple[URL, Mapping[str, Any]]:
    """Return a PostgreSQL URL without what it says of TLS, and the driver's arguments for that.

    Without `sslmode` the driver takes TLS if it is offered, and checks nobody's name.

    Raises:
        SettingsRefused: `sslmode` is another than `verify-full`, the one that nobody in between
            gets past, or `disable`; or a file cannot be used.
    """
    whole = make_url(url)
    said = {name: str(whole.query[name]) for name in LIBPQ if name in whole.query}
    bare, mode = whole.difference_update_query(LIBPQ), said.get("sslmode")
    if mode is None and said:
        raise SettingsRefused("FIRSTBELL_DATABASE_URL names TLS files: add sslmode=verify-full")
    if mode in (None, "disable"):
        return bare, {"ssl": mode} if mode else {}
    if mode != "verify-full":
        raise SettingsRefused("write sslmode=verify-full into FIRSTBELL_DATABASE_URL, or none")
    files = [Path(said[name]) if name in said else None for name in LIBPQ[1:]]
    return bare, {"ssl": context_of(*files)}


def is_unverified(url: str) -> bool:
    """Whether a PostgreSQL on another machine is spoken to whoever it is, and nobody said so."""
    whole = make_url(url)
    return "sslmode" not in whole.query and whole.host not in ON_THIS_MACHINE


def check(settings: ServiceSettings) -> None:
    """Look whether connections can be made as the settings say; nothing is connected to.

    Raises:
        SettingsRefused: they cannot.
    """
    if not settings.database_url.startswith("sqlite"):
        postgres_tls(settings.database_url)
    kafka_options(settings)
    server_options(settings)


def server_options(settings: ServiceSettings) -> dict[str, Any]:
    """Return how a service listens, in uvicorn's words: https, and to whom, if settings say so."""
    if settings.tls_certificate is None:
        if settings.tls_client_ca is not None:
            raise SettingsRefused("mutual TLS needs FIRSTBELL_TLS_CERTIFICATE too")
        return {}
    context_of(settings.tls_client_ca, settings.tls_certificate, settings.tls_key)
    options: dict[str, Any] = {
        "ssl_certfile": str(settings.tls_certificate),
        "ssl_keyfile": settings.tls_key and str(settings.tls_key),
    }
    if settings.tls_client_ca is not None:
        options |= {"ssl_ca_certs": str(settings.tls_client_ca), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    return options
