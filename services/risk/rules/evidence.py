"""What rules' explanations share: sessions as evidence, and days in words."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import ABSENT, BY_NUMBER, POSSIBLE
from libs.common.school_day import day_of, session_of
from services.risk.fold import Finding, PupilRecord

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


def change_in_words(record: PupilRecord, title: str) -> Finding:
    """Tell absence in the latest four weeks beside what was before: what rose, and since when."""
    lately = recent_marks(record, 20)
    absent, possible = ABSENT[record.codes], POSSIBLE[record.codes]
    now, held = int((absent & lately).sum()), int((possible & lately).sum())
    earlier, before = int((absent & ~lately).sum()), int((possible & ~lately).sum())
    chosen = absent & lately
    since = f" since {in_words(int(record.ordinals[chosen][0]))}" if chosen.any() else ""
    text = (
        f"{title}: absent in {now} of the last {held} sessions{since}; before that in {earlier} of "
        f"{before}. Codes: {codes_in_words(record.codes[chosen].tolist())}. Four weeks of steady "
        "attendance clear this."
    )
    facts = {"missed": now, "of": held, "missed_before": earlier, "of_before": before}
    return Finding(text, {**facts, "sessions": sessions(record, chosen)})


def school_sessions(ordinals: Iterable[int]) -> list[dict[str, str]]:
    """Return sessions of a school as evidence; the latest `SESSIONS_MAX`."""
    return [
        {"date": day_of(ordinal).isoformat(), "session": str(session_of(ordinal))}
        for ordinal in list(ordinals)[-SESSIONS_MAX:]
    ]
