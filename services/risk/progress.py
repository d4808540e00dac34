"""How a school's rules are stepped over its sessions, and the episodes that they ring for."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from services.risk.alone import Alone
from services.risk.days import Day, Diary, start_diary, step_diary
from services.risk.each_pupil import (
    Days,
    DayTaken,
    Sessions,
    start_days,
    start_sessions,
    take_day,
    take_session,
)
from services.risk.episodes import Episode, EpisodeKey, noted
from services.risk.fold import Column, PupilRule, Rule
from services.risk.looks import OF_DAYS, OF_SESSIONS, Running
from services.risk.signals import NOTHING, Signals
from services.risk.stories import Looked, join_looked, join_rung, signals_of
from services.risk.whole_school import WholeSchool, step_school

SENT = Column._fields.index("tallies")
"""So many fields of a column come with it; the fold puts the others in."""


class Progress(NamedTuple):
    """A fold that has come as far as some session: give it to `Fold.advance` to go on from there.

    Nothing in it is ever changed in place.
    """

    sessions: Sessions
    school: WholeSchool
    diary: Diary
    days: Days
    states: tuple[Any, ...]
    """The state of each rule that is a fold itself; None of the others."""
    ringing: tuple[Signals, ...]
    """Each rule's signals, those of emerging rules merged into stories."""
    episodes: tuple[dict[EpisodeKey, Episode], ...]
    """Each rule's episodes so far."""


class Fold:
    """Rules, ready to be stepped over a school's sessions.

    Args:
        rules: whose order is that of everything in a `Progress`.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._of_sessions, self._of_days = Running(OF_SESSIONS, rules), Running(OF_DAYS, rules)
        looked = self._of_sessions.looked | self._of_days.looked
        self._others: list[tuple[int, Any]] = [
            (n, Alone(rule) if isinstance(rule, PupilRule) else rule)
            for n, rule in enumerate(rules)
            if n not in looked
        ]
        self._nobody = (NOTHING,) * len(rules)
        self._turns = _Turns(rules, self._of_days.looked)

    def begin(self, pupils: int) -> Progress:
        """Return the fold before the first session of a book with this many pupils."""
        states: list[Any] = [None] * len(self._nobody)
        for n, rule in self._others:
            states[n] = rule.start(pupils)
        return Progress(
            start_sessions(pupils), WholeSchool(), start_diary(pupils), start_days(pupils),
            tuple(states), self._nobody, tuple({} for _ in self._nobody),
        )  # fmt: skip

    def advance(self, progress: Progress, column: Column) -> Progress:
        """Step every rule over one session."""
        ordinal, year = column.ordinal, column.academic_year
        sessions, tallies, changed = take_session(progress.sessions, column, self._of_sessions)
        school = step_school(progress.school, ordinal, tallies.away, tallies.of)
        diary, whole = step_diary(progress.diary, ordinal, column.codes)
        column = Column._make((*column[:SENT], tallies, school, None))  # `_replace` is slower
        ringing = list(progress.ringing)
        self._of_sessions.tell(ringing, changed, sessions.rules, year)
        days, taken = progress.days, None
        if whole is not None:
            days, taken = take_day(days, whole, column, self._of_days)
        if taken is not None:
            self._of_days.tell(ringing, taken.changed, days.rules, year)
            column = Column._make((*column[:-1], taken.day))
        states = list(progress.states)
        for n, rule in self._others:
            states[n], ringing[n] = rule.step(states[n], column)
        if self._turns.ranked:
            self._tell_stories(ringing, progress, days, taken)
        episodes = list(progress.episodes)
        for n, before in enumerate(progress.ringing):
            if ringing[n] is not before:
                episodes[n] = noted(episodes[n], before, ringing[n], ordinal)
        return Progress(
            sessions, school, diary, days, tuple(states), tuple(ringing), tuple(episodes)
        )

    def _tell_stories(
        self, ringing: list[Signals], progress: Progress, days: Days, taken: DayTaken | None
    ) -> None:
        """Put the stories that it has opened in place of what each emerging rule says.

        A day's are written into the `days` after it.
        """
        changed = 0
        if taken is not None:
            changed = taken.ended | self._turns.join(ringing, days, taken.day)
        for n in self._turns.ranked:
            ringing[n] = signals_of(days.stories, n) if changed >> n & 1 else progress.ringing[n]


class _Turns:
    """Emerging rules in the order of their ranks: the first that rings gives a bell its kind.

    Args:
        looked: those of the loop over days, as in `Running`.
    """

    def __init__(self, rules: Sequence[Rule], looked: Mapping[int, tuple[int, PupilRule]]) -> None:
        emerging = [n for n, rule in enumerate(rules) if rule.emerging]
        self.ranked = sorted(emerging, key=lambda n: rules[n].rank)
        """Their places among `rules`."""
        self._folds = [n for n in emerging if n not in looked]
        self._alone = {n: _together({n: looked[n]}) for n in self.ranked if n in looked}
        self._looked = _together({n: looked[n] for n in self.ranked if n in looked})

    def join(self, ringing: Sequence[Signals], days: Days, day: Day) -> int:
        """Write what rings into the stories; return whose are not as before, as bits."""
        stories, year = days.stories, days.academic_year
        if not any(len(ringing[n].pupils) for n in self._folds):
            return join_looked(stories, self._looked, day, year)
        changed = 0
        for n in self.ranked:
            if n in self._alone:
                changed |= join_looked(stories, self._alone[n], day, year)
            else:
                changed |= join_rung(stories, n, ringing[n], day, year)
        return changed


def _together(ranked: Mapping[int, tuple[int, PupilRule]]) -> Looked:
    places = [place for place, _ in ranked.values()]
    severities = [rule.severities[0] for _, rule in ranked.values()]
    return Looked(
        np.array(places, np.int32), np.array([*ranked], np.int32), np.array(severities, np.uint8)
    )
