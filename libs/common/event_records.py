"""Events as records: CloudEvents in binary mode, the attributes in headers, the value as JSON."""

from collections.abc import Mapping
from types import MappingProxyType
from uuid import UUID

import msgspec

from libs.common.eventlog import Message, Record
from libs.common.events import EVENTS, Event

_TYPES = {kind.topic: kind for kind in EVENTS}
_DECODERS = {topic: msgspec.json.Decoder(kind) for topic, kind in _TYPES.items()}
_ENCODER = msgspec.json.Encoder()
NO_TRACE: Mapping[str, str] = MappingProxyType({})


class Unreadable(Exception):
    """A record that cannot be read as an event; the reason names no pupil."""


def cloud_event(id: UUID, type: str, source: str, time: str) -> dict[str, str]:
    """Return an event's headers; `source` is the service that says it, `time` in ISO 8601."""
    return {
        "ce_specversion": "1.0",
        "ce_id": str(id),
        "ce_type": type,
        "ce_source": f"/firstbell/{source}",
        "ce_time": time,
        "content-type": "application/json",
    }


def message_of(event: Event, source: str, trace: Mapping[str, str] = NO_TRACE) -> Message:
    """Return the record to publish for an event; `source` is the service that says it.

    Args:
        trace: the header that names the trace which the event belongs to.
    """
    headers = cloud_event(event.id, event.type, source, event.occurred_at.isoformat())
    return Message(event.topic, event.key, _ENCODER.encode(event), {**headers, **trace})


def event_of(record: Record) -> Event:
    """Read a record as the event of its topic.

    Raises:
        Unreadable: it is no such event. The reason says where, and repeats nothing of the value.
    """
    decoder = _DECODERS.get(record.topic)
    if decoder is None:
        raise Unreadable(f"no event is known on topic {record.topic}")
    try:
        return decoder.decode(record.value)
    except msgspec.ValidationError as fault:
        where = str(fault).rpartition(" - at ")[2] if " - at " in str(fault) else "its top"
        raise Unreadable(f"not a {_TYPES[record.topic].type}: wrong at {where}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unreadable("not JSON") from None
