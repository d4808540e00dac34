"""What settings hold in confidence is in nothing that commands say when all goes wrong at DEBUG."""

import os
import subprocess
from pathlib import Path

import pytest
from pydantic import ValidationError

from libs.common.settings import ServiceSettings
from tests.system.stack import FIRSTBELL, free_port

CANARIES = ("DatabaseCanary", "ProxyCanary", "SealCanary", "LedgerCanary", "KafkaCanary")
MAIL_CANARY, GOVUK_CANARY = "MailCanary", "GovukCanary"
COMMANDS = (
    ("doctor",),
    ("migrate",),
    ("serve", "notify"),
)


def wrong_settings(folder: Path) -> dict[str, str]:
    """Return settings with secrets, of which none leads to anything."""
    port = free_port()
    return {
        "FIRSTBELL_DATABASE_URL": f"postgresql+asyncpg://user:{CANARIES[0]}@127.0.0.1:{port}/none",
        "FIRSTBELL_EGRESS_PROXY": f"http://user:{CANARIES[1]}@127.0.0.1:{port}",
        "FIRSTBELL_SECRET_KEY": CANARIES[2],
        "FIRSTBELL_LEDGER_KEY": CANARIES[3],
        "FIRSTBELL_KAFKA_SERVERS": f"127.0.0.1:{port}",
        "FIRSTBELL_KAFKA_USER": "user",
        "FIRSTBELL_KAFKA_PASSWORD": CANARIES[4],
        "FIRSTBELL_DATA_DIR": str(folder),
        "FIRSTBELL_LOG_LEVEL": "DEBUG",
    }


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_tells_a_secret_of_the_settings(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    others = {k: v for k, v in os.environ.items() if not k.startswith("FIRSTBELL_")}
    # As wide as it gets: no secret is broken over two lines.
    env = {**others, **wrong_settings(tmp_path), "COLUMNS": "1000"}

    ran = subprocess.run(
        [FIRSTBELL, *command], env=env, capture_output=True, text=True, timeout=120, check=False
    )

    told = ran.stdout + ran.stderr
    assert ran.returncode != 0
    assert len(told) > 20
    assert not [canary for canary in CANARIES if canary in told]


@pytest.mark.parametrize(
    "wrong",
    [
        {"FIRSTBELL_GOVUK_NOTIFY_KEY": GOVUK_CANARY},
        {"FIRSTBELL_SMTP_HOST": "mail.example.org", "FIRSTBELL_SMTP_PASSWORD": MAIL_CANARY},
        {"FIRSTBELL_RETRY_BASE_S": CANARIES[0]},
    ],
    ids=["too short a key", "mail without a sender", "not a number"],
)
def test_what_is_wrong_with_settings_is_told_without_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wrong: dict[str, str]
) -> None:
    for name, value in {**wrong_settings(tmp_path), **wrong}.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ValidationError) as told:
        ServiceSettings.from_environment()

    assert "Canary" not in str(told.value)
