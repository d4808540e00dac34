"""How a school's rules are stepped over its sessions, and the episodes that they ring for."""

from collections.abc import Sequence
from typing import NamedTuple

from services.risk import register
from services.risk.episodes import Episodes, noted, ringing
from services.risk.fold import Column, Rule
from services.risk.others import Others, Stepped
from services.risk.register import State
from services.risk.running import Running
from services.risk.signals import Signals
from services.risk.signs import NEW_YEAR, NEW_YEAR_OF_DAYS


class Progress(NamedTuple):
    """A fold that has come as far as some session: give it to `Fold.advance` to go on from there.

    Nothing in it is ever changed in place.
    """

    looked: State
    """What the rules that look at one pupil at a time have come to."""
    stepped: Stepped
    """What the rules that are folds themselves have."""
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
        self._rules = len(rules)
        self._running = Running(rules)
        self._others = Others(rules, self._running.looked)

    def begin(self, pupils: int) -> Progress:
        """Return the fold before the first session of a book with this many pupils."""
        episodes: tuple[Episodes, ...] = tuple({} for _ in range(self._rules))
        return Progress(register.start(pupils), self._others.start(pupils), episodes)

    def advance(self, progress: Progress, column: Column) -> Progress:
        """Step every rule over one session."""
        before, episodes, year = progress.looked, progress.episodes, column.academic_year
        looked, taken = register.take(before, column, self._running, self._others.want_days)
        stepped, entries = self._others.step(progress.stepped, column, looked, taken)
        stories = self._others.join(stepped, before.stories, looked.stories, taken, year)
        if taken.limits is not None:
            entries += taken.limits.tolist()
        if taken.signs & (NEW_YEAR | NEW_YEAR_OF_DAYS):
            entries += self._running.anew(episodes, taken.signs, year, looked)
        if stories is not None:
            entries += stories.tolist()
        return Progress(
            looked, stepped, noted(episodes, entries, column.ordinal) if entries else episodes
        )
