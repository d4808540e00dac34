"""Settings: `FIRSTBELL_…` environment variables, checked at start and passed by hand."""

import os
from datetime import time
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "FIRSTBELL_"


class UnknownSetting(ValueError):
    """A `FIRSTBELL_…` variable that no service knows: probably misspelt."""


class SettingsRefused(ValueError):
    """Settings that name something which cannot be used: what, and what would do."""


class ServiceSettings(BaseSettings):
    """What a service needs to run.

    There is no module-level instance: `create_app(settings)` is given one, so a test gives another.
    """

    # What is wrong with a setting is told without it: it may be a key, or hold a password.
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    database_url: str = Field(
        description="SQLAlchemy URL. Each service keeps to its own schema in PostgreSQL; in an "
        "SQLite URL `{service}` stands for the service's name. For TLS to PostgreSQL add "
        "`?sslmode=verify-full&sslrootcert=…`; for a certificate of ours, `&sslcert=…&sslkey=…`.",
    )
    kafka_servers: str | None = Field(
        None, description="Bootstrap servers, host:port[,…]. None: the embedded log in `data_dir`."
    )
    instance: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._-]{1,100}$",
        description="A name that this process has again when it is started again, and no other "
        "process of its service has. Killed and started again, it reads on at once; without a name "
        "when Kafka has given the dead one up, after 10 s.",
    )
    kafka_replication: int = Field(1, gt=0, description="Copies of each topic, when it is made.")
    kafka_ca: Path | None = Field(
        None,
        description="Who vouches for the brokers, PEM; with it connections are TLS.",
    )
    kafka_certificate: Path | None = Field(
        None, description="Our own certificate for the brokers, PEM; needs `kafka_key`."
    )
    kafka_key: Path | None = Field(None, description="Its private key, PEM.")
    kafka_user: str | None = Field(None, description="SASL user; needs `kafka_password`.")
    kafka_password: SecretStr | None = Field(None, description="SASL password; over TLS alone.")
    kafka_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        "SCRAM-SHA-512", description="SASL mechanism."
    )
    tls_certificate: Path | None = Field(
        None, description="The service's certificate, PEM: it serves https. None: http, to a proxy."
    )
    tls_key: Path | None = Field(None, description="Its private key, PEM.")
    tls_client_ca: Path | None = Field(
        None,
        description="Who vouches for clients, PEM: a client without a certificate of theirs is not "
        "connected to at all (mutual TLS).",
    )
    data_dir: Path = Field(Path("data"), description="Where the embedded log and keys are kept.")
    token_issuer: str = Field("firstbell", description="Expected `iss` of bearer tokens.")
    token_audience: str = Field("firstbell", description="Expected `aud` of bearer tokens.")
    jwks_url: str | None = Field(
        None, description="Where the issuer publishes its keys. None: the embedded issuer's key."
    )
    jwks_kept_s: float = Field(
        300.0,
        ge=1,
        le=900,
        description="Seconds after which the issuer's keys are asked for again: so long does a key "
        "that it took back still count.",
    )
    token_algorithms: tuple[str, ...] = Field(("ES256", "RS256"), description="Pinned.")
    secret_key: SecretStr | None = Field(
        None,
        description="Fernet key(s), comma-separated, newest first, that encrypt webhook secrets at "
        "rest. None: a key made on first start in `data_dir`.",
    )
    ledger_key: SecretStr | None = Field(
        None,
        description="Ed25519 private key(s), 32 bytes in base64, comma-separated, newest first, "
        "that sign the ledger's checkpoints. None: a key made on first start in `data_dir`.",
    )
    ledger_checkpoint_s: float = Field(
        60.0, gt=0, description="Seconds between checkpoints of a ledger that has grown."
    )
    ledger_checkpoint_file: Path | None = Field(
        None,
        description="Where checkpoints are written outside the database as well; keep it where who "
        "can change the database cannot write. None: `ledger-checkpoints.jsonl` in `data_dir`.",
    )
    allow_private_endpoints: bool = Field(
        False, description="Let webhooks go to private addresses: a laptop, a closed network."
    )
    delivery_timeout_s: float = Field(
        15.0, gt=0, le=30, description="Seconds in which a receiver must have taken a message."
    )
    verify_endpoints: bool = Field(
        False, description="Whether no alert goes to an endpoint before its owner has verified it."
    )
    egress_proxy: str | None = Field(
        None,
        description="An HTTP proxy through which webhooks go out. It must refuse private addresses "
        "itself.",
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s]+$",
        description="Where people reach Firstbell; links in e-mails and texts begin with it.",
    )
    mail_from: str | None = Field(
        None, pattern=r"^[^\s@]+@[^\s@]+$", description="The address that e-mails come from."
    )
    smtp_host: str | None = Field(
        None, description="Mail server for e-mails. It may stand inside: the operator names it."
    )
    smtp_port: int = Field(587, gt=0, lt=65_536, description="Its port.")
    smtp_tls: Literal["starttls", "implicit", "none"] = Field(
        "starttls", description="How the connection to it is encrypted; its certificate is checked."
    )
    smtp_user: str | None = Field(None, description="Who signs in there. None: nobody.")
    smtp_password: SecretStr | None = Field(None, description="That one's password.")
    govuk_notify_key: SecretStr | None = Field(
        None, min_length=73, description="API key of GOV.UK Notify."
    )
    govuk_notify_url: str | None = Field(
        None, description="Where GOV.UK Notify is. None: where its client has it."
    )
    govuk_notify_email_template: str | None = Field(
        None,
        description="Id of its template for e-mails, with ((subject)) and ((body)). Set: e-mails "
        "go that way and not by SMTP.",
    )
    govuk_notify_text_template: str | None = Field(
        None, description="Id of its template for texts, with ((body))."
    )
    agreement: Path | None = Field(
        None,
        description="The local information-sharing agreement: a YAML file laid over the national "
        "sharing rules (docs/sharing.md). Read again when it changes.",
    )
    request_bytes_max: int = Field(4_000_000, gt=0, description="Largest request body, in bytes.")
    client_calls_per_s: float = Field(
        500.0, gt=0, description="Calls that a client (a token's `sub`) may make, in each process."
    )
    client_calls_at_once: int = Field(
        20_000, gt=0, description="How many of them at once, after a quiet time."
    )
    retry_base_s: float = Field(5.0, gt=0, description="Seconds before a webhook's second attempt.")
    register_due_am: time = Field(
        time(10, 30), description="When a morning's registers are due, in England's time."
    )
    register_due_pm: time = Field(
        time(14, 45), description="When an afternoon's registers are due."
    )
    rules: Path | None = Field(
        None, description="A TOML file of rules' parameters. None: as they are shipped."
    )
    rules_dir: Path | None = Field(
        None, description="A folder with further rules, a Python file each. It is run: trust it."
    )
    retain_registers_years: int = Field(
        6, ge=6, description="Years that register entries are kept: six by law (SI 2024/208)."
    )
    retain_bells_years: int = Field(
        3,
        ge=1,
        description="Past academic years of which bells, alerts and books of marks are kept.",
    )
    retain_deliveries_days: int = Field(
        90, ge=8, description="Days that messages are kept; they are tried for seven."
    )
    retain_receipts_days: int = Field(
        365, ge=30, description="Days that receipts and quarantined marks are kept."
    )
    retain_disclosures_years: int = Field(
        6, ge=1, description="Years that the ledger keeps what was disclosed to whom, and why."
    )
    retain_events_days: int = Field(
        400,
        ge=30,
        description="Days that the event log keeps what was handled; a topic made before keeps its "
        "own retention.",
    )
    log_level: str = Field("INFO", description="Least severe log line written.")
    trace_endpoint: str | None = Field(
        None,
        description="Collector that traces go to, OTLP over HTTP, e.g. http://collector:4318.",
    )
    trace_file: Path | None = Field(
        None, description="File that traces are added to, a span a line; `-`: standard error."
    )
    trace_share: float = Field(
        1.0, ge=0, le=1, description="Share of traces that is kept; the same for every service."
    )

    @model_validator(mode="after")
    def _channels_are_whole(self) -> Self:
        govuk = self.govuk_notify_email_template or self.govuk_notify_text_template
        for by, needed in (
            (self.smtp_host, ("mail_from", "public_url")),
            (govuk, ("govuk_notify_key", "public_url")),
        ):
            missing = [PREFIX + name.upper() for name in needed if getattr(self, name) is None]
            if by is not None and missing:
                raise ValueError(f"e-mails and texts need {' and '.join(missing)} too")
        return self

    @classmethod
    def from_environment(cls) -> Self:
        """Read the environment.

        Raises:
            UnknownSetting: a `FIRSTBELL_…` variable is none of the settings.
        """
        known = {PREFIX + name.upper() for name in cls.model_fields}
        strange = sorted(
            name
            for name in os.environ
            if name.startswith(PREFIX)
            and name not in known
            and not name.startswith(PREFIX + "TEST_")
        )
        if strange:
            raise UnknownSetting(f"no such setting: {', '.join(strange)}; known: {sorted(known)}")
        return cls()


def embedded(data_dir: Path) -> ServiceSettings:
    """Return the settings of a laptop: SQLite and the embedded log in one folder."""
    return ServiceSettings(
        database_url=f"sqlite+aiosqlite:///{data_dir}/{{service}}.db",
        data_dir=data_dir,
        kafka_servers=None,
        jwks_url=None,
        allow_private_endpoints=True,
    )
