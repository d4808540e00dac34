"""Pure: whether a message waits, for what, and until when.

As Alertmanager has it: what belongs together waits for its fellows, and one thing inhibits another.
What is urgent waits for nothing. What counts exactly waits for a digest alone, and only where the
route says that a digest will do.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, NamedTuple

from libs.common.school_day import LONDON
from services.notify.school_hours import LOOK_AHEAD_DAYS, OPENS, SchoolDays
from services.notify.vocabulary import EXACT_KINDS

GATHER_FOR = timedelta(minutes=10)
"""How long the first of several children waits for the others of the same family or group."""
DIGEST, MORNING = "digest", "morning"


class Wishes(NamedTuple):
    """How a recipient wants to hear of what is not urgent; see `Preferences`."""

    digest: str = "none"
    hour: int = 8
    weekday: int = 0
    most_a_day: int | None = None
    together: str = "none"


class Wait(NamedTuple):
    """Why a message waits, until when, and with which others it becomes one message."""

    why: str
    until: datetime
    bundle: str


class Matter(NamedTuple):
    """What bears on whether a message waits."""

    kind: str
    severity: str
    how_soon: str
    """The route's."""
    pupil: Mapping[str, Any]
    urn: str


def wait_of(
    matter: Matter, wishes: Wishes | None, sent_today: int, days: SchoolDays, now: datetime
) -> Wait | None:
    """Return for what a message waits; None: it goes out now, and so it does without wishes."""
    if wishes is None or matter.severity == "urgent" or matter.how_soon == "at_once":
        return None
    exact = matter.kind in EXACT_KINDS
    if exact and matter.how_soon != "digest":
        return None
    if matter.severity == "notice" and wishes.digest != "none":
        return Wait(DIGEST, next_digest(wishes, days, now), DIGEST)
    if exact:
        return None
    if wishes.most_a_day is not None and sent_today >= wishes.most_a_day:
        return Wait("limit", next_digest(wishes, days, now), DIGEST)
    if not days.is_at_work(now):
        return Wait(MORNING, days.answer_by(now, 0, always=False), MORNING)
    fellows = _fellows(matter, wishes.together)
    return Wait("together", now + GATHER_FOR, fellows) if fellows else None


def _fellows(matter: Matter, together: str) -> str | None:
    pupil = matter.pupil
    if together == "family" and pupil.get("household"):
        return f"family {pupil['household']}"
    if together == "group" and pupil.get("group"):
        return f"group {matter.urn} {pupil['group']}"
    return None


def next_digest(wishes: Wishes, days: SchoolDays, now: datetime) -> datetime:
    """Return when the next digest goes out: at its hour in England, on a school day.

    A weekly one whose day is no school day goes out on the next that is. Without a digest's hour of
    their own, recipients beyond their limit hear at the same hour on the next school day.
    """
    here = now.astimezone(LONDON)
    first = here.date() - timedelta(days=7)
    waits_for_a_day = wishes.digest != "weekly"
    for ahead in range(LOOK_AHEAD_DAYS):
        day = first + timedelta(days=ahead)
        at = datetime.combine(day, time(wishes.hour), LONDON)
        if wishes.digest == "weekly" and day.weekday() == wishes.weekday:
            waits_for_a_day = True
        if waits_for_a_day and days.has(day):
            if at > here:
                return at.astimezone(UTC)
            waits_for_a_day = wishes.digest != "weekly"
    return datetime.combine(here.date() + timedelta(days=1), OPENS, LONDON).astimezone(UTC)
