"""A made-up authority whose every name, number and comment is a word that stands nowhere else."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

from libs.common.school_day import academic_year_of, london_day, utc_now
from libs.simulator import Authority, Register, School, simulate
from services.simulate import line_of

LA = "330"
DAYS = 12
WORKERS = 4


class Word(NamedTuple):
    """A word, and which part of which child's data it is."""

    upn: str
    field: str


class Data:
    """The authority's rolls and registers with such words, and whose each word is."""

    def __init__(self, schools: int) -> None:
        today = london_day(utc_now())
        year = academic_year_of(today) - (today.month in {8, 9})
        self.authority: Authority = simulate(seed=11, academic_year=year, schools=schools, la=LA)
        until = min(today, date(year, 12, 18))
        self.last = max(register.day for _, register in self._registers(until))
        """The latest school day."""
        self.words: dict[str, Word] = {}
        self.school_of: dict[str, str] = {}
        self._comments = 0

    def roll(self, school: School) -> list[dict[str, Any]]:
        """Return a school's roll, each pupil under names and identifiers of their own."""
        return [self._pupil(school, pupil) for pupil in school.roll]

    def _pupil(self, school: School, pupil: dict[str, Any]) -> dict[str, Any]:
        number = f"{len(self.school_of):05d}"
        own = {
            "given_name": f"Given{number}q",
            "family_name": f"Family{number}q",
            "social_care": f"LCS{number}q",
            "police": f"PNC{number}q",
            "health": f"NHS{number}q",
        }
        self.school_of[pupil["upn"]] = school.urn
        self.words[pupil["upn"]] = Word(pupil["upn"], "upn")
        self.words |= {word: Word(pupil["upn"], field) for field, word in own.items()}
        names = {name: own.pop(name) for name in ("given_name", "family_name")}
        return {**pupil, **names, "home_la": LA, "identifiers": own}

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield the registers of the last weeks in order; some marks have comments."""
        made = sorted(
            self._registers(self.last),
            key=lambda one: (one[1].sent_on, one[1].day, one[1].session, one[0].urn),
        )
        for school, register in made:
            line = line_of(school, register)
            absent = [mark for mark in line["marks"] if mark["code"] not in "/\\"]
            for mark in absent[:3]:
                self._comments += 1
                mark["comment"] = f"comment{self._comments:06d}q"
                self.words[mark["comment"]] = Word(mark["upn"], "comment")
            yield line

    def _registers(self, until: date) -> Iterator[tuple[School, Register]]:
        for school in self.authority.schools:
            for register in school.registers(until - timedelta(days=DAYS), until):
                yield school, register

    def found_in(self, text: str) -> set[Word]:
        """Return whose words, and which, stand in a text."""
        words = _WORD.findall(text)
        return {self.words[word] for word in words if word in self.words}


_WORD = re.compile(r"(?:Given|Family|LCS|PNC|NHS|comment)\d+q|[A-Z]\d{11}[\dA-Z]", re.ASCII)
