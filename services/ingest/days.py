"""Which days a register can be for."""

from datetime import date

from libs.common.school_day import london_day, utc_now

FIRST_DAY = date(2000, 1, 1)


def fault_of_day(day: date) -> str | None:
    """Say why no register can be for this day; None when one can."""
    if day > london_day(utc_now()):
        return "a register is for today or a day gone by"
    if day < FIRST_DAY:
        return f"a register is for {FIRST_DAY} or later"
    return None
