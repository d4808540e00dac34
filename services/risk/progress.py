"""How a school's rules are stepped over its sessions, and the episodes that they ring for."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from services.risk.alone import Alone
from services.risk.days import Day, Diary, start_diary, step_diary
from services.risk.each_day import Days, start_days, take_day
from services.risk.each_session import Sessions, start_sessions, take_session
from services.risk.episodes import Episodes, between, noted, ringing
from services.risk.fold import Column, PupilRule, Rule
from services.risk.looks import OF_DAYS, OF_SESSIONS, Running
from services.risk.signals import NOTHING, Signals
from services.risk.stories import Looked, join_looked, join_rung, told

SENT = Column._fields.index("tallies")
"""So many fields of a column come with it; the fold puts the others in."""


class Progress(NamedTuple):
    """A fold that has come as far as some session: give it to `Fold.advance` to go on from there.

    Nothing in it is ever changed in place.
    """

    sessions: Sessions
    diary: Diary
    days: Days
    states: tuple[Any, ...]
    """The state of each rule that is a fold itself; None of the others."""
    rung: tuple[Signals, ...]
    """What each rule that is a fold itself says; nothing of the others."""
    episodes: tuple[Episodes, ...]
    """Each rule's episodes so far, those of emerging rules merged into stories."""

    @property
    def ringing(self) -> tuple[Signals, ...]:
        """Whom each rule rings for now."""
        return tuple(map(ringing, self.episodes))


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
            start_sessions(pupils), start_diary(pupils), start_days(pupils),
            tuple(states), self._nobody, tuple({} for _ in self._nobody),
        )  # fmt: skip

    def advance(self, progress: Progress, column: Column) -> Progress:
        """Step every rule over one session."""
        ordinal, episodes = column.ordinal, progress.episodes
        sessions, tallies, news = take_session(progress.sessions, column, self._of_sessions)
        entries = self._of_sessions.entries(episodes, news, progress.sessions, sessions)
        diary, whole = step_diary(progress.diary, ordinal, column.codes)
        days, day = progress.days, None
        if whole is not None:
            days, day, news = take_day(days, whole, column, sessions, self._of_days)
        if day is not None:
            entries += self._of_days.entries(episodes, news, progress.days, days)
        # `_replace` is slower.
        column = Column._make((*column[:SENT], tallies, sessions.school, day))
        states, rung = list(progress.states), list(progress.rung)
        for n, rule in self._others:
            states[n], rung[n] = rule.step(states[n], column)
            if rung[n] is not progress.rung[n] and n not in self._turns.ranked:
                entries += between(n, progress.rung[n], rung[n])
        if day is not None:
            self._turns.join(rung, days, day)  # in place: nobody has seen these stories yet
            entries += told(progress.days.stories, days.stories)
        return Progress(
            sessions, diary, days, tuple(states), tuple(rung),
            noted(episodes, entries, ordinal) if entries else episodes,
        )  # fmt: skip


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

    def join(self, rung: Sequence[Signals], days: Days, day: Day) -> None:
        """Write what rings into the stories after the day."""
        stories, year = days.stories, days.academic_year
        if not any(len(rung[n].pupils) for n in self._folds):
            join_looked(stories, self._looked, day, year)
            return
        for n in self.ranked:
            if n in self._alone:
                join_looked(stories, self._alone[n], day, year)
            else:
                join_rung(stories, n, rung[n], day, year)


def _together(ranked: Mapping[int, tuple[int, PupilRule]]) -> Looked:
    places = [place for place, _ in ranked.values()]
    severities = [rule.severities[0] for _, rule in ranked.values()]
    return Looked(
        np.array(places, np.int32), np.array([*ranked], np.int32), np.array(severities, np.uint8)
    )
