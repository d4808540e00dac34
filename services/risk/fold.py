"""The fold: rules stepped over a school's sessions, and the episodes that they ring for.

A rule never sees more than one session's column and its own state, so the same columns give the
same episodes whether they came one a day or all at once.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from libs.common.codes import ABSENT, POSSIBLE, UNAUTHORISED, Codes
from services.risk.days import Day, Diary, start_diary, step_diary
from services.risk.episodes import Episode, EpisodeKey, noted
from services.risk.signals import NOTHING, SCHOOL, Bools, Ints, Severity, Signals, signals
from services.risk.stories import Stories, merge, start_stories
from services.risk.tallies import NO_TALLIES, Tallies, start_tallies, step_tallies
from services.risk.whole_school import WholeSchool, step_school

__all__ = ["NOTHING", "SCHOOL", "Bools", "Ints", "Severity", "Signals", "signals"]

State = TypeVar("State")


class BroughtSessions(NamedTuple):
    """A pupil's sessions at former schools in an academic year, as those have told this one."""

    academic_year: int
    possible: int
    missed: int


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
    worker: NDArray[np.uint8]
    """Who works with the pupil that day, shape (P,): 0 nobody, 1 a social worker or youth justice
    worker, 2 the same on a footing that makes an unexplained absence urgent."""
    year_groups: NDArray[np.uint8] | None = None
    """Each pupil's year group as a number, shape (P,); None: not known."""
    brought: Ints | None = None
    """Sessions possible and missed at former schools this academic year, shape (2, P); None: no
    pupil has brought any."""
    tallies: Tallies = NO_TALLIES
    """What each pupil's sessions come to, this one included."""
    school: WholeSchool = WholeSchool()
    """The whole school after this session."""
    day: Day | None = None
    """The school day that this session completes, for rules on habits; None: it completes none."""

    def has(self, code: int) -> bool:
        """Whether any pupil's mark has this code number."""
        return code in self.codes.tobytes()

    @property
    def possible(self) -> Bools:
        """Sessions that count, bool, shape (P,)."""
        return POSSIBLE[self.codes]

    @property
    def absent(self) -> Bools:
        """Authorised and unauthorised absence, bool, shape (P,)."""
        return ABSENT[self.codes]

    @property
    def unauthorised(self) -> Bools:
        """Unauthorised absence, bool, shape (P,)."""
        return UNAUTHORISED[self.codes]


SENT = Column._fields.index("tallies")
"""So many fields of a column come with it; the fold puts the others in."""


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


class Rule(Protocol[State]):
    """A fold over a school's sessions that says for whom a bell should ring."""

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

    def start(self, pupils: int) -> State:
        """Return the state before the first session, for this many pupils."""

    def step(self, state: State, column: Column) -> tuple[State, Signals]:
        """Take one session; return the state after it and what rings then.

        The state given is never changed in place: it may be a snapshot.
        """

    def explain(self, record: Any, anchor: int) -> Finding:
        """Say why the bell with this anchor rings (or rang).

        Args:
            record: a `PupilRecord`, or the `SchoolRecord` for the school's own bell.
        """


class Progress(NamedTuple):
    """A fold that has come as far as some session: give it to `advance` to go on from there."""

    tallies: Tallies
    school: WholeSchool
    diary: Diary
    stories: Stories
    states: tuple[Any, ...]
    """Each rule's state."""
    ringing: tuple[Signals, ...]
    """Each rule's signals, those of emerging rules merged into stories."""
    episodes: tuple[dict[EpisodeKey, Episode], ...]
    """Each rule's episodes so far, never changed in place."""
    ranked: tuple[int, ...]
    """Places of the emerging rules among the rules, in the order of their ranks."""


def begin(rules: Sequence[Rule[Any]], pupils: int) -> Progress:
    """Return the fold of these rules before the first session of a book with this many pupils."""
    emerging = [n for n, rule in enumerate(rules) if rule.emerging]
    return Progress(
        start_tallies(pupils),
        WholeSchool(),
        start_diary(pupils),
        start_stories(pupils),
        tuple(rule.start(pupils) for rule in rules),
        tuple(NOTHING for _ in rules),
        tuple({} for _ in rules),
        tuple(sorted(emerging, key=lambda n: rules[n].rank)),
    )


def advance(rules: Sequence[Rule[Any]], progress: Progress, column: Column) -> Progress:
    """Step every rule over one session."""
    ordinal, codes = column.ordinal, column.codes
    tallies = step_tallies(progress.tallies, ordinal, column.academic_year, codes)
    school = step_school(progress.school, ordinal, tallies.away, tallies.of)
    diary, day = step_diary(progress.diary, ordinal, codes, school, column.year_groups)
    column = Column._make((*column[:SENT], tallies, school, day))  # `_replace` is slower
    states, ringing = [], []
    for rule, before in zip(rules, progress.states, strict=True):
        state, rung = rule.step(before, column)
        states.append(state)
        ringing.append(rung)
    stories = _merge(progress, ringing, column) if progress.ranked else progress.stories
    episodes = [
        known if after is before else noted(known, before, after, ordinal)
        for known, before, after in zip(progress.episodes, progress.ringing, ringing, strict=True)
    ]
    return Progress(
        tallies,
        school,
        diary,
        stories,
        tuple(states),
        tuple(ringing),
        tuple(episodes),
        progress.ranked,
    )


def _merge(progress: Progress, ringing: list[Signals], column: Column) -> Stories:
    """Put into `ringing`, in place of what each emerging rule says, the stories it has opened."""
    stories, changed = progress.stories, 0
    if column.day is not None:
        ranked = [(n, ringing[n]) for n in progress.ranked]
        stories, changed = merge(stories, ranked, column.day, column.academic_year)
    for n in progress.ranked:
        ringing[n] = stories.signals_of(n) if changed >> n & 1 else progress.ringing[n]
    return stories


def column_of(codes: Codes, **when: Any) -> Column:
    """Make a `Column` from code numbers, contiguous and writable as kernels take them."""
    return Column(codes=np.require(codes, np.uint8, ("C", "W")), **when)
