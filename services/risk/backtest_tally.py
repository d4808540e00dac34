"""Pure: what came of two sets of rules, in numbers that add up over pupils and schools."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from statistics import median

from services.risk.backtest_pairs import Pair, Rung

SESSIONS_A_WEEK = 10

Figures = dict[str, float | None]
"""Figures by name; None: there is nothing to tell it of."""


@dataclass
class Tally:
    """What came of two sets of rules for some pupils."""

    pupil_sessions: int = 0
    """Sessions with a mark in the window, over all pupils."""
    current: Counter[str] = field(default_factory=Counter)
    new: Counter[str] = field(default_factory=Counter)
    """Bells raised in the window, by kind."""
    gained: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    """Bells that ring under one set alone, by kind."""
    renamed: Counter[str] = field(default_factory=Counter)
    """Stories that have another kind under the new rules, by the current kind."""
    sooner: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Bells that ring under both, by the current kind and how many school days sooner the new rules
    ring them; below 0 is later."""
    crossing: int = 0
    """Pupils who came to 10 % of a year's sessions missed: see `Crossings`."""
    warned_current: Counter[int] = field(default_factory=Counter)
    warned_new: Counter[int] = field(default_factory=Counter)
    """Of these, those of whom a compared bell had rung that year, by school days before."""

    def __add__(self, other: "Tally") -> "Tally":
        """Return both together."""
        names = [one.name for one in fields(self)]
        return Tally(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def kinds(self) -> list[str]:
        """The kinds that rang under either set."""
        return sorted(self.current.keys() | self.new.keys())

    def note(self, pair: Pair, counts: Callable[[Rung], bool]) -> None:
        """Count a bell; `counts` says whether it was raised in the window."""
        was, now = pair
        if was and counts(was):
            self.current[was.kind] += 1
            self.lost[was.kind] += now is None
        if now and counts(now):
            self.new[now.kind] += 1
            self.gained[now.kind] += was is None
        if was and now:
            self.sooner[was.kind, was.day - now.day] += 1
            self.renamed[was.kind] += was.kind != now.kind

    def note_crossing(self, day: int, current: int | None, new: int | None) -> None:
        """Count a pupil who came to 10 %, and the day of their first bell under either set."""
        self.crossing += 1
        for warned, first in ((self.warned_current, current), (self.warned_new, new)):
            if first is not None and first < day:
                warned[day - first] += 1

    def figures(self, kind: str | None = None) -> Figures:
        """Return the bells' figures: of one kind, or of all together.

        `current_burden` and `new_burden` are bells per 1,000 pupils and week of ten sessions;
        `sooner` and `later` count bells, `days_sooner` is the median over all that ring under both.
        """
        weeks = self.pupil_sessions / SESSIONS_A_WEEK
        both = [days for (k, days) in self.sooner.elements() if kind in (None, k)]
        counts = {
            name: getattr(self, name).total() if kind is None else getattr(self, name)[kind]
            for name in ("current", "new", "gained", "lost", "renamed")
        }
        return {
            **counts,
            "current_burden": 1000 * counts["current"] / weeks if weeks else None,
            "new_burden": 1000 * counts["new"] / weeks if weeks else None,
            "both": len(both),
            "sooner": sum(days > 0 for days in both),
            "later": sum(days < 0 for days in both),
            "days_sooner": median(both) if both else None,
        }

    def warnings(self) -> Figures:
        """Return how many pupils came to 10 %, and how many were told of before, how long."""
        found: Figures = {"crossing": self.crossing}
        for name, warned in (("current", self.warned_current), ("new", self.warned_new)):
            leads = list(warned.elements())
            found[f"{name}_warned"] = len(leads)
            found[f"{name}_days_before"] = median(leads) if leads else None
        return found
