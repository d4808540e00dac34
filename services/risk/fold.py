"""The fold: rules stepped over a school's sessions, and the episodes that they ring for.

A rule never sees more than one session's column and its own state, so the same columns give the
same episodes whether they came one a day or all at once.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import ABSENT, POSSIBLE, UNAUTHORISED, Codes

State = TypeVar("State")
Bools = NDArray[np.bool_]
Ints = NDArray[np.int32]


class Severity(IntEnum):
    """How soon a person should look: at leisure, the same morning, at once."""

    notice = 1
    warning = 2
    urgent = 3


class Column(NamedTuple):
    """One session of a school, as every rule sees it. P is the number of pupils in the book.

    A pupil who was not on the roll, or whose mark has not come, has code number 0: no mark.
    """

    ordinal: int
    """The session's place in time: `libs.common.school_day.ordinal_of`."""
    school_day: int
    """The school day's number in the book, from 0: closures, holidays and weekends not counted."""
    school_week: int
    """The school week's number in the book, from 0: weeks without a school day not counted."""
    academic_year: int
    """The calendar year in which this academic year began."""
    codes: Codes
    """Code numbers, uint8, shape (P,)."""
    possible: Bools
    """Sessions that count, bool, shape (P,)."""
    absent: Bools
    """Authorised and unauthorised absence, bool, shape (P,)."""
    unauthorised: Bools
    """Unauthorised absence, bool, shape (P,)."""
    worker: NDArray[np.uint8]
    """Who works with the pupil that day, shape (P,): 0 nobody, 1 a social worker or youth justice
    worker, 2 the same on a footing that makes an unexplained absence urgent."""


class Signals(NamedTuple):
    """What a rule says after a session: one row for each pupil and grounds, sorted by both."""

    pupils: Ints
    """Positions in the book, int32, shape (K,)."""
    anchors: Ints
    """Ordinal of the session (or day x 2, or year) with which the grounds began, int32, (K,).

    Pupil, kind and anchor make the bell the same bell: choose one that a late register or a later
    correction is least likely to move.
    """
    severities: NDArray[np.uint8]
    """`Severity`, uint8, shape (K,)."""


class PupilRecord(NamedTuple):
    """One pupil's marks up to now, oldest first, for a rule to explain itself by. S sessions."""

    ordinals: NDArray[np.int64]
    """Sessions' places in time, shape (S,): every school session, with or without a mark."""
    school_days: Ints
    """Number of each session's school day, shape (S,)."""
    school_weeks: Ints
    """Number of each session's school week, shape (S,)."""
    codes: Codes
    """Code numbers, uint8, shape (S,); 0 is no mark."""


class Finding(NamedTuple):
    """A rule's words for people about one pupil, and what they rest on."""

    explanation: str
    """Plain sentences for a teacher: no name, no UPN."""
    evidence: dict[str, Any]
    """Figures, and `sessions`: `[{"date", "session", "code"}]`. JSON types only."""


class Rule(Protocol[State]):
    """A fold over a school's sessions that says for whom a bell should ring."""

    kind: str
    version: str
    title: str
    """What it finds, in a few words for people."""
    source: str
    """The guidance, regulation or paper behind it, with the paragraph."""
    asks: str
    """What the guidance asks of people when it rings, and what it does not mean."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What can be set, by name."""

    def start(self, pupils: int) -> State:
        """Return the state before the first session, for this many pupils."""

    def step(self, state: State, column: Column) -> tuple[State, Signals]:
        """Take one session; return the state after it and what rings then.

        The state given is never changed in place: it may be a snapshot.
        """

    def explain(self, record: PupilRecord, anchor: int) -> Finding:
        """Say why the bell with this anchor rings (or rang)."""


def signals(
    pupils: NDArray[np.integer[Any]] | Bools,
    anchors: Ints | int,
    severity: Severity | NDArray[np.uint8],
) -> Signals:
    """Make a rule's signals from a mask or positions, each with an anchor and a severity.

    Arrays of shape (P,) are indexed by the pupils that ring; a single value is for all of them.
    """
    at = np.flatnonzero(pupils) if pupils.dtype == np.bool_ else pupils
    size = len(at)
    return Signals(
        at.astype(np.int32),
        np.full(size, anchors, np.int32)
        if isinstance(anchors, int)
        else anchors[at].astype(np.int32),
        np.full(size, severity, np.uint8) if isinstance(severity, Severity) else severity[at],
    )


class Episode(NamedTuple):
    """A rule's finding about one pupil, from the session it first rang in to the one it ended."""

    since: int
    """Ordinal of the session after which it first rang."""
    severity: int
    """The highest so far."""
    until: int | None
    """Ordinal of the session after which it no longer rang; None while it rings."""


EpisodeKey = tuple[int, int]
"""A pupil's position in the book, and the anchor."""


class Progress(NamedTuple):
    """A fold that has come as far as some session: give it to `advance` to go on from there."""

    states: tuple[Any, ...]
    """Each rule's state."""
    ringing: tuple[Signals, ...]
    """Each rule's signals."""
    episodes: tuple[dict[EpisodeKey, Episode], ...]
    """Each rule's episodes so far, never changed in place."""


_NOTHING = Signals(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.uint8))


def begin(rules: Sequence[Rule[Any]], pupils: int) -> Progress:
    """Return the fold of these rules before the first session of a book with this many pupils."""
    return Progress(
        tuple(rule.start(pupils) for rule in rules),
        tuple(_NOTHING for _ in rules),
        tuple({} for _ in rules),
    )


def advance(rules: Sequence[Rule[Any]], progress: Progress, column: Column) -> Progress:
    """Step every rule over one session."""
    states, ringing, episodes = [], [], []
    for rule, state, before, known in zip(rules, *progress, strict=True):
        after_state, after = rule.step(state, column)
        states.append(after_state)
        ringing.append(after)
        episodes.append(_note(known, before, after, column.ordinal))
    return Progress(tuple(states), tuple(ringing), tuple(episodes))


def _note(
    known: dict[EpisodeKey, Episode], before: Signals, after: Signals, ordinal: int
) -> dict[EpisodeKey, Episode]:
    if _same(before, after):
        return known
    was, now = _by_key(before), _by_key(after)
    noted = dict(known)
    for key in was.keys() - now.keys():
        noted[key] = noted[key]._replace(until=ordinal)
    for key, severity in now.items():
        if was.get(key) == severity:
            continue
        earlier = noted.get(key) or Episode(ordinal, severity, None)
        noted[key] = Episode(earlier.since, max(earlier.severity, severity), None)
    return noted


def _by_key(rows: Signals) -> dict[EpisodeKey, int]:
    keys = zip(rows.pupils.tolist(), rows.anchors.tolist(), strict=True)
    return dict(zip(keys, rows.severities.tolist(), strict=True))


def column_of(codes: Codes, **when: Any) -> Column:
    """Make a `Column` from code numbers: what counts is looked up once for all rules."""
    return Column(
        codes=codes,
        possible=POSSIBLE[codes],
        absent=ABSENT[codes],
        unauthorised=UNAUTHORISED[codes],
        **when,
    )


def _same(before: Signals, after: Signals) -> bool:
    return (
        np.array_equal(before.pupils, after.pupils)
        and np.array_equal(before.anchors, after.anchors)
        and np.array_equal(before.severities, after.severities)
    )
