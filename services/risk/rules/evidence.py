"""What rules' explanations share: sessions as evidence, and days in words."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import BY_NUMBER, POSSIBLE
from libs.common.school_day import day_of, session_of
from services.risk.fold import Alike, Finding, PupilRecord
from services.risk.pupil_days import HARD, SOFT

SESSIONS_MAX = 60
"""Most sessions listed in one bell's evidence: the latest."""


def sessions(record: PupilRecord, chosen: NDArray[np.bool_]) -> list[dict[str, str]]:
    """Return the chosen sessions, bool, shape (S,), as evidence; the latest `SESSIONS_MAX`."""
    return [
        {
            "date": day_of(ordinal).isoformat(),
            "session": str(session_of(ordinal)),
            "code": BY_NUMBER[code].text,
        }
        for ordinal, code in list(
            zip(record.ordinals[chosen].tolist(), record.codes[chosen].tolist(), strict=True)
        )[-SESSIONS_MAX:]
        if code
    ]


def in_words(ordinal: int) -> str:
    """Return a session's day in words, e.g. "Monday 14 September 2026"."""
    day = day_of(ordinal)
    return f"{day:%A} {day.day} {day:%B %Y}"


def codes_in_words(codes: Iterable[int]) -> str:
    """Return the meanings of code numbers, each once, e.g. "N (reason not yet established)"."""
    known = [BY_NUMBER[code] for code in sorted(set(codes)) if code]
    return ", ".join(f"{code.text} ({code.meaning})" for code in known) or "none any more"


def figures(**named: Any) -> dict[str, Any]:
    """Return evidence's figures as JSON types."""
    return {name: v.item() if isinstance(v, np.generic) else v for name, v in named.items()}


def recent_marks(record: PupilRecord, days: int) -> NDArray[np.bool_]:
    """Return the sessions of the last so many school days, bool, shape (S,)."""
    latest = int(record.school_days[-1]) if len(record.school_days) else 0
    return np.asarray(record.school_days > latest - days)


def weighed(record: PupilRecord) -> NDArray[np.bool_]:
    """Return the sessions of absence that emerging rules weigh, bool, shape (S,).

    Leave, holidays and suspension are not among them: `services.risk.pupil_days.SOFT`.
    """
    return np.asarray(HARD[record.codes] | SOFT[record.codes])


def since_in_words(record: PupilRecord, chosen: NDArray[np.bool_]) -> str:
    """Return since when, e.g. ", since Monday 14 September 2026"; nothing if nothing is chosen."""
    return f", since {in_words(int(record.ordinals[chosen][0]))}" if chosen.any() else ""


def out_of(count: int, of: int, things: str = "") -> str:
    """Return a count with its share, e.g. "8 of 40 sessions (20 %)"."""
    named = f" {things}" if things else ""
    share = f" ({100 * count / of:.0f} %)" if of else ""
    return f"{count} of {of}{named}{share}"


def before_in_words(count: int, of: int, preposition: str) -> str:
    """Return the pupil's own earlier rate, e.g. "Before that, in 1 of 30 (3 %)."."""
    if not of:
        return "There is nothing earlier to compare with."
    return f"Before that, {preposition}{out_of(count, of)}."


def change_in_words(record: PupilRecord) -> Finding:
    """Tell absence in the latest four weeks beside what was before: what rose, and since when."""
    lately, absent, possible = recent_marks(record, 20), weighed(record), POSSIBLE[record.codes]
    chosen = absent & lately
    now, held = int(chosen.sum()), int((possible & lately).sum())
    earlier, before = int((absent & ~lately).sum()), int((possible & ~lately).sum())
    text = (
        f"In the latest four weeks, absent in {out_of(now, held, 'sessions')}"
        f"{since_in_words(record, chosen)} (leave, holidays and suspension apart). "
        f"{before_in_words(earlier, before, 'in ')} "
        f"Codes: {codes_in_words(record.codes[chosen].tolist())}."
    )
    facts = {"missed": now, "of": held, "missed_before": earlier, "of_before": before}
    likened = alike(record, lately, HARD | SOFT, "missed at least as many of these sessions")
    return Finding(text, {**facts, "sessions": sessions(record, chosen)}, likened)


def alike(
    record: PupilRecord, chosen: NDArray[np.bool_], codes: NDArray[np.bool_], words: str
) -> Alike:
    """Ask how many others had as many marks of these codes in the chosen sessions."""
    return Alike(tuple(record.ordinals[chosen].tolist()), codes, words)


def school_sessions(ordinals: Iterable[int]) -> list[dict[str, str]]:
    """Return sessions of a school as evidence; the latest `SESSIONS_MAX`."""
    return [
        {"date": day_of(ordinal).isoformat(), "session": str(session_of(ordinal))}
        for ordinal in list(ordinals)[-SESSIONS_MAX:]
    ]
