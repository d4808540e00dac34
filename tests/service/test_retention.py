"""What is older than the settings let it be is erased, and nothing else; the ledger still holds."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from libs.common import migrations
from libs.common.database import Database
from libs.common.events import RegisterTaken, RollChanged, RollPupil
from libs.common.retention import first_day_kept, years_before
from libs.common.school_day import Session, utc_now
from libs.common.settings import ServiceSettings
from services.ingest import retention as ingest
from services.notify import retention as notify
from services.risk import retention as risk
from services.risk.catalogue import RULES
from services.risk.evaluate import Evaluator
from tests.conftest import until
from tests.service import ingest_app
from tests.service.notify_app import ADA, CaseSystem, House, bell, running

URN = "100000"


@pytest.mark.parametrize(
    ("today", "years", "before"),
    [(date(2026, 9, 14), 6, date(2020, 9, 14)), (date(2028, 2, 29), 6, date(2022, 2, 28))],
)
def test_the_same_day_years_before(today: date, years: int, before: date) -> None:
    assert years_before(today, years) == before


@pytest.mark.parametrize(
    ("today", "first"),
    [(date(2026, 7, 31), date(2022, 8, 1)), (date(2026, 8, 1), date(2023, 8, 1))],
)
def test_bells_are_kept_by_whole_academic_years(today: date, first: date) -> None:
    assert first_day_kept(today, 3) == first


async def scalars(database: Database, query: str) -> list[Any]:
    async with database.reading() as db:
        return list(await db.scalars(text(query)))


async def test_a_register_is_kept_six_years_from_its_last_entry(tmp_path: Path) -> None:
    now = utc_now().date()
    days = [now - timedelta(days=back) for back in (30, 29, 1)]
    async with ingest_app.running(tmp_path) as (app, client):
        for day in days:
            path = f"/v1/schools/{URN}/registers/{day}/am"
            assert (await client.put(path, json=ingest_app.register("NN"))).status_code == 202
        corrected = f"/v1/schools/{URN}/registers/{days[1]}/am"
        assert (await client.put(corrected, json=ingest_app.register("IN"))).status_code == 202
        database, settings = app.state.database, app.state.settings
        held = "SELECT day FROM register ORDER BY day"

        soon = await ingest.erase(database, settings, now.replace(year=now.year + 5))
        in_six_years = now.replace(year=now.year + 6) - timedelta(days=10)
        first = await ingest.erase(database, settings, in_six_years)

        assert (soon["registers"], first["registers"], first["corrections"]) == (0, 1, 0)
        assert await scalars(database, held) == [str(day) for day in days[1:]]
        assert (await client.get(corrected)).json()["marks"][0]["code"] == "I"
        later = await ingest.erase(database, settings, in_six_years + timedelta(days=30))
        assert (later["registers"], later["corrections"]) == (2, 1)


@pytest.fixture
async def books(settings: ServiceSettings) -> AsyncIterator[Database]:
    await migrations.upgrade("risk", settings.database_url)
    database = Database(settings.database_url, "risk")
    yield database
    await database.close()


def register(day: date, codes: str, revision: int) -> RegisterTaken:
    upns = [ingest_app.upn(n) for n in range(1, len(codes) + 1)]
    at = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
    return RegisterTaken(
        occurred_at=at, urn=URN, day=day, session=Session.am, group=None, revision=revision,
        upns=upns, codes=list(codes), minutes_late={}, backfill=False,
    )  # fmt: skip


async def test_bells_go_with_their_marks_and_do_not_ring_anew(
    books: Database, settings: ServiceSettings
) -> None:
    evaluator = Evaluator(RULES)
    years = [date(2021, 9, 13), date(2025, 9, 15)]
    gone = RollPupil(
        upn=ingest_app.upn(2), given_name="Ben", family_name="Example", year_group="11",
        date_of_birth=date(2006, 2, 3), entered_on=date(2017, 9, 1), left_on=date(2022, 7, 1),
    )  # fmt: skip
    roll = RollChanged(occurred_at=utc_now(), urn=URN, revision=1, pupils=[gone])
    registers = [
        register(start + timedelta(days=n), codes, 1)
        for start, codes in zip(years, ("OO", "O"), strict=True)
        for n in range(16)
        if n % 7 < 5
    ]
    async with books.transaction() as db:
        await evaluator.handle(db, [roll, *registers])
    every = "SELECT count(*) FROM bell WHERE raised_on < '2022-08-01'"
    assert (await scalars(books, every))[0] > 0
    later = "SELECT id || status || sequence FROM bell WHERE raised_on > '2025-01-01' ORDER BY id"
    kept = await scalars(books, later)

    erased = await risk.erase(books, settings, date(2026, 11, 24))
    async with books.transaction() as db:
        await evaluator.handle(db, [register(date(2025, 10, 1), "/", 1)])

    assert erased["bells"] > 0
    assert (erased["sessions"], erased["pupils"]) == (12, 1)
    assert await scalars(books, every) == [0]
    assert len(kept) > 0
    still = "SELECT id FROM bell WHERE raised_on > '2025-01-01' ORDER BY id"
    assert set(await scalars(books, still)) >= {one[:32] for one in kept}
    assert ingest_app.upn(2) not in await scalars(books, "SELECT upn FROM pupil")
    assert await risk.erase(books, settings, date(2026, 11, 24)) == dict.fromkeys(erased, 0)


@pytest.fixture
async def house(settings: ServiceSettings) -> AsyncIterator[House]:
    async with running(settings) as house:
        await house.settle()
        yield house


async def test_alerts_and_messages_go_and_the_ledger_still_holds(house: House) -> None:
    with CaseSystem() as system:
        await house.endpoint(system.url())
        await house.tell(bell())
        await system.has(1)
        await until(lambda: ledger_has(house, 3))
    state = house.app.state
    day = timedelta(days=366)

    soon = await notify.erase(state.database, state.settings, utc_now().date())
    later = await notify.erase(state.database, state.settings, utc_now().date() + day)
    in_the_end = await notify.erase(state.database, state.settings, utc_now().date() + 8 * day)

    assert not any(soon.values())
    assert {name for name, number in later.items() if number} == {"deliveries"}
    assert {name: number for name, number in in_the_end.items() if number} == {
        "alerts": 2, "bells": 1, "disclosures": 2,
    }  # fmt: skip
    assert (await house.get("/v1/disclosures/verify"))["ok"] is True
    record = await house.get(f"/v1/children/{ADA}/record")
    assert record["alerts"] == record["bells"] == record["deliveries"] == []
    assert [one["decision"] for one in record["disclosures"]] == ["delivered"]


async def ledger_has(house: House, count: int) -> bool:
    return len(await house.records()) == count


async def test_a_childs_ended_involvements_are_emptied_and_can_be_set_again(house: House) -> None:
    ended = {
        "practitioner": "sam", "role": "social_worker", "footing": "child_in_need",
        "from": "2020-01-01", "to": "2021-01-01",
    }  # fmt: skip
    await house.involve(ended)
    state = house.app.state

    erased = await notify.erase(state.database, state.settings, date(2026, 11, 24))
    held = await house.get(f"/v1/children/{ADA}/involvements")
    await house.involve(ended)

    assert (erased["involvements"], held) == (1, {"involvements": []})
    revisions = await scalars(state.database, "SELECT revision FROM involvements")
    assert revisions == [3]
