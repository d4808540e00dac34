"""The AsyncAPI document: up to date, whole, and true of real events."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import jsonschema
import pytest
import yaml

from libs.common import asyncapi
from libs.common.event_records import message_of
from libs.common.events import (
    TOPICS,
    Bell,
    BellChanged,
    CalendarSet,
    Closure,
    Event,
    Involvement,
    InvolvementsSet,
    RegisterTaken,
    RollChanged,
    RollPupil,
    Term,
)
from libs.common.school_day import Session

COMMITTED = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"
DAY = date(2026, 9, 14)
NOW = datetime(2026, 9, 14, 8, 50, tzinfo=UTC)
ADA = "B801200005001"
EVENTS = [
    RegisterTaken(
        occurred_at=NOW, urn="100000", day=DAY, session=Session.am, group=None, revision=1,
        upns=[ADA], codes=["L"], minutes_late={ADA: 12},
    ),
    RollChanged(
        occurred_at=NOW, urn="100000", revision=1, removed=["P207000016049"],
        pupils=[
            RollPupil(
                upn=ADA, given_name="Ada", family_name="Example", date_of_birth=DAY,
                year_group="7", entered_on=DAY, identifiers={"social_care": "LCS-81"},
            )
        ],
    ),
    CalendarSet(
        occurred_at=NOW, urn="100000", academic_year=2026, revision=1,
        terms=[Term(starts_on=DAY, ends_on=DAY)],
        closed=[Closure(date=DAY, session=Session.pm, reason="INSET day")],
    ),
    InvolvementsSet(
        occurred_at=NOW, upn=ADA, revision=1,
        involvements=[Involvement(role="social_worker", footing="none", starts_on=DAY)],
    ),
    BellChanged(
        occurred_at=NOW, change="raised", sequence=1,
        bell=Bell(
            id=uuid4(), urn="100000", upn=None, kind="mass-absence", severity="notice",
            status="ringing", raised_on=DAY, raised_at=NOW, explanation="Many are away.",
            evidence={"sessions": []}, rule={"name": "mass-absence", "version": "1"},
        ),
    ),
]  # fmt: skip
"""One of each."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return yaml.safe_load(COMMITTED.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    whole = {**schema, "components": document["components"]}
    check = jsonschema.FormatChecker()
    return jsonschema.Draft202012Validator(whole, format_checker=check)


def test_the_committed_document_is_what_the_models_say() -> None:
    written = COMMITTED.read_text(encoding="utf-8")

    assert written == asyncapi.text(), "python -m libs.common.asyncapi > docs/asyncapi.yaml"


def test_every_topic_and_its_dead_letters_have_a_channel(document: dict[str, Any]) -> None:
    addresses = [channel["address"] for channel in document["channels"].values()]

    expected = [name for topic in TOPICS for name in (topic, f"{topic}.dlq")]
    assert addresses == [*expected, "firstbell.alerts.v1.{agency}"]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_a_real_event_is_as_the_document_says(document: dict[str, Any], event: Event) -> None:
    sent = message_of(event, "test")
    (channel,) = [c for c in document["channels"].values() if c["address"] == sent.topic]
    (name,) = channel["messages"]
    message = document["components"]["messages"][name]

    payload = validator(document, message["payload"])
    headers = validator(document, message["headers"])

    payload.validate(json.loads(sent.value))
    headers.validate(dict(sent.headers))
    assert message["name"] == sent.headers["ce_type"]
    assert not payload.is_valid({**json.loads(sent.value), "occurred_at": 7})
    assert not headers.is_valid({**sent.headers, "ce_type": "another"})


def test_no_description_is_missing(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    assert [name for name, schema in schemas.items() if not schema.get("description")] == []
