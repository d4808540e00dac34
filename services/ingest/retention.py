"""Ingest's retention: registers six years from each entry, as the law has it; receipts less."""

from datetime import date, timedelta

from sqlalchemy import ColumnElement, exists

from libs.common.database import Database
from libs.common.retention import (
    Erased,
    erase_dead_letters,
    erase_where,
    start_of,
    years_before,
)
from libs.common.school_day import academic_year_of
from libs.common.settings import ServiceSettings
from services.ingest.tables import (
    QuarantinedMark,
    StoredCalendar,
    StoredCorrection,
    StoredPupil,
    StoredReceipt,
    StoredRegister,
)


async def erase(database: Database, settings: ServiceSettings, today: date) -> Erased:
    """Erase what is older than the settings let it be; return how many of what.

    Source: School Attendance (Pupil Registration) (England) Regulations 2024 (SI 2024/208): every
    entry in the registers is kept six years from the day on which it was made.
    """
    oldest = years_before(today, settings.retain_registers_years)
    receipts_from = start_of(today - timedelta(days=settings.retain_receipts_days))
    async with database.transaction() as db:
        erased = {
            "registers": await erase_where(db, StoredRegister, _is_over(oldest)),
            "corrections": await erase_where(
                db, StoredCorrection, StoredCorrection.at < start_of(oldest)
            ),
            "pupils": await erase_where(
                db, StoredPupil, StoredPupil.pupil["left_on"].as_string() < oldest.isoformat()
            ),
            "calendars": await erase_where(
                db, StoredCalendar, StoredCalendar.academic_year < academic_year_of(oldest)
            ),
            "receipts": await erase_where(db, StoredReceipt, StoredReceipt.at < receipts_from),
            "quarantined": await erase_where(
                db, QuarantinedMark, QuarantinedMark.at < receipts_from
            ),
        }
    return erased | await erase_dead_letters(database, settings, today)


def _is_over(oldest: date) -> ColumnElement[bool]:
    # A correction is an entry of its own: with it the register's six years begin anew.
    register, later = StoredRegister, StoredCorrection
    corrected = exists().where(
        later.urn == register.urn,
        later.day == register.day,
        later.session == register.session,
        later.at >= start_of(oldest),
    )
    corrected = corrected.correlate(register)
    return (register.day < oldest) & ~corrected
