"""PostgreSQL keeps tenants apart, and the ledger from the service's own role: proved by trying."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from libs.common import migrations, tenants
from libs.common.database import Database
from libs.common.settings import ServiceSettings
from libs.common.tenants import EVERYTHING, NOTHING, Scope
from services.cli.retention import ERASE
from services.up import SERVICES
from tests.conftest import until
from tests.service import ingest_app, notify_app
from tests.service.notify_app import ADA, BEN, CaseSystem, bell, works
from tests.service.test_judged import judged, ring, rule
from tests.service.test_risk import Risk
from tests.unit import databases

pytestmark = pytest.mark.postgres


class Installation(NamedTuple):
    """A migrated PostgreSQL database, and the settings of services that run as a plain role."""

    owner: str
    settings: ServiceSettings


@pytest.fixture
async def installation(settings: ServiceSettings, tmp_path: Path) -> AsyncIterator[Installation]:
    role = f"app_{uuid4().hex}"
    engine = create_async_engine(
        os.environ["FIRSTBELL_TEST_POSTGRES"], isolation_level="AUTOCOMMIT"
    )
    async with databases.empty("postgres", tmp_path) as owner, engine.connect() as server:
        await server.execute(text(f"CREATE ROLE {role} LOGIN"))
        try:
            for service in SERVICES:
                await migrations.upgrade(service, owner)
                await migrations.grant(service, owner, role)
                await migrations.grant(service, owner, role)
            url = make_url(owner).set(username=role).render_as_string(hide_password=False)
            yield Installation(owner, settings.model_copy(update={"database_url": url}))
        finally:
            async with create_async_engine(owner).begin() as db:
                await db.execute(text(f"DROP OWNED BY {role}"))
            await server.execute(text(f"DROP ROLE {role}"))
    await engine.dispose()


@asynccontextmanager
async def as_role(installation: Installation, service: str) -> AsyncIterator[Database]:
    database = Database(installation.settings.database_url, service)
    yield database
    await database.close()


async def seen(database: Database, query: str, scope: Scope) -> list[Any]:
    """Return a query's first column, as code that acts for this scope sees it."""
    tenants.act_for(scope)
    async with database.reading() as db:
        found = list(await db.scalars(text(query)))
    tenants.act_for(NOTHING)
    return found


TENANT_COLUMNS = {"urn", "agency"}
DIRECTORY = {("notify", "practitioner"), ("notify", "agency_school")}
"""Read by whoever routes; says nothing of a child."""


@pytest.mark.parametrize("service", SERVICES)
async def test_every_table_with_a_tenants_column_is_protected(
    installation: Installation, service: str
) -> None:
    tables = import_module(f"services.{service}.tables").Base.metadata.tables.values()
    wanted = {t.name for t in tables if TENANT_COLUMNS & set(t.columns.keys())}
    wanted -= {name for owner, name in DIRECTORY if owner == service}

    async with as_role(installation, service) as database, database.reading() as db:
        forced = await db.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity "
                "AND relnamespace = current_schema()::regnamespace"
            )
        )
        policies = await db.scalars(
            text(
                "SELECT tablename FROM pg_policies WHERE schemaname = current_schema() "
                "AND cmd = 'ALL' AND qual IS NOT NULL AND with_check IS NOT NULL"
            )
        )
        assert wanted <= set(forced)
        assert wanted <= set(policies)


@asynccontextmanager
async def ingest_with_two_schools(installation: Installation) -> AsyncIterator[Database]:
    own = ("100000", "100001")
    settings = installation.settings
    headers = ingest_app.headers_of(settings.data_dir, urns=own)
    app = SERVICES["ingest"](settings)
    async with started(app) as client:
        client.headers.update(headers)
        for urn, code in zip(own, "/N", strict=True):
            path = f"/v1/schools/{urn}"
            for codes in (code, "B", "nonsense"):
                body = {"marks": [{"upn": ingest_app.upn(1), "code": codes}]}
                answer = await client.put(f"{path}/registers/{ingest_app.DAY}/am", json=body)
                assert answer.status_code == 202, answer.text
            pupil = {
                "upn": ingest_app.upn(1), "given_name": "Ada", "family_name": "Example",
                "date_of_birth": "2014-02-03", "year_group": "7", "entered_on": "2020-09-01",
            }  # fmt: skip
            assert (await client.put(f"{path}/roll", json={"pupils": [pupil]})).is_success
            term = {"starts_on": "2026-09-01", "ends_on": "2026-12-18"}
            calendar = {"terms": [term], "closed": []}
            assert (await client.put(f"{path}/calendar/2026", json=calendar)).is_success
            assert (await client.get(f"{path}/roll")).json()["items"] == [pupil]
        async with as_role(installation, "ingest") as database:
            yield database


@asynccontextmanager
async def started(app: FastAPI) -> AsyncIterator[Any]:
    """Run an app whose tables are there: its role could not make them."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://firstbell") as client,
    ):
        yield client


async def test_a_query_without_a_where_shows_a_school_its_own_rows_alone(
    installation: Installation,
) -> None:
    async with ingest_with_two_schools(installation) as database:
        for table in (
            "register", "receipt", "correction", "quarantined_mark", "roll", "roll_pupil",
            "calendar",
        ):  # fmt: skip
            query = f"SELECT DISTINCT urn FROM {table} ORDER BY urn"
            assert await seen(database, query, Scope(frozenset({"100001"}))) == ["100001"], table
            assert await seen(database, query, EVERYTHING) == ["100000", "100001"]
            assert await seen(database, query, NOTHING) == []
            assert await seen(database, query, Scope(agency="care", practitioner="sam")) == []


async def test_a_school_sees_its_own_book_and_bells_alone(installation: Installation) -> None:
    rows = {
        "book": "('{}', 1)",
        "book_column": "('{}', 1, '')",
        "pupil": "('{}', 'B801200005001', 0)",
        "calendar": "('{}', 2026, '[]', '[]')",
        "school": "('{}', '330', 'primary')",
    }
    async with as_role(installation, "risk") as database:
        with tenants.everything():
            async with database.transaction() as db:
                for table, values in rows.items():
                    for urn in ("100000", "100001"):
                        await db.execute(text(f"INSERT INTO {table} VALUES {values.format(urn)}"))
        for table in rows:
            query = f"SELECT urn FROM {table} ORDER BY urn"
            own = await seen(database, query, Scope(frozenset({"100001"})))
            # What a school is counted under is public.
            assert own == (["100000", "100001"] if table == "school" else ["100001"]), table


async def test_a_school_cannot_write_or_change_anothers_rows(installation: Installation) -> None:
    async with ingest_with_two_schools(installation) as database:
        tenants.act_for(Scope(frozenset({"100001"})))
        async with database.transaction() as db:
            changed = await db.execute(text("UPDATE roll SET revision = 9"))
            gone = await db.execute(text("DELETE FROM roll_pupil WHERE urn = '100000'"))
        with pytest.raises(DBAPIError, match="row-level security"):
            async with database.transaction() as db:
                await db.execute(text("INSERT INTO roll VALUES ('100002', 1)"))
        with pytest.raises(DBAPIError, match="row-level security"):
            async with database.transaction() as db:
                await db.execute(text("UPDATE roll SET urn = '100002'"))

        assert (changed.rowcount, gone.rowcount) == (1, 0)


@asynccontextmanager
async def notify_with_alerts(installation: Installation) -> AsyncIterator[notify_app.House]:
    settings = installation.settings
    issuer = notify_app.Issuer(settings.data_dir, settings.token_issuer, settings.token_audience)
    app = notify_app.create_app(settings)
    async with started(app) as client:
        house = notify_app.House(app, client, issuer)
        await house.settle()
        await house.involve(works("eve"), upn=BEN)
        with CaseSystem() as system:
            await house.endpoint(system.url(), practitioner="sam")
            await house.endpoint(system.url(), agency="elm")
            await house.tell(bell(), bell(upn=BEN))
            await system.has(3)

            async def recorded() -> bool:
                return len(await house.records()) == 7

            await until(recorded)
        yield house


async def test_a_practitioner_and_an_agency_see_their_own_rows_alone(
    installation: Installation,
) -> None:
    sam, elm = Scope(practitioner="sam"), Scope(agency="elm")
    async with (
        notify_with_alerts(installation),
        as_role(installation, "notify") as database,
    ):
        everyone = "SELECT recipient FROM alert ORDER BY recipient"
        assert await seen(database, everyone, sam) == ["sam"]
        assert await seen(database, everyone, elm) == ["sue", "sue"]
        assert await seen(database, everyone, EVERYTHING) == ["eve", "sam", "sue", "sue"]
        owners = "SELECT coalesce(practitioner, agency) FROM endpoint ORDER BY 1"
        assert await seen(database, owners, sam) == ["sam"]
        assert await seen(database, owners, elm) == ["elm"]
        assert await seen(database, "SELECT upn FROM delivery", sam) == [ADA]
        for table in ("child", "bell"):
            query = f"SELECT upn FROM {table} ORDER BY upn"
            assert await seen(database, query, sam) == [ADA]
            assert await seen(database, query, elm) == [ADA, BEN]
        for table in ("alert", "endpoint", "delivery", "child", "bell", "disclosure_content"):
            assert await seen(database, f"SELECT 1 FROM {table}", NOTHING) == [], table
        for scope in (sam, elm):
            assert await seen(database, "SELECT 1 FROM disclosure_content", scope) == []
        assert await seen(database, "SELECT upn FROM child", Scope(frozenset({"100001"}))) == []


async def test_what_is_held_back_is_seen_by_its_recipient_and_their_agency(
    installation: Installation,
) -> None:
    notice = {"kind": "lateness", "severity": "notice"}
    async with notify_with_alerts(installation) as house:
        agency = {"scope": "alerts:read alerts:write", "agency": "elm"}
        path = "/v1/practitioners/lea/preferences"
        for digest, still in (("weekly", ["digest"]), ("none", [])):
            wishes = {"digest": digest}
            answer = await house.client.put(path, json=wishes, headers=house.bearer(**agency))
            assert answer.status_code == 200, answer.text
            if digest == "weekly":
                await house.tell(bell(**notice))
            with tenants.everything():
                await house.app.state.rounds["held"].look()

            for claims in (agency, {"scope": "alerts:read", "practitioner": "lea"}):
                listed = await house.get("/v1/alerts?held=true", **claims)
                assert [one["held"]["why"] for one in listed["items"]] == still


async def test_the_apps_calls_work_as_the_plain_role(installation: Installation) -> None:
    async with notify_with_alerts(installation) as house:
        (alert,) = await house.alerts_of("sam")
        path = f"/v1/alerts/{alert['id']}"
        for step, body in (("acknowledge", None), ("close", {"outcome": "returned"})):
            answer = await house.client.post(f"{path}/{step}", json=body, headers=house.of("sam"))
            assert answer.status_code == 200, answer.text

        told = "SELECT count(*) FROM outbox WHERE topic = 'firstbell.judgements.v1'"
        async with house.app.state.database.reading() as db:
            assert await db.scalar(text(told)) == 1
        assert (await house.client.get(path, headers=house.of("eve"))).status_code == 404
        endpoints = await house.get("/v1/endpoints", scope="endpoints:write", practitioner="sam")
        assert [one["practitioner"] for one in endpoints["items"]] == ["sam"]
        made = await house.client.post(
            "/v1/endpoints",
            json={"practitioner": "eve", "url": "http://127.0.0.1:9/"},
            headers=house.of("eve"),
        )
        assert made.status_code == 201, made.text
        assert (await house.get("/v1/disclosures/verify", scope="disclosures:read"))["ok"]
        record = await house.get(f"/v1/children/{ADA}/record", scope="records:read")
        assert len(record["alerts"]) == 2


async def test_every_school_is_told_how_a_rules_bells_were_judged_anywhere(
    installation: Installation,
) -> None:
    app, data = SERVICES["risk"](installation.settings), installation.settings.data_dir
    async with started(app) as client:
        house = Risk(app, client, ingest_app.headers_of(data, scope="admin"))
        await house.tell(*(judged(one, false=True) for one in await ring(house)))

        other = ingest_app.headers_of(data, scope="rules:read", urns=["100001"])
        found = await rule(house, **other)

    assert [(one["judged"], one["false_bells"]) for one in found] == [(12, 12)]


async def test_an_operator_whose_token_bears_an_area_as_well_places_any_school(
    installation: Installation,
) -> None:
    settings, scope = installation.settings, "schools:write attendance:read area"
    headers = ingest_app.headers_of(settings.data_dir, scope=scope, las=["330"], urns=())
    async with started(SERVICES["risk"](settings)) as client:
        for la, read in (("801", 403), ("330", 200)):
            placed = await client.put(
                "/v1/schools/100000", json={"la": la, "phase": "primary"}, headers=headers
            )
            assert placed.status_code == 200, placed.text
            shown = await client.get("/v1/schools/100000/attendance", headers=headers)
            assert shown.status_code == read, shown.text


async def test_what_is_too_old_is_erased_by_the_plain_role(installation: Installation) -> None:
    with tenants.everything():
        for service, erase in ERASE.items():
            async with as_role(installation, service) as database:
                erased = await erase(database, installation.settings, date(2026, 11, 24))
                assert not any(erased.values())


async def test_the_services_own_role_can_only_add_to_the_ledger(
    installation: Installation,
) -> None:
    refused = (
        "UPDATE {} SET at = ''", "DELETE FROM {}", "TRUNCATE {}", "DROP TABLE {}",
        "ALTER TABLE {} DISABLE TRIGGER USER",
    )  # fmt: skip
    async with as_role(installation, "notify") as database:
        for table in ("disclosure", "ledger_checkpoint"):
            for statement in refused:
                with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
                    async with database.transaction() as db:
                        await db.execute(text(statement.format(table)))


async def test_the_services_own_role_can_neither_change_contents_nor_make_tables(
    installation: Installation,
) -> None:
    async with as_role(installation, "notify") as database:
        for statement in ("UPDATE disclosure_content SET upn = NULL", "CREATE TABLE mine ()"):
            with pytest.raises(DBAPIError, match="permission denied"):
                async with database.transaction() as db:
                    await db.execute(text(statement))
