"""Events of the version before are read by this one, and this one's by the version before."""

import json
from pathlib import Path
from typing import Any

import pytest

from libs.common.event_records import event_of, message_of
from libs.common.eventlog import Record
from libs.common.events import TOPICS, Event

GOLDEN = Path(__file__).parent / "events"
"""A record's value as it was published, by topic, every field in it: never changed but added to."""
MAPS = ("minutes_late", "identifiers", "evidence", "rule")
"""Members whose own members are data and no fields."""


def published(topic: str) -> bytes:
    return (GOLDEN / f"{topic}.json").read_bytes()


def read(topic: str, value: bytes) -> Event:
    return event_of(Record(topic, 0, 0, None, value, {}))


@pytest.mark.parametrize("topic", TOPICS)
def test_an_event_of_an_earlier_version_is_read_whole(topic: str) -> None:
    event = read(topic, published(topic))

    again = json.loads(message_of(event, "test").value)
    assert json.loads(published(topic)).items() <= again.items()


def of_a_later_version(value: Any) -> Any:
    """The same, with a field more in every object."""
    if isinstance(value, list):
        return [of_a_later_version(part) for part in value]
    if isinstance(value, dict):
        whole = {n: p if n in MAPS else of_a_later_version(p) for n, p in value.items()}
        return {**whole, "of_a_later_version": {"any": ["thing"]}}
    return value


@pytest.mark.parametrize("topic", TOPICS)
def test_a_field_of_a_later_version_is_passed_over(topic: str) -> None:
    later = json.dumps(of_a_later_version(json.loads(published(topic)))).encode()

    assert read(topic, later) == read(topic, published(topic))
