"""Pure: what a message to a receiver holds: one alert, or in a digest several."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

DIGEST = "alert.digest"


def digest(alerts: Sequence[Mapping[str, Any]], why: str, now: datetime) -> dict[str, Any]:
    """Return the message that tells these alerts at once; of a single one, the usual message.

    Args:
        why: what they waited for; see `Held`.
    """
    if len(alerts) == 1:
        return {"type": "alert.raised", "timestamp": now.isoformat(), "data": alerts[0]}
    data = {"why": why, "alerts": list(alerts)}
    return {"type": DIGEST, "timestamp": now.isoformat(), "data": data}


def thinned(body: str) -> str:
    """Return a message's body with nothing of its alerts but their ids, to fetch them by."""
    message = json.loads(body)
    parts = [{name: part[name] for name in ("alert", "bell")} for part in parts_of(message)]
    return json.dumps(with_parts(message, parts)) if parts else body


def parts_of(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a message says of each of its alerts; of a test's, nothing."""
    data = message["data"]
    parts = data["alerts"] if message["type"] == DIGEST else [data]
    return [part for part in parts if "bell" in part]


def with_parts(message: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a message that says this of its alerts instead."""
    if message["type"] != DIGEST:
        (data,) = parts
        return {**message, "data": data}
    return {**message, "data": {**message["data"], "alerts": list(parts)}}
