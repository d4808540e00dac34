"""What an operator sees of the work itself: registers, bells, alerts, messages, decisions."""

from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime, time, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from libs.common.operation import Figures
from libs.common.school_day import LONDON, academic_year_of, london_day, utc_now
from libs.common.settings import ServiceSettings
from services import up
from services.ingest.main import create_app as create_ingest
from services.notify.main import create_app as create_notify
from services.risk.figures import measuring
from services.risk.main import create_app as create_risk
from tests.conftest import serving, until

URN, SILENT, ADA = "100000", "100001", "B801200005001"
TODAY = london_day(utc_now())
DAY = next(d for n in range(1, 4) if (d := TODAY - timedelta(days=n)).weekday() < 5)
"""The last weekday before today: a school is open on no other."""
EVENING = datetime.combine(DAY, time(20), LONDON)
CALENDAR = {"terms": [{"starts_on": str(DAY), "ends_on": str(DAY)}], "closed": []}
PUPIL = {
    "upn": ADA, "given_name": "Ada", "family_name": "Example", "date_of_birth": "2014-02-03",
    "year_group": "7", "entered_on": "2020-09-01", "identifiers": {"social_care": "LCS-81"},
}  # fmt: skip
INVOLVEMENT = {
    "practitioner": "sam", "role": "social_worker", "footing": "child_in_need",
    "from": "2020-01-01", "to": None,
}  # fmt: skip
NOBODY_THERE = "http://127.0.0.1:9/"


async def told(client: httpx.AsyncClient, service: str, name: str, **labels: str) -> float:
    """Return one figure; 0 where there is no such line."""
    answer = await client.get(f"/{service}/metrics")
    return sum(
        sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == f"firstbell_{name}" and labels.items() <= sample.labels.items()
    )


async def somebody_to_tell(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """A child's social worker, whose endpoint does not answer."""
    agency = {"name": "Care", "kind": "social_care", "la": "801"}
    worker = {"name": "Sam Worker", "agency": "care", "roles": ["social_worker"]}
    endpoint = {"practitioner": "sam", "url": NOBODY_THERE}
    for path, body in (
        ("agencies/care", agency),
        ("practitioners/sam", worker),
        (f"children/{ADA}/involvements", {"involvements": [INVOLVEMENT]}),
    ):
        await client.put(f"/notify/v1/{path}", json=body, headers=headers)
    await client.put(f"/ingest/v1/schools/{URN}/roll", json={"pupils": [PUPIL]}, headers=headers)
    made = await client.post("/notify/v1/endpoints", json=endpoint, headers=headers)
    assert made.status_code == 201


async def test_bells_alerts_decisions_and_failing_endpoints_are_told(
    settings: ServiceSettings, token: Callable[..., dict[str, str]]
) -> None:
    headers = token(scope="admin")
    async with serving(up.create_app(settings), *up.SERVICES, settings=settings) as client:
        await somebody_to_tell(client, headers)
        before = await told(client, "notify", "decisions_total", decision="shared")
        marks = {"marks": [{"upn": ADA, "code": "N"}]}
        path = f"/ingest/v1/schools/{URN}/registers/{TODAY}/am"
        await client.put(path, json=marks, headers=headers)

        async def failing() -> float:
            return await told(client, "notify", "deliveries_failing")

        await until(failing)
        kind = {"kind": "unexplained-absence"}

        assert await told(client, "risk", "bells_ringing", **kind) == 1
        assert await told(client, "risk", "bells_raised_today", **kind) == 1
        assert await told(client, "notify", "alerts_unacknowledged", **kind) == 1
        assert await told(client, "notify", "alerts_unacknowledged_oldest_seconds") > 0
        assert await told(client, "notify", "deliveries", state="pending") == 1
        shared = await told(client, "notify", "decisions_total", decision="shared")
        assert shared == before + 1


async def test_a_school_whose_register_has_not_come_is_named_and_counted(
    settings: ServiceSettings, token: Callable[..., dict[str, str]]
) -> None:
    """Both schools have sent one of the day's registers; one of them, not the afternoon's."""
    headers = token(scope="admin")
    app = create_risk(settings)
    async with (
        serving(create_ingest(settings), "ingest", settings=settings) as ingest,
        serving(app, "risk", settings=settings),
    ):
        for urn, session, code in ((URN, "pm", "\\"), (SILENT, "am", "/")):
            school = f"/v1/schools/{urn}"
            path = f"{school}/calendar/{academic_year_of(DAY)}"
            await ingest.put(path, json=CALENDAR, headers=headers)
            marks = {"marks": [{"upn": ADA, "code": code}]}
            await ingest.put(f"{school}/registers/{DAY}/{session}", json=marks, headers=headers)

        async def measured() -> dict[str, float]:
            figures = Figures("risk")
            async with app.state.database.reading() as db:
                await measuring(settings, lambda: EVENING)(db, figures)
            samples = [sample for family in figures.collect() for sample in family.samples]
            return {s.name + s.labels.get("urn", ""): s.value for s in samples}

        async def both() -> bool:
            return (await measured())["firstbell_registers_expected"] == 2

        await until(both)

        assert (await measured())["firstbell_registers_missing"] == 1
        assert (await measured())[f"firstbell_register_missing{SILENT}"] == 1
        assert f"firstbell_register_missing{URN}" not in await measured()


A_ROW_A_SCHOOL = {"SCAN calendar"}
"""Whose registers are expected is asked of every school."""


@pytest.mark.parametrize(
    ("create", "name"),
    [(create_ingest, "ingest"), (create_risk, "risk"), (create_notify, "notify")],
)
async def test_a_scrape_reads_no_whole_table(
    create: Callable[[ServiceSettings], FastAPI], name: str, settings: ServiceSettings
) -> None:
    asked: list[tuple[str, Any]] = []

    # The service's own work goes on beside: only what the scrape asks is looked at.
    scraped = ContextVar("scraped", default=False)

    def note(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        if scraped.get():
            asked.append((statement, values))

    app = create(settings)
    async with serving(app, name, settings=settings) as client:
        engine = app.state.database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        scraped.set(True)
        assert (await client.get("/metrics")).is_success
        event.remove(engine, "before_cursor_execute", note)
        reads = [one for one in asked if "\nFROM " in one[0]]
        async with app.state.database.reading() as db:
            plans = [await db.exec_driver_sql(f"EXPLAIN QUERY PLAN {s}", v) for s, v in reads]
        lines = {row.detail for plan in plans for row in plan}

    assert len(reads) >= 4
    # An index of what is counted, and of nothing else, is what it is to read.
    whole = {one for one in lines if one.startswith("SCAN") and " USING " not in one}
    assert whole <= A_ROW_A_SCHOOL
