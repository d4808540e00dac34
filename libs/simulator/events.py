"""What befalls many pupils of a school at once, and is no sign about any one of them."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from libs.common.codes import NUMBERS, Codes, in_use_on
from libs.simulator.calendar import terms_of
from libs.simulator.customs import household_rng
from libs.simulator.dfe import PUBLISHED
from libs.simulator.patterns import Place
from libs.simulator.people import Pupil
from libs.simulator.spells import Bools, Lengths, spells

FLU = Lengths((1, 2, 3, 4, 5), (0.15, 0.25, 0.3, 0.2, 0.1))
BUG = Lengths((2, 3), (0.7, 0.3))
"""School days that a pupil is away; 48 hours after a stomach upset is what schools ask for."""


class Event(NamedTuple):
    """A mass event in one school: its school days, and the year groups concerned; None is all."""

    kind: str
    days: tuple[date, ...]
    year_groups: tuple[str, ...] | None


class Scene(NamedTuple):
    """Where an event happens: codes, shape (S, P), still 0 where a pupil would be present."""

    codes: Codes
    days: tuple[date, ...]
    pupils: tuple[Pupil, ...]
    years: list[str]
    usual_illness: float
    seed: list[int]

    def of_years(self, years: Iterable[str]) -> Bools:
        """Return who is in these year groups, bool, shape (P,)."""
        wanted = set(years)
        return np.array([pupil.year_group in wanted for pupil in self.pupils])

    def write(self, first: int, away: Bools, code: str, *, over: bool = False) -> None:
        """Write a code on days from place `first` on, where `away`, shape (days, P), is true.

        Where there is a code already it stays, if not `over`.
        """
        here = self.codes[2 * first : 2 * (first + len(away))]
        sessions = np.repeat(away, 2, axis=0)[: len(here)]
        here[sessions if over else sessions & (here == 0)] = NUMBERS[code]


def no_events(
    _seed: list[int], _codes: Codes, _place: Place, _pupils: tuple[Pupil, ...]
) -> tuple[Event, ...]:
    """Nothing befalls anybody but one by one."""
    return ()


def mass_events(
    seed: list[int], codes: Codes, place: Place, pupils: tuple[Pupil, ...]
) -> tuple[Event, ...]:
    """Write a year's mass events into `codes`, shape (S, P), 0 for presence; return them by day.

    Snow, a strike and a day of observance are the same days in the whole authority.

    Args:
        seed: of the year, the academic year, the school's number.
    """
    _, phase, calendar = place
    years = list(dict.fromkeys(pupil.year_group for pupil in pupils))
    scene = Scene(codes, calendar.days, pupils, years, PUBLISHED[phase].illness / 100, seed[:2])
    common = np.random.default_rng([*seed[:2], 0, 4])
    rng = np.random.default_rng([*seed, 3])
    winter, spring = (terms_of(seed[1])[n].starts_on for n in (2, 3))
    snow = winter + timedelta(int(common.integers(7, 26)))
    strike = spring + timedelta(int(common.integers(3, 20)))
    feast = terms_of(seed[1])[4].starts_on + timedelta(int(common.integers(8, 25)))
    found = [
        snow_day(rng, scene, _weekday_from(snow)),
        strike_day(rng, scene, _weekday_from(strike)) if rng.random() < 0.7 else None,
        observance(rng, scene, _weekday_from(feast)) if rng.random() < 0.7 else None,
        flu(rng, scene) if rng.random() < 0.6 else None,
        stomach_bug(rng, scene) if rng.random() < 0.8 else None,
        trip(rng, scene),
        trip(rng, scene),
    ]
    return tuple(sorted((e for e in found if e), key=lambda e: (e.days, e.kind)))


def snow_day(rng: np.random.Generator, scene: Scene, day: date) -> Event | None:
    """Close the site, or keep it open to the fewer half; None where the school is shut anyway."""
    if day not in scene.days:
        return None
    at, pupils = scene.days.index(day), len(scene.pupils)
    if rng.random() < 0.4:
        scene.write(at, np.ones((1, pupils), np.bool_), _unable(day, "Y4"), over=True)
        return Event("site-closed", (day,), None)
    away = rng.random((1, pupils)) < 0.45 + 0.3 * rng.random()
    # Some schools accept that the roads were closed, some want a reason from each family.
    no_way = rng.random((1, pupils)) < rng.random() * 0.5
    scene.write(at, away & no_way, _unable(day, "Y2"))
    scene.write(at, away & (rng.random((1, pupils)) < rng.random()), "C")
    scene.write(at, away, "O")
    return Event("snow-day", (day,), None)


def strike_day(rng: np.random.Generator, scene: Scene, day: date) -> Event | None:
    """Close part of the school; some of the others stay at home too."""
    if day not in scene.days:
        return None
    at, pupils = scene.days.index(day), len(scene.pupils)
    shut = rng.permutation(scene.years)[: int(rng.integers(1, len(scene.years)))].tolist()
    closed = scene.of_years(shut)[None, :]
    scene.write(at, closed, _unable(day, "Y3"), over=True)
    scene.write(at, ~closed & (rng.random((1, pupils)) < 0.1 + 0.1 * rng.random()), "O")
    return Event("strike", (day,), tuple(y for y in scene.years if y in shut))


def observance(rng: np.random.Generator, scene: Scene, day: date) -> Event | None:
    """Let some households observe a religious day: from one in thirty to half of a school."""
    if day not in scene.days:
        return None
    share = 0.03 + 0.47 * rng.random() ** 2
    lots = [household_rng([*scene.seed, day.toordinal()], pupil).random() for pupil in scene.pupils]
    scene.write(scene.days.index(day), np.array(lots)[None, :] < share, "R")
    return Event("religious-observance", (day,), None)


def flu(rng: np.random.Generator, scene: Scene) -> Event:
    """Raise illness to three or four times the usual for two to three weeks."""
    lasts = int(rng.integers(10, 16))
    first = _somewhere(rng, scene, lasts, (30, 120))
    # On top of the usual; the days at either end see little of it.
    extra = scene.usual_illness * (2.4 + 1.3 * rng.random())
    return _outbreak(rng, scene, "flu-wave", (first, lasts), extra, FLU)


def stomach_bug(rng: np.random.Generator, scene: Scene) -> Event:
    """Send a fifth to a half of a year group home within a week."""
    year = scene.years[int(rng.integers(len(scene.years)))]
    lasts = int(rng.integers(4, 8))
    first = _somewhere(rng, scene, lasts, (15, 175))
    caught = 0.2 + 0.3 * rng.random()
    share = caught * BUG.mean / lasts
    return _outbreak(rng, scene, "stomach-bug", (first, lasts), share, BUG, (year,))


def trip(rng: np.random.Generator, scene: Scene) -> Event:
    """Take most of a year group away for one to five days, as educational activity."""
    year = scene.years[int(rng.integers(len(scene.years)))]
    lasts = int(rng.integers(1, 6))
    first = _somewhere(rng, scene, lasts, (15, 185))
    goes = scene.of_years((year,)) & (rng.random(len(scene.pupils)) < 0.85)
    code = "V" if rng.random() < 0.7 else "B"
    scene.write(first, np.tile(goes, (lasts, 1)), code)
    return Event("trip", scene.days[first : first + lasts], (year,))


def _outbreak(
    rng: np.random.Generator,
    scene: Scene,
    kind: str,
    when: tuple[int, int],
    share: float,
    lengths: Lengths,
    years: tuple[str, ...] | None = None,
) -> Event:
    """Write spells of illness over `when`: the first school day's place, and how many.

    Args:
        share: of the days of those concerned that the outbreak takes, on average.
        years: who is concerned; None is all.
    """
    first, lasts = when
    profile = np.sin(np.pi * (np.arange(lasts) + 0.5) / lasts)
    shares = np.where(scene.of_years(years or scene.years), share, 0.0)
    ill = spells(rng, shares, np.round(profile / profile.mean(), 9), lengths)
    scene.write(first, ill, "I")
    return Event(kind, scene.days[first : first + lasts], years)


def _somewhere(rng: np.random.Generator, scene: Scene, lasts: int, between: tuple[int, int]) -> int:
    """Return the place of a first day from which on no holiday falls into so many school days."""
    ordinals = np.array([day.toordinal() for day in scene.days])[slice(*between)]
    span = ordinals[lasts - 1 :] - ordinals[: len(ordinals) - lasts + 1]
    # A weekend for every five days, one more for where it begins, an INSET day.
    return between[0] + int(rng.choice(np.flatnonzero(span < lasts + 2 * (lasts // 5 + 1) + 1)))


def _unable(day: date, code: str) -> str:
    # Y1 to Y7 came on 19 August 2024; Y alone was right before.
    return code if in_use_on(day)[NUMBERS[code]] else "Y"


def _weekday_from(day: date) -> date:
    return day + timedelta(7 - day.weekday() if day.weekday() > 4 else 0)
