"""Every event, its topic and its key: the language that the services speak over the log.

Events are CloudEvents 1.0 in binary mode: attributes in the record's headers, JSON in its value.
Readers ignore fields that they do not know, so a field may be added without a new version.
"""

from datetime import date, datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

import msgspec

from libs.common.identifiers import id_of
from libs.common.school_day import Session

REGISTERS = "firstbell.registers.v1"
ROLL = "firstbell.roll.v1"
CALENDAR = "firstbell.calendar.v1"
INVOLVEMENTS = "firstbell.involvements.v1"
BELLS = "firstbell.bells.v1"
FOLLOW_UPS = "firstbell.followups.v1"
JUDGEMENTS = "firstbell.judgements.v1"
TOPICS = (REGISTERS, ROLL, CALENDAR, INVOLVEMENTS, BELLS, FOLLOW_UPS, JUDGEMENTS)
COMPACTED = frozenset({INVOLVEMENTS})
"""Topics of which only each key's last event need stay."""
FEED = "firstbell.alerts.v1."
"""Before an agency's id: the topic of its alerts, for its own systems to read. No service does."""
DEAD_LETTERS = ".dlq"
"""What a topic's dead letters are kept under: the topic's name with this behind it."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, told to the other services."""

    topic: ClassVar[str]
    type: ClassVar[str]

    occurred_at: datetime

    @property
    def id(self) -> UUID:
        """The same thing happening is the same event, however often it is sent."""
        raise NotImplementedError(type(self))

    @property
    def key(self) -> str:
        """Whose events must stay in order."""
        raise NotImplementedError(type(self))


class RegisterTaken(Event, frozen=True, kw_only=True):
    """A school (or one group in it) has taken or corrected its register for one session.

    `upns` and `codes` are parallel: the marks that are new or changed, one pupil each.
    """

    topic = REGISTERS
    type = "uk.firstbell.register.taken"

    urn: str
    day: date
    session: Session
    group: str | None
    revision: int
    upns: list[str]
    codes: list[str]
    minutes_late: dict[str, int] = {}
    backfill: bool = False
    """True: bells are computed, and nobody is notified."""

    @property
    def id(self) -> UUID:
        """A school's session at one revision."""
        return id_of("register", self.urn, self.day, self.session, self.revision)

    @property
    def key(self) -> str:
        """One school's registers stay in order."""
        return self.urn


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """A pupil's attendance at former schools in one academic year, in sessions.

    As the common transfer file has it: Education (Pupil Information) (England) Regulations 2005,
    regulation 9 and schedule 2.
    """

    academic_year: int
    possible: int
    authorised: int
    unauthorised: int


class RollPupil(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One pupil on a school's admission register."""

    upn: str
    given_name: str
    family_name: str
    date_of_birth: date
    year_group: str
    group: str | None = None
    entered_on: date
    left_on: date | None = None
    home_la: str | None = None
    identifiers: dict[str, str] = {}
    household: str | None = None
    brought: Brought | None = None


class RollChanged(Event, frozen=True, kw_only=True):
    """Pupils have come onto a school's roll, changed on it, or been taken off it."""

    topic = ROLL
    type = "uk.firstbell.roll.changed"

    urn: str
    revision: int
    pupils: list[RollPupil]
    removed: list[str] = []

    @property
    def id(self) -> UUID:
        """A school's roll at one revision."""
        return id_of("roll", self.urn, self.revision)

    @property
    def key(self) -> str:
        """One school's roll stays in order."""
        return self.urn


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of school days, both ends included."""

    starts_on: date
    ends_on: date


class Closure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A day, or one session of it, on which the school is closed."""

    date: date
    session: Session | None = None
    reason: str


class CalendarSet(Event, frozen=True, kw_only=True):
    """A school has said when it is open in an academic year."""

    topic = CALENDAR
    type = "uk.firstbell.calendar.set"

    urn: str
    academic_year: int
    revision: int
    terms: list[Term]
    closed: list[Closure]

    @property
    def id(self) -> UUID:
        """A school's calendar at one revision."""
        return id_of("calendar", self.urn, self.academic_year, self.revision)

    @property
    def key(self) -> str:
        """One school's calendars stay in order."""
        return self.urn


class Involvement(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody works with a child: in which role, on what footing, from when to when."""

    role: str
    footing: str
    starts_on: date
    ends_on: date | None = None


class InvolvementsSet(Event, frozen=True, kw_only=True):
    """Who works with a child has been set anew. Which practitioner it is stays with notify."""

    topic = INVOLVEMENTS
    type = "uk.firstbell.involvements.set"

    upn: str
    revision: int
    involvements: list[Involvement]

    @property
    def id(self) -> UUID:
        """A child's involvements at one revision."""
        return id_of("involvements", self.upn, self.revision)

    @property
    def key(self) -> str:
        """One child's involvements stay in order."""
        return self.upn


class Bell(msgspec.Struct, frozen=True, kw_only=True):
    """One rule's finding about one pupil, as it stands."""

    id: UUID
    urn: str
    upn: str | None
    kind: str
    severity: Literal["notice", "warning", "urgent"]
    status: Literal["ringing", "cleared", "withdrawn"]
    raised_on: date
    raised_at: datetime
    explanation: str
    evidence: dict[str, Any]
    rule: dict[str, str]


class BellChanged(Event, frozen=True, kw_only=True):
    """A bell was raised, escalated, cleared or withdrawn."""

    topic = BELLS
    type = "uk.firstbell.bell.changed"

    change: Literal["raised", "escalated", "cleared", "withdrawn"]
    sequence: int
    bell: Bell
    quiet: bool = False
    """True: it came of a backfill, and nobody is notified."""

    @property
    def id(self) -> UUID:
        """A bell's nth change."""
        return id_of("bell", self.bell.id, self.sequence)

    @property
    def key(self) -> str:
        """One child's bells stay in order; a school's own bells, by school."""
        return self.bell.upn or self.bell.urn


class Spell(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions possible and missed, before a bell and after it."""

    possible_before: int
    missed_before: int
    possible_after: int
    missed_after: int


class BellFollowed(Event, frozen=True, kw_only=True):
    """How a pupil's attendance went on after a bell: 20 school days before it and 20 after.

    Told once, when these days are over. `alike` are pupils of the same school, without a bell in
    that time, whose absence before was nearest to this pupil's, added up; none where too few are.
    """

    topic = FOLLOW_UPS
    type = "uk.firstbell.bell.followed"

    bell: UUID
    upn: str
    pupil: Spell
    alike: Spell | None = None

    @property
    def id(self) -> UUID:
        """Once a bell."""
        return id_of("followed", self.bell)

    @property
    def key(self) -> str:
        """As of the child's bells."""
        return self.upn


class BellJudged(Event, frozen=True, kw_only=True):
    """Somebody has closed an alert, and so said whether its bell was a false one.

    Neither the child nor who it was is named, nor anything else of what they noted.
    """

    topic = JUDGEMENTS
    type = "uk.firstbell.bell.judged"

    bell: UUID
    alert: UUID
    closing: int
    """Which closing of the alert it is, from 1: it may have rung again. The last one counts."""
    urn: str
    kind: str
    version: str
    """The rule's, as the bell was told."""
    raised_on: date
    is_false: bool

    @property
    def id(self) -> UUID:
        """An alert's nth closing."""
        return id_of("judged", self.alert, self.closing)

    @property
    def key(self) -> str:
        """One bell's closings stay in order."""
        return str(self.bell)


EVENTS: tuple[type[Event], ...] = (
    RegisterTaken,
    RollChanged,
    CalendarSet,
    InvolvementsSet,
    BellChanged,
    BellFollowed,
    BellJudged,
)
"""Every event: one a topic."""
