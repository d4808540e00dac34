"""The ledger, the dry run of a decision, and a child's record."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from libs.common.identifiers import check_letter
from libs.common.settings import ServiceSettings
from services.notify.checkpoints import Sealer
from services.notify.vocabulary import FIELDS
from tests.conftest import until
from tests.service.notify_app import ADA, BEN, CaseSystem, House, bell, running, works

POLICE = {"name": "Police", "kind": "police"}
PAT = {"name": "Pat Contact", "agency": "police", "roles": ["police_contact"]}
BROKEN = """
@id("all") @basis("b") @source("s") permit (principal, action, resource);
@id("broken") @basis("b") @source("s")
permit (principal, action, resource) when { principal.shoe_size == "9" };
"""


@pytest.fixture
async def house(settings: ServiceSettings) -> AsyncIterator[House]:
    async with running(settings) as house:
        await house.settle()
        yield house


async def decide(house: House, asked: dict[str, Any], **claims: Any) -> Any:
    return await house.client.post("/v1/sharing/decide", json=asked, headers=house.bearer(**claims))


async def test_every_decision_is_recorded_as_the_contract_says(house: House) -> None:
    await house.tell(bell())

    sams, sues = await house.ledger()

    assert set(sams) == {
        "id", "sequence", "bell", "recipient", "decision", "fields", "withheld", "basis",
        "policies", "decided_at", "hash", "previous_hash",
    }  # fmt: skip
    assert (sams["recipient"], sues["recipient"]) == ("sam", "sue")
    assert sams["policies"] == [
        "social-worker-of-the-child", "social-worker-on-a-statutory-footing",
    ]  # fmt: skip
    assert sues["policies"] == [
        "school-leads-know-who-works-with-the-child", "school-staff-see-their-own-pupil",
    ]  # fmt: skip
    assert sams["withheld"] == ["upn", "comment"]
    assert sues["withheld"] == ["identifier"]
    for one in (sams, sues):
        assert one["decision"] == "shared"
        assert one["basis"]
        assert set(one["fields"]) | set(one["withheld"]) == set(FIELDS)
    assert (sams["sequence"], sues["sequence"]) == (1, 2)
    assert sues["previous_hash"] == sams["hash"]


async def test_what_is_withheld_is_recorded_and_makes_no_alert_and_no_message(
    house: House,
) -> None:
    await house.put("/v1/agencies/police", POLICE)
    await house.put("/v1/practitioners/pat", PAT)
    await house.involve(works("pat", "social_worker"))
    with CaseSystem() as system:
        endpoint = await house.endpoint(system.url(), practitioner="pat")
        await house.tell(bell())

        assert await house.deliveries(endpoint) == system.got == []
    (pats,) = [one for one in await house.ledger() if one["recipient"] == "pat"]
    assert (pats["decision"], pats["fields"], pats["withheld"]) == ("withheld", [], list(FIELDS))
    assert pats["basis"] == []
    assert await house.alerts_of("pat") == []


async def test_a_policy_that_fails_shares_nothing_and_that_is_recorded(house: House) -> None:
    house.by_policies(BROKEN)

    await house.tell(bell())

    assert [one["decision"] for one in await house.ledger()] == ["withheld", "withheld"]
    assert await house.alerts_of("sam") == await house.alerts_of("sue") == []


async def test_each_change_of_a_bell_is_a_decision_of_its_own(house: House) -> None:
    await house.tell(bell(), bell("escalated", 2), bell("withdrawn", 3))

    sams = [one for one in await house.ledger() if one["recipient"] == "sam"]

    assert len(sams) == len({one["id"] for one in sams}) == 3


async def test_that_a_former_recipient_is_told_the_end_is_recorded(house: House) -> None:
    await house.tell(bell())
    await house.involve()
    await house.tell(bell("withdrawn", 2))

    sams = [one for one in await house.ledger() if one["recipient"] == "sam"]

    assert len(sams) == 2


async def test_the_ledger_is_read_in_order_by_child_and_by_page(house: House) -> None:
    for upn in (ADA, BEN, ADA):
        await house.tell(bell(upn=upn, number=1 if upn == BEN else len(await house.ledger()) + 1))

    pages = [await house.get("/v1/disclosures?limit=2")]
    while pages[-1]["next"]:
        pages.append(await house.get(f"/v1/disclosures?limit=2&cursor={pages[-1]['next']}"))
    bens = await house.get(f"/v1/disclosures?upn={BEN}")

    assert [one["sequence"] for page in pages for one in page["items"]] == [1, 2, 3, 4, 5]
    assert [(one["sequence"], one["recipient"]) for one in bens["items"]] == [(3, "sue")]


async def verified(house: House) -> Any:
    return await house.get("/v1/disclosures/verify", scope="disclosures:read")


async def unguarded(house: House, statement: str, **values: Any) -> None:
    """Change the ledger as who owns the database can: without the triggers that guard it."""
    await house.execute("DROP TRIGGER IF EXISTS disclosure_content_kept_update")
    await house.execute(statement, **values)


async def test_the_ledger_is_proved_until_somebody_changes_it(house: House) -> None:
    await house.tell(bell(), bell(number=2))
    assert await verified(house) == {"ok": True, "records": 4, "checkpoints": 0}

    await unguarded(
        house,
        "UPDATE disclosure_content SET record = replace(record, 'shared', 'withheld') "
        "WHERE sequence = 3",
    )

    assert await verified(house) == {
        "ok": False,
        "first_bad": 3,
        "why": "its content is not what was hashed",
        "records": 2,
        "checkpoints": 0,
    }


@pytest.mark.parametrize("record", ["{}", "null", "no JSON"])
async def test_a_record_that_was_spoilt_is_named_not_an_error(house: House, record: str) -> None:
    await house.tell(bell())

    await unguarded(
        house, "UPDATE disclosure_content SET record = :record WHERE sequence = 1", record=record
    )

    assert (await verified(house))["first_bad"] == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE disclosure SET hash = 'f'",
        "DELETE FROM disclosure WHERE sequence = 2",
        "UPDATE disclosure_content SET record = '{}'",
        "DELETE FROM disclosure_content",
        "UPDATE ledger_checkpoint SET head = 'f'",
        "DELETE FROM ledger_checkpoint",
    ],
)
async def test_a_careless_statement_on_the_ledger_is_refused(house: House, statement: str) -> None:
    await house.tell(bell())
    state = house.app.state
    await Sealer(state.settings, state.database, state.seal).make()

    with pytest.raises(DBAPIError, match="the ledger is only ever added to"):
        await house.execute(statement)

    assert (await verified(house))["ok"] is True


async def test_that_a_message_has_come_to_its_receiver_is_recorded(house: House) -> None:
    with CaseSystem() as system:
        await house.endpoint(system.url())
        await house.tell(bell())
        await system.has(1)

        async def recorded() -> bool:
            return len(await house.records()) == 3

        await until(recorded)
    decided, _, delivered = await house.records()

    assert (delivered["decision"], delivered["recipient"]) == ("delivered", "sam")
    for name in ("bell", "fields", "withheld", "basis"):
        assert delivered[name] == decided[name]


async def test_a_test_message_is_no_disclosure(house: House) -> None:
    with CaseSystem() as system:
        endpoint = await house.endpoint(system.url())
        await house.client.post(f"/v1/endpoints/{endpoint['id']}/test", headers=house.bearer())
        await system.has(1)

        async def delivered() -> bool:
            return [one["state"] for one in await house.deliveries(endpoint)] == ["delivered"]

        await until(delivered)

    assert await house.ledger() == []


async def test_a_dry_run_says_what_a_bell_would_share_and_tells_nobody(house: House) -> None:
    await house.involve()
    await house.tell(bell(quiet=True))
    await house.involve(works())

    answer = await decide(house, {"bell": str(bell().bell.id)}, scope="sharing:decide")

    assert answer.status_code == 200
    by_recipient = {one["recipient"]: one for one in answer.json()["decisions"]}
    assert set(by_recipient) == {"sam", "sue"}
    sam = by_recipient["sam"]
    assert set(sam) >= {"recipient", "decision", "fields", "withheld", "basis", "policies"}
    assert (sam["decision"], sam["withheld"]) == ("shared", ["upn", "comment"])
    assert "social-worker-of-the-child" in sam["policies"]
    assert await house.ledger() == await house.alerts_of("sam") == []


async def test_a_dry_run_agrees_with_what_is_then_recorded(house: House) -> None:
    await house.tell(bell())

    answer = await decide(house, {"bell": str(bell().bell.id)})

    names = ("recipient", "decision", "fields", "withheld", "basis", "policies")
    told = [{name: one[name] for name in names} for one in await house.ledger()]
    assert [{n: one[n] for n in names} for one in answer.json()["decisions"]] == told


async def test_a_dry_run_for_one_recipient(house: House) -> None:
    await house.tell(bell())

    for recipient, found in (("sam", ["sam"]), ("eve", [])):
        asked = {"bell": str(bell().bell.id), "recipient": recipient}
        decisions = (await decide(house, asked)).json()["decisions"]
        assert [one["recipient"] for one in decisions] == found


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"bell": str(uuid4())}, 404),
        ({"bell": "nonsense"}, 422),
        ({}, 422),
        ({"bell": str(uuid4()), "recipient": "s\x00m"}, 422),
    ],
)
async def test_a_dry_run_of_what_there_is_not(
    house: House, asked: dict[str, Any], status: int
) -> None:
    assert (await decide(house, asked)).status_code == status


async def test_a_childs_record_holds_all_that_is_held_and_was_shared(house: House) -> None:
    with CaseSystem() as system:
        endpoint = await house.endpoint(system.url())
        await house.tell(bell(), bell(upn=BEN))
        (got,) = await system.has(1)

    record = await house.get(f"/v1/children/{ADA}/record", scope="records:read")

    assert record["upn"] == ADA
    assert [one["pupil"]["given_name"] for one in record["rolls"]] == ["Ada"]
    assert record["involvements"] == [works()]
    assert [one["id"] for one in record["bells"]] == [str(bell().bell.id)]
    assert sorted(one["recipient"] for one in record["alerts"]) == ["sam", "sue"]
    assert record["alerts"][0]["alert"]["kind"] == "unexplained-absence"
    told = [(one["recipient"], one["decision"]) for one in record["disclosures"]]
    assert told[:2] == [("sam", "shared"), ("sue", "shared")]
    (sent,) = record["deliveries"]
    assert sent["endpoint"] == endpoint["id"]
    assert sent["delivery"]["id"] == got.headers["webhook-id"]
    assert sent["body"]["data"]["child"]["given_name"] == "Ada"
    assert "Ben" not in str(record)


async def test_the_record_of_a_child_of_whom_nothing_is_held_is_empty(house: House) -> None:
    rest = "801200005015"
    record = await house.get(f"/v1/children/{check_letter(rest) + rest}/record")

    assert all(not value for name, value in record.items() if name != "upn")
