"""Pure: one alert as the figures of impact count it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID


class Case(NamedTuple):
    """One alert about a child, as it is counted."""

    upn: str
    bell: UUID
    kind: str
    version: str
    """The rule's."""
    told_at: datetime | None
    acknowledged_at: datetime | None
    """By an acknowledgement, an action or closing, whichever was first."""
    acted_at: datetime | None
    actions: tuple[str, ...]
    outcome: str | None
    pupil: Mapping[str, int] | None
    """Sessions before and after, once they are over; see `BellFollowed`."""
    alike: Mapping[str, int] | None


def case_of(row: Any) -> Case:
    """Return an alert's row, joined with its bell and what followed, as it is counted."""
    history: Sequence[Mapping[str, Any]] = row.history
    answered = _first(history, {"acknowledged", "action", "closed"})
    closed = [past["outcome"] for past in history if past["what"] == "closed"]
    return Case(
        upn=row.upn,
        bell=row.bell,
        kind=row.kind,
        version=row.rule["version"],
        told_at=_told(history, answered),
        acknowledged_at=answered,
        acted_at=_first(history, {"action"}),
        actions=tuple(past["action"] for past in history if past["what"] == "action"),
        outcome=closed[-1] if closed else None,
        pupil=row.pupil,
        alike=row.alike,
    )


def _first(history: Sequence[Mapping[str, Any]], what: set[str]) -> datetime | None:
    found = (datetime.fromisoformat(past["at"]) for past in history if past["what"] in what)
    return min(found, default=None)


def _told(history: Sequence[Mapping[str, Any]], answered: datetime | None) -> datetime | None:
    # What was held back rang before it was told, and what had ended may have rung again.
    told = [datetime.fromisoformat(p["at"]) for p in history if p["what"] == "alert.raised"]
    before = [at for at in told if answered is None or at <= answered]
    return before[-1] if before else None
