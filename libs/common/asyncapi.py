"""The event log's contract as an AsyncAPI 3.0 document, made from the event models.

`python -m libs.common.asyncapi > docs/asyncapi.yaml` writes it.
"""

import sys
from inspect import getdoc
from typing import Any

import msgspec
import yaml

from libs.common.events import COMPACTED, DEAD_LETTERS, EVENTS, FEED, Event

REF = "#/components/schemas/{name}"
BINDING = "0.5.0"
DESCRIPTION = """\
What the services of Firstbell tell one another. An event is a CloudEvent 1.0 in binary mode: its
attributes are the record's headers, its data is the record's value, JSON in UTF-8. The same thing
told twice has the same `ce_id`. A partition keeps its order, and so do all events of one key.
Readers ignore fields that they do not know: a field may be added without a new version, and any
other change makes a new topic.
"""


def document() -> dict[str, Any]:
    """Return the document: a channel a topic, one for its dead letters, and agencies' feeds."""
    _, schemas = msgspec.json.schema_components(EVENTS, ref_template=REF)
    channels: dict[str, Any] = {}
    for kind in EVENTS:
        name = kind.topic.split(".")[1]
        channels[name] = _channel(kind)
        channels[f"{name}DeadLetters"] = _dead_letters(kind)
    channels["alerts"] = FEED_CHANNEL
    messages = {kind.__name__: _message(kind) for kind in EVENTS}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Firstbell events", "version": "1", "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": channels,
        "components": {
            "messages": {**messages, "DeadLetter": DEAD_LETTER, "Alert": FEED_MESSAGE},
            "schemas": schemas,
        },
    }


def _channel(kind: type[Event]) -> dict[str, Any]:
    policy = ["compact"] if kind.topic in COMPACTED else ["delete"]
    configuration = {"cleanup.policy": policy, "retention.ms": -1}
    return {
        "address": kind.topic,
        "description": getdoc(kind),
        "messages": {kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"}},
        "bindings": {"kafka": {"topicConfiguration": configuration, "bindingVersion": BINDING}},
    }


def _dead_letters(kind: type[Event]) -> dict[str, Any]:
    return {
        "address": kind.topic + DEAD_LETTERS,
        "description": f"Records of {kind.topic} that a reader could not handle.",
        "messages": {"DeadLetter": {"$ref": "#/components/messages/DeadLetter"}},
    }


def _message(kind: type[Event]) -> dict[str, Any]:
    key = {"type": "string", "description": getdoc(kind.key)}
    return {
        "name": kind.type,
        "title": kind.__name__,
        "summary": (getdoc(kind) or "").partition("\n")[0],
        "contentType": "application/json",
        "headers": _headers({"const": kind.type}),
        "payload": {"$ref": REF.format(name=kind.__name__)},
        "bindings": {"kafka": {"key": key, "bindingVersion": BINDING}},
    }


def _headers(event_type: dict[str, Any]) -> dict[str, Any]:
    properties = {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid"},
        "ce_type": event_type,
        "ce_source": {"type": "string", "description": "/firstbell/ and the service that says it."},
        "ce_time": {"type": "string", "format": "date-time"},
        "content-type": {"const": "application/json"},
    }
    required = list(properties)
    properties["traceparent"] = {"type": "string", "description": "W3C Trace Context, if traced."}
    return {"type": "object", "properties": properties, "required": required}


DEAD_LETTER = {
    "name": "dead-letter",
    "title": "DeadLetter",
    "summary": "A record as it came, with its headers and the reason why it was put aside.",
    "contentType": "application/octet-stream",
    "headers": {
        "type": "object",
        "properties": {"firstbell_reason": {"type": "string"}},
        "required": ["firstbell_reason"],
    },
}


FEED_CHANNEL = {
    "address": FEED + "{agency}",
    "description": "An agency's own feed, with the fields that it may see: docs/delivery.md.",
    "parameters": {"agency": {"description": "The agency's id in the directory."}},
    "messages": {"Alert": {"$ref": "#/components/messages/Alert"}},
}
FEED_MESSAGE = {
    "name": "alert",
    "title": "Alert",
    "summary": "An alert's beginning, change or end, or a digest, as a webhook has it.",
    "contentType": "application/json",
    "headers": _headers({"type": "string", "pattern": r"^uk\.firstbell\."}),
    "payload": {
        "type": "object",
        "properties": {
            "sequence": {
                "type": "integer",
                "minimum": 1,
                "description": "Without a gap among the messages of the feed's endpoint.",
            },
            "type": {"type": "string", "description": "`alert.raised`, and as `ce_type` ends."},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": {"type": "object", "description": "As GET /notify/v1/alerts/{id} has it."},
        },
        "required": ["sequence", "type", "timestamp", "data"],
    },
}


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _as_block(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _as_block)


def text() -> str:
    """Return the document as YAML."""
    return yaml.dump(document(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


if __name__ == "__main__":
    sys.stdout.write(text())
