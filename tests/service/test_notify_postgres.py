"""What only PostgreSQL can get wrong: two at once, where SQLite makes one wait for the other."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from libs.common.school_day import utc_now
from libs.common.settings import ServiceSettings
from services.notify import delivery_store, endpoint_store, ledger, outcomes
from services.notify.channels.channel import Answer
from services.notify.checkpoints import Sealer
from services.notify.delivery import TRIED_FOR, Verdict
from services.notify.outcomes import Attempt
from services.notify.sender import Sender
from services.notify.tables import Delivery
from services.notify.telling import delivery
from tests.conftest import until
from tests.service.notify_app import ADA, BEN, CaseSystem, House, bell, running, works
from tests.service.notify_app import Answer as NotifyAnswer

pytestmark = pytest.mark.postgres


@pytest.fixture
async def house(settings: ServiceSettings) -> AsyncIterator[House]:
    server, name = os.environ["FIRSTBELL_TEST_POSTGRES"], f"test_{uuid4().hex}"
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    async with engine.connect() as db:
        await db.execute(text(f"CREATE DATABASE {name}"))
        own = f"{server.rpartition('/')[0]}/{name}"
        try:
            async with running(settings.model_copy(update={"database_url": own})) as house:
                await house.settle()
                yield house
        finally:
            await db.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    await engine.dispose()


def second_sender(house: House) -> Sender:
    state = house.app.state

    async def nothing_changed(*_: object) -> None:
        return

    def channels() -> dict[str, Any]:
        return {kind: opened() for kind, opened in state.channels.items()}

    return Sender(state.settings, state.database, channels, nothing_changed)


async def rows(house: House, query: str) -> list[Any]:
    async with house.app.state.database.reading() as db:
        return list((await db.execute(text(query))).all())


async def test_involvements_set_at_once_are_told_each_under_its_own_revision(
    house: House,
) -> None:
    footings = ["child_in_need", "looked_after", "early_help", "none"] * 3

    await asyncio.gather(*(house.involve(works(footing=f), upn=BEN) for f in footings))

    told = await rows(
        house, f"SELECT event_id, headers FROM outbox WHERE key = '{BEN}' ORDER BY id"
    )
    ((revision,),) = await rows(house, f"SELECT revision FROM involvements WHERE upn = '{BEN}'")
    assert len({row.event_id for row in told}) == len(told) == revision


async def acknowledge(house: House, alert: dict[str, Any]) -> None:
    path = f"/v1/alerts/{alert['id']}/acknowledge"
    answer = await house.client.post(path, headers=house.of("sam"))
    assert answer.status_code == 200


async def escalate(house: House) -> None:
    async with house.app.state.database.transaction() as db:
        await house.app.state.notifier.handle(db, [bell("escalated", 2)])


async def told_in_the_end(house: House) -> set[str]:
    (alert,) = await house.alerts_of("sam")
    return {entry["what"] for entry in alert["history"]}


async def waiting(house: House, count: int) -> bool:
    return len(await rows(house, "SELECT 1 FROM pg_locks WHERE NOT granted")) >= count


async def test_an_acknowledgement_waits_for_the_bell_that_is_being_taken(house: House) -> None:
    await house.tell(bell())
    (alert,) = await house.alerts_of("sam")

    async with house.app.state.database.transaction() as db:
        await house.app.state.notifier.handle(db, [bell("escalated", 2)])
        meanwhile = asyncio.create_task(acknowledge(house, alert))
        await until(lambda: waiting(house, 1))
    await meanwhile

    assert await told_in_the_end(house) >= {"alert.escalated", "acknowledged"}


async def test_an_acknowledgement_is_kept_while_a_bell_is_being_taken(house: House) -> None:
    await house.tell(bell())
    (alert,) = await house.alerts_of("sam")

    async with house.app.state.database.transaction() as db:
        await db.execute(text("LOCK TABLE bell IN EXCLUSIVE MODE"))  # the bell is halfway taken
        taking = asyncio.create_task(escalate(house))
        await until(lambda: waiting(house, 1))
        noting = asyncio.create_task(acknowledge(house, alert))
        await asyncio.wait([noting], timeout=0.5)
    await asyncio.gather(taking, noting)

    assert await told_in_the_end(house) >= {"alert.escalated", "acknowledged"}


async def test_disclosures_added_at_once_are_one_chain(house: House) -> None:
    database = house.app.state.database

    async def add() -> None:
        record = {"id": str(uuid4()), "upn": ADA, "decision": "shared"}
        async with database.transaction() as db:
            await ledger.append(db, [record, {**record, "id": str(uuid4())}])

    await asyncio.gather(*(add() for _ in range(8)))

    assert (await house.get("/v1/disclosures/verify"))["records"] == 16


@pytest.mark.parametrize(
    "change",
    [
        "SET record = replace(record::text, 'shared', 'withheld')::json WHERE sequence = 2",
        "SET record = '{}' WHERE sequence = 2",
        "SET id = gen_random_uuid() WHERE sequence = 2",
        "SET upn = NULL WHERE sequence = 2",
    ],
)
async def test_a_changed_record_is_named(house: House, change: str) -> None:
    await house.tell(bell())
    assert (await house.get("/v1/disclosures/verify"))["ok"] is True

    await house.execute("ALTER TABLE disclosure_content DISABLE TRIGGER USER")
    await house.execute(f"UPDATE disclosure_content {change}")

    assert (await house.get("/v1/disclosures/verify"))["first_bad"] == 2


@pytest.mark.parametrize("table", ["disclosure", "disclosure_content", "ledger_checkpoint"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "TRUNCATE {}", "UPDATE {} SET {key} = 9"])
async def test_not_even_the_owner_changes_the_ledger_by_mistake(
    house: House, table: str, change: str
) -> None:
    await house.tell(bell())
    state = house.app.state
    await Sealer(state.settings, state.database, state.seal).make()
    key = "number" if table == "ledger_checkpoint" else "sequence"

    with pytest.raises(DBAPIError, match="the ledger is only ever added to"):
        await house.execute(change.format(table, key=key))


async def test_two_leads_who_release_at_once_release_once(house: House) -> None:
    people = {"ula": "safeguarding_lead", "pat": "police_contact"}
    await house.put("/v1/agencies/police", {"name": "Police", "kind": "police"})
    for (name, role), agency in zip(people.items(), ("elm", "police"), strict=True):
        body = {"name": name, "agency": agency, "roles": [role]}
        await house.put(f"/v1/practitioners/{name}", body)
    risk = works("pat", "police_contact", footing="missing_or_exploitation_risk")
    await house.involve(works(), risk)
    await house.tell(bell())

    async def approve(who: str) -> int:
        (alert,) = await house.alerts_of(who)
        path = f"/v1/alerts/{alert['id']}/approve"
        return (await house.client.post(path, headers=house.of(who))).status_code

    answers = await asyncio.gather(*(approve(who) for who in ("sue", "ula") * 4))

    assert sorted(answers) == [200, *[409] * 7]
    about = [one["decision"] for one in await house.records() if one["recipient"] == "pat"]
    assert about == ["awaiting_approval", "approved", "shared"]


async def test_reads_at_once_are_recorded_once(house: House) -> None:
    await house.tell(bell())

    await asyncio.gather(*(house.alerts_of("sam") for _ in range(8)))

    assert [one["decision"] for one in await house.records()].count("read") == 1
    assert (await house.get("/v1/disclosures/verify"))["ok"] is True


async def test_two_senders_send_each_message_once(house: House) -> None:
    second = asyncio.create_task(second_sender(house).run(0.02))
    with CaseSystem() as system:
        endpoint = await house.endpoint(system.url())
        await house.tell(*[bell(number=number) for number in range(1, 31)])

        async def all_sent() -> bool:
            return all(one["state"] == "delivered" for one in await house.deliveries(endpoint))

        await until(all_sent)
        second.cancel()
        got = [one.headers["webhook-id"] for one in system.got]

    assert len(got) == len(set(got)) == 30


async def owed(house: House, endpoint: UUID) -> Any:
    """Return a message to an endpoint, of an alert, that no sender takes up today."""
    now = utc_now()
    message = {"type": "alert.raised", "timestamp": now.isoformat(), "data": {}}
    row = delivery(endpoint, ADA, message, now, "test", uuid4())
    row["next_attempt_at"] = now + timedelta(days=1)
    async with house.app.state.database.transaction() as db:
        await delivery_store.add_deliveries(db, [row])
        return (await db.execute(select(Delivery.__table__).where(Delivery.id == row["id"]))).one()


async def gone_at(house: House, message: Any) -> None:
    """Record that a message's endpoint answered 410."""
    now = utc_now()
    attempt = Attempt(message, Answer(Verdict.GONE, 410, None, None, now, 0.1))
    async with house.app.state.database.transaction() as db:
        await outcomes.record(db, [attempt], 5.0, now)


async def test_two_endpoints_of_one_person_that_are_gone_at_once_end_both(house: House) -> None:
    for _ in range(10):
        pair = [UUID((await house.endpoint("http://127.0.0.1:9/"))["id"]) for _ in range(2)]
        messages = [await owed(house, endpoint) for endpoint in pair]

        await asyncio.gather(*(gone_at(house, message) for message in messages))

    found = await rows(house, "SELECT count(*), count(disabled_at) FROM endpoint")
    pending = await rows(house, "SELECT count(*) FROM delivery WHERE state = 'pending'")
    notices = await rows(house, "SELECT count(*) FROM delivery WHERE type = 'delivery.failed'")
    assert tuple(found[0]) == (20, 20)
    assert pending[0][0] == 0
    assert notices[0][0] == 10  # the second of a pair has nobody left to tell


async def test_what_is_dead_and_an_endpoint_that_is_gone_at_once_wait_in_no_ring(
    house: House,
) -> None:
    pair = [UUID((await house.endpoint("http://127.0.0.1:9/"))["id"]) for _ in range(2)]
    first = await owed(house, pair[0])
    database, now = house.app.state.database, utc_now()
    late = Attempt(first, Answer(Verdict.NOT_NOW, 500, None, None, now + TRIED_FOR, 0.0))

    async def take(attempt: Attempt) -> None:
        async with database.transaction() as db:
            await outcomes.record(db, [attempt], 5.0, now)

    async with database.transaction() as db:
        await endpoint_store.lock_endpoints(db, pair[1:])
        ending = asyncio.create_task(gone_at(house, first))
        await until(lambda: waiting(house, 1))
        dying = asyncio.create_task(take(late))
        await until(lambda: waiting(house, 2))
    await asyncio.gather(ending, dying)

    states = await rows(house, f"SELECT state FROM delivery WHERE endpoint = '{pair[0]}'")
    notices = await rows(house, f"SELECT type FROM delivery WHERE endpoint = '{pair[1]}'")
    assert [row.state for row in states] == ["dead"]
    assert [row.type for row in notices] == ["delivery.failed"]


async def test_two_senders_that_hear_of_two_gone_endpoints_go_on(house: House) -> None:
    second = asyncio.create_task(second_sender(house).run(0.02))
    gone = [NotifyAnswer(410, wait_s=0.2)] * 20
    with CaseSystem(*gone) as one, CaseSystem(*gone) as other, CaseSystem() as well:
        await house.endpoint(one.url())
        await house.endpoint(other.url())
        kept = await house.endpoint(well.url())
        await house.tell(*[bell(number=number) for number in range(1, 6)])

        async def all_ended() -> bool:
            found = await rows(house, "SELECT count(*) FROM delivery WHERE state = 'pending'")
            return not found[0][0] and len(await house.deliveries(kept)) > 5

        await until(all_ended)
        assert not second.done()
        second.cancel()

    listed = (await house.get("/v1/endpoints"))["items"]
    assert sum(endpoint["disabled_at"] is not None for endpoint in listed) == 2
    told = await house.deliveries(kept)
    # Of every alert that either of the gone ones was owed, and could not take.
    assert sum(one["type"] == "delivery.failed" for one in told) == 10
    assert all(one["state"] == "delivered" for one in told)
