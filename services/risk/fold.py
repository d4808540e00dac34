"""The fold, as a rule sees it: what it is given of a session, and what it says.

A rule never sees more than one session's column and its own state, so the same columns give the
same episodes whether they came one a day or all at once. `services.risk.progress` steps them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import Codes
from services.risk.column import Column, column_of
from services.risk.compiled import in_python, inlined
from services.risk.pupil_days import Rows
from services.risk.signals import (
    NOTHING,
    SCHOOL,
    Bools,
    Ints,
    Severity,
    Signals,
    signals,
    year_anchor,
)

__all__ = [
    "NOTHING", "SCHOOL", "Bools", "Column", "Ints", "Severity", "Signals", "column_of", "signals",
]  # fmt: skip

State = TypeVar("State")


class BroughtSessions(NamedTuple):
    """A pupil's sessions at former schools in an academic year, as those have told this one."""

    academic_year: int
    possible: int
    missed: int


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
    brought: BroughtSessions | None = None

    def until(self, ordinal: int) -> "PupilRecord":
        """Return the record up to a session, this included."""
        end = int(np.searchsorted(self.ordinals, ordinal, side="right"))
        return self._replace(
            ordinals=self.ordinals[:end],
            school_days=self.school_days[:end],
            school_weeks=self.school_weeks[:end],
            codes=self.codes[:end],
        )

    def brought_in(self, academic_year: int) -> tuple[int, int]:
        """Return the sessions possible and missed at former schools in an academic year."""
        if self.brought is None or self.brought.academic_year != academic_year:
            return 0, 0
        return self.brought.possible, self.brought.missed


class SchoolRecord(NamedTuple):
    """A school's sessions up to now, oldest first, for a rule on schools. S sessions."""

    ordinals: NDArray[np.int64]
    away: Ints
    """Pupils away in each session as `whole_school.SUDDEN` has it, shape (S,)."""
    of: Ints
    """Pupils whose session counted, shape (S,)."""

    def until(self, ordinal: int) -> "SchoolRecord":
        """Return the record up to a session, this included."""
        end = int(np.searchsorted(self.ordinals, ordinal, side="right"))
        return SchoolRecord(self.ordinals[:end], self.away[:end], self.of[:end])


class Alike(NamedTuple):
    """What other pupils of the school are compared in, to say how unusual a finding is there."""

    ordinals: tuple[int, ...]
    """The sessions compared."""
    codes: Bools
    """The codes counted, by number."""
    words: str
    """What pupils did who had as many, e.g. "missed at least as many"."""


class Finding(NamedTuple):
    """A rule's words for people about one pupil or school, and what they rest on."""

    explanation: str
    """Plain sentences for a teacher: no name, no UPN."""
    evidence: dict[str, Any]
    """Figures, and `sessions`: `[{"date", "session", "code"}]`. JSON types only."""
    alike: Alike | None = None
    """In what to compare other pupils; None: in nothing."""


class Rule(Protocol):
    """A rule: what it finds, whom it asks to do what, and how it explains itself.

    It is a `SchoolRule` or a `PupilRule` beside.
    """

    kind: str
    version: str
    emerging: bool
    """Whether it finds a pattern that emerges, and not a fixed limit: then its bell is one story
    with those of the other emerging rules on the pupil (`services.risk.stories`)."""
    rank: int
    """Of emerging rules that ring on the same day, the lowest gives the bell its kind."""
    title: str
    """What it finds, in a few words for people."""
    source: str
    """The guidance, regulation or paper behind it, with the paragraph."""
    asks: str
    """What the guidance asks of people when it rings, and what it does not mean."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What can be set, by name."""

    def explain(self, record: Any, anchor: int) -> Finding:
        """Say why the bell with this anchor rings (or rang).

        Args:
            record: a `PupilRecord`, or the `SchoolRecord` for the school's own bell.
        """


class SchoolRule(Rule, Protocol[State]):
    """A rule that is itself a fold over a school's sessions: any Python, best in NumPy.

    It may name the signs (`services.risk.signs`) that it heeds, as bits, in `heeds`. Then it is
    stepped over sessions with one of them alone, and as long as its state is not None or somebody
    rings. Otherwise it is stepped over every session.
    """

    def start(self, pupils: int) -> State:
        """Return the state before the first session, for this many pupils."""

    def step(self, state: State, column: Column) -> tuple[State, Signals]:
        """Take one session; return the state after it and what rings then.

        The state given is never changed in place: it may be a snapshot.
        """


class PupilSession(NamedTuple):
    """One pupil's session, for a rule that looks at it."""

    tally: Any
    """A record of `TALLY`, this session included."""
    code: int
    """The code's number."""
    ordinal: int
    weeks_passed: int
    """School weeks that have begun since the session before."""
    new_year: bool
    """Whether an academic year has."""


class PupilDay(NamedTuple):
    """One pupil's complete school day, for a rule that looks at it."""

    day: Any
    """A record of `PUPIL_DAY`."""
    tally: Any
    """A record of `TALLY`."""
    school: Any
    """A record of `SCHOOL_DAY`, the same for every pupil."""


@inlined
def of_year(mine: Any, year: int) -> int:
    """Return the academic year's anchor, whatever is remembered of a pupil."""
    return year


@inlined
def since_then(mine: Any, year: int) -> Any:
    """Return the anchor that a rule remembers of a pupil in `since`."""
    return mine.since


class PupilRule(ABC):
    """A rule that looks at one pupil at a time: the base of most shipped ones.

    All of them are two compiled loops over a school's pupils (`services.risk.each_session` and
    `each_day`).
    """

    kind: str
    emerging: bool
    rank: int
    each_day: ClassVar[bool]
    """Whether it looks at complete school days, and not at single sessions."""
    remembers: ClassVar["np.dtype[np.void]"]
    """What it keeps of each pupil: a record with the field `rings`, bool, and perhaps `since`,
    which moves only when the pupil does not ring."""
    look: ClassVar[Callable[..., None]]
    """Takes one session, or one day, of one pupil, and writes into what is remembered of them.

    It is `inlined`, and given a record of `remembers`, a `PupilSession` or a `PupilDay`, and a
    record of `figures`.
    """

    anchor: ClassVar[Callable[..., Any]] = staticmethod(of_year)
    """Returns the anchor of a record of `remembers`, given the academic year's: `since_then`, the
    year's, or one of the rule's own. It is `inlined`. An emerging rule needs none."""

    @property
    @abstractmethod
    def parameters(self) -> Mapping[str, Any]:
        """What can be set, by name."""

    @property
    @abstractmethod
    def severities(self) -> tuple[Severity, ...]:
        """The one with which it rings."""

    def start(self, pupils: int) -> Rows:
        """Return what it remembers before the first session, shape (P,)."""
        return np.zeros(pupils, self.remembers)

    @cached_property
    def figures(self) -> Rows:
        """Its parameters for compiled code: one record of float64, shape (1,)."""
        return as_record(self.parameters)

    def rung(self, pupils: Rows, academic_year: int) -> Signals:
        """Return the signals of those who ring, of records of `remembers`, shape (P,)."""
        rings, anchor_of = np.ascontiguousarray(pupils["rings"]), in_python(self.anchor)
        anchors = anchor_of(pupils.view(np.recarray), year_anchor(academic_year))
        return signals(rings, anchors, self.severities[0])


def as_record(parameters: Mapping[str, float]) -> Rows:
    """Return parameters as one record of float64, shape (1,)."""
    fields = np.dtype([(name, np.float64) for name in parameters])
    return np.array([tuple(parameters.values())], fields)
