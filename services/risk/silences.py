"""Pure: a school's silences, as episodes beside those that the rules see in its marks."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.risk.bells import THE_SCHOOL, BellKey
from services.risk.book import Book
from services.risk.episodes import Episode
from services.risk.fold import Severity
from services.risk.rules.register_missing import WARNING_FROM, RegisterMissing


def silences_of(
    bells: Mapping[BellKey, Mapping[str, Any]], book: Book, silent: Sequence[int]
) -> dict[BellKey, Episode]:
    """Return the silences told of so far, as they stand now, and a new one.

    One ends with the next register, and was none when the calendar no longer has its session.

    Args:
        bells: the school's stored bells.
        silent: sessions in a row, up to now, without a register: what the clock has found.
    """
    if all(rule.kind != RegisterMissing.kind for rule in book.rules):
        return {}  # switched off
    silences = {
        key: _standing(book, key.anchor, Severity[row["severity"]])
        for key, row in bells.items()
        if key.kind == RegisterMissing.kind
        and row["status"] != "withdrawn"
        and book.is_planned(key.anchor)
    }
    if silent:
        severity = Severity.warning if len(silent) >= WARNING_FROM else Severity.notice
        key = next((k for k, e in silences.items() if e.until is None), None)
        key = key or BellKey(RegisterMissing.kind, THE_SCHOOL, silent[0])
        silences[key] = Episode(key.anchor, severity, None)
    return silences


def _standing(book: Book, anchor: int, severity: Severity) -> Episode:
    came = [ordinal for ordinal in book.columns if ordinal >= anchor]
    return Episode(anchor, severity, min(came) if came else None)
