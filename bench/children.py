"""Made-up children, a school's roll of them, and their bells."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from libs.common.events import Bell, BellChanged, RollChanged, RollPupil
from libs.common.identifiers import check_letter, id_of

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
URN = "100000"


def upn_of(number: int) -> str:
    """Return the nth child's UPN."""
    rest = f"801200{number:06d}"
    return check_letter(rest) + rest


def roll_of(upns: Sequence[str], home_la: str | None = None) -> RollChanged:
    """Return a roll of these children, each with the identifiers that agencies have for them."""
    pupils = [
        RollPupil(
            upn=upn,
            given_name="Given",
            family_name="Family",
            date_of_birth=date(2014, 1, 1),
            year_group="7",
            entered_on=date(2025, 9, 1),
            home_la=home_la,
            identifiers={"social_care": "S-1", "police": "P-1", "youth_justice": "Y-1"},
        )
        for upn in upns
    ]
    return RollChanged(occurred_at=AT, urn=URN, revision=1, pupils=pupils)


def bell_of(upn: str, number: int) -> BellChanged:
    """Return a child's nth bell, rung `number` seconds after `AT`."""
    marks = [{"date": "2026-11-24", "session": half, "code": "N"} for half in ("am", "pm")]
    bell = Bell(
        id=id_of("bench bell", upn, number),
        urn=URN,
        upn=upn,
        kind="unexplained-absence",
        severity="urgent",
        status="ringing",
        raised_on=AT.date(),
        raised_at=AT + timedelta(seconds=number),
        explanation="Absent and no reason is known yet (code N). The child has a social worker.",
        evidence={"sessions": marks},
        rule={"name": "unexplained-absence", "version": "1", "source": "guidance"},
    )
    return BellChanged(occurred_at=AT, change="raised", sequence=1, bell=bell)
