"""The way of a bell reads what concerns it, however large the installation is."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

from libs.common.database import Database
from libs.common.school_day import utc_now
from libs.common.settings import ServiceSettings
from services.notify import delivery_store
from tests.service.notify_app import ADA, AGENCIES, URN, House, bell, running, works

IN_ORDER = "SCAN disclosure"
"""The ledger's end: its last row by its primary key, and no further."""


@pytest.fixture
async def house(settings: ServiceSettings) -> AsyncIterator[House]:
    async with running(settings) as house:
        await house.settle()
        yield house


async def plan_of(house: House, statement: str, values: Any) -> set[str]:
    """Return the steps of SQLite's plan for a statement, as a process makes it that starts."""
    database = Database(house.app.state.settings.database_url, "notify")
    async with database.reading() as db:
        plan = await db.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        lines = {row.detail for row in plan}
    await database.close()
    return lines


async def scans_of(house: House, statement: str, values: Any) -> set[str]:
    """Return the tables that SQLite reads from end to end for a statement."""
    lines = await plan_of(house, statement, values)
    no_table = ("SCAN CONSTANT ROW", "SCAN (subquery")
    return {one for one in lines if one.startswith("SCAN") and not one.startswith(no_table)}


async def test_no_statement_on_a_bells_way_reads_a_whole_table(house: House) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        asked.append((statement, values))

    notifier, database = house.app.state.notifier, house.app.state.database
    async with database.transaction() as db:
        event.listen(db.sync_connection, "before_cursor_execute", note)
        await notifier.handle(db, [bell()])
    reads = [one for one in asked if one[0].startswith("SELECT")]
    scans = {scan for one in reads for scan in await scans_of(house, *one)}

    assert len(reads) > 8
    assert scans == {IN_ORDER}


async def test_a_bell_is_a_fixed_number_of_statements_however_many_it_concerns(
    house: House,
) -> None:
    def counted(*_: Any) -> None:
        counts[-1] += 1

    counts: list[int] = []
    notifier, database = house.app.state.notifier, house.app.state.database
    for first, many in ((1, 1), (2, 40)):
        counts.append(0)
        async with database.transaction() as db:
            event.listen(db.sync_connection, "before_cursor_execute", counted)
            await notifier.handle(db, [bell(number=first + n) for n in range(many)])
            event.remove(db.sync_connection, "before_cursor_execute", counted)

    assert counts[0] == counts[1]


async def test_what_a_message_waits_for_is_looked_for_among_its_endpoints_own(
    house: House,
) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        asked.append((statement, values))

    async with house.app.state.database.reading() as db:
        event.listen(db.sync_connection, "before_cursor_execute", note)
        await delivery_store.due(db, utc_now(), {UUID(int=1)}, 8)
    (due,) = (one for one in asked if one[0].startswith("SELECT"))
    steps = await plan_of(house, *due)
    waits = {step.rpartition("(")[2] for step in steps if step.startswith("SEARCH earlier")}

    assert any("ix_delivery_due (state=? AND next_attempt_at<?)" in step for step in steps)
    assert {wait.partition(" ")[0] for wait in waits} == {"endpoint=?"}


async def test_a_school_that_an_agency_serves_no_more_is_no_way_to_its_people(house: House) -> None:
    await house.tell(bell(number=1))
    await house.put("/v1/agencies/elm", {**AGENCIES["elm"], "urns": ["100001"]})
    await house.tell(bell(number=2))
    await house.put("/v1/agencies/elm", {**AGENCIES["elm"], "urns": ["100001", URN, URN]})
    await house.tell(bell(number=3))

    told = [one["recipient"] for one in await house.ledger()]
    assert (told.count("sue"), told.count("sam")) == (2, 3)


async def test_who_covers_for_a_stand_in_is_told_too_from_wherever_they_are(house: House) -> None:
    for id in ("tom", "zoe"):
        body = {"name": id, "agency": "care", "roles": ["social_worker"]}
        await house.put(f"/v1/practitioners/{id}", body)
    await house.involve(works("sam"), upn=ADA)
    for who, by in (("sam", "tom"), ("tom", "zoe")):
        body = {"by": by, "from": "2020-01-01", "to": "2099-01-01"}
        await house.put(f"/v1/practitioners/{who}/cover", body)
    await house.tell(bell())

    told = {one["recipient"] for one in await house.ledger()}
    assert {"sam", "tom", "zoe"} <= told
