"""Settings: read from the environment, and a misspelt one is named before anything starts."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from libs.common.settings import PREFIX, ServiceSettings, UnknownSetting


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ServiceSettings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)
    monkeypatch.setenv("FIRSTBELL_DATABASE_URL", "sqlite+aiosqlite:///{service}.db")
    return monkeypatch


def test_a_misspelt_variable_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("FIRSTBELL_KAFKA_SERVER", "kafka:9092")

    with pytest.raises(UnknownSetting, match="no such setting: FIRSTBELL_KAFKA_SERVER; known"):
        ServiceSettings.from_environment()


def test_a_missing_one_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("FIRSTBELL_DATABASE_URL")

    with pytest.raises(ValidationError, match="database_url"):
        ServiceSettings.from_environment()


def test_what_is_not_ours_is_left_alone(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("FIRSTBELL_TEST_KAFKA", "kafka:9092")
    environment.setenv("KAFKA_SERVER", "kafka:9092")

    ServiceSettings.from_environment()


def test_every_kind_of_value_can_be_given(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("FIRSTBELL_TOKEN_ALGORITHMS", '["RS256"]')
    environment.setenv("FIRSTBELL_DATA_DIR", "/srv/firstbell")
    environment.setenv("FIRSTBELL_ALLOW_PRIVATE_ENDPOINTS", "true")
    environment.setenv("FIRSTBELL_REQUEST_BYTES_MAX", "1000")

    settings = ServiceSettings.from_environment()

    assert settings.token_algorithms == ("RS256",)
    assert settings.data_dir == Path("/srv/firstbell")
    assert settings.allow_private_endpoints
    assert settings.request_bytes_max == 1000


@pytest.mark.parametrize("size", ["0", "-1", "many"])
def test_a_senseless_value_is_refused(environment: pytest.MonkeyPatch, size: str) -> None:
    environment.setenv("FIRSTBELL_REQUEST_BYTES_MAX", size)

    with pytest.raises(ValidationError, match="request_bytes_max"):
        ServiceSettings.from_environment()


def test_a_secret_is_not_shown_by_accident(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("FIRSTBELL_SECRET_KEY", "hush")

    assert "hush" not in repr(ServiceSettings.from_environment())
