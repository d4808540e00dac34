"""Pure: what has changed between the bells that stood and the episodes that the rules now see."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from services.risk.episodes import Episode
from services.risk.fold import Severity

Status = Literal["ringing", "cleared", "withdrawn"]
Change = Literal["raised", "escalated", "cleared", "withdrawn"]


THE_SCHOOL = ""
"""In place of a UPN: the bell is about the school itself."""


class BellKey(NamedTuple):
    """What makes a bell the same bell, within one school."""

    kind: str
    upn: str
    anchor: int


class Standing(NamedTuple):
    """A bell as it stood."""

    severity: Severity
    status: Status
    grounds: int = 0
    """As in `Episode`."""


class Turn(NamedTuple):
    """How a bell changes; `change` is None for one that nobody needs to hear of."""

    key: BellKey
    change: Change | None
    severity: Severity
    status: Status
    since: int | None = None
    """Ordinal of the session after which it first rang; None when it is withdrawn."""
    grounds: int = 0
    """As in `Episode`."""


def diff(before: Mapping[BellKey, Standing], after: Mapping[BellKey, Episode]) -> list[Turn]:
    """Return every bell that changes, in a fixed order.

    An episode that is over when it is first seen (it came with a late register) is kept as cleared
    and told to nobody. One that is no longer in the marks at all was rung in error: withdrawn.
    """
    turns = [
        Turn(key, "withdrawn", standing.severity, "withdrawn")
        for key, standing in before.items()
        if key not in after and standing.status != "withdrawn"
    ]
    for key, episode in after.items():
        turn = _turn(key, before.get(key), episode)
        if turn is not None:
            turns.append(turn)
    return sorted(turns, key=lambda turn: turn.key)


def _turn(key: BellKey, standing: Standing | None, episode: Episode) -> Turn | None:
    severity = Severity(episode.severity)
    rings = episode.until is None
    was_ringing = standing is not None and standing.status == "ringing"
    status: Status = "ringing" if rings else "cleared"
    said = (severity, status, episode.since, episode.grounds)
    if rings and not was_ringing:
        return Turn(key, "raised", *said)
    if rings and standing is not None and severity > standing.severity:
        return Turn(key, "escalated", *said)
    if not rings and was_ringing:
        return Turn(key, "cleared", *said)
    if not rings and (standing is None or standing.status == "withdrawn"):
        return Turn(key, None, *said)
    if standing is not None and (severity, episode.grounds) != standing[0:3:2]:
        return Turn(key, None, *said)
    return None
