"""Restrictions, each read decided again, and the dry run that explains every decision."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import select

from libs.common.school_day import utc_now
from libs.common.settings import ServiceSettings
from services.notify.tables import DisclosureContent
from services.notify.vocabulary import FIELDS
from tests.conftest import until
from tests.service.notify_app import (
    ADA,
    AGENCIES,
    BEN,
    PRACTITIONERS,
    CaseSystem,
    House,
    bell,
    running,
    works,
)

PEOPLE = {
    **PRACTITIONERS,
    "hal": {"name": "Hal Head", "agency": "elm", "roles": ["headteacher"]},
    "yan": {"name": "Yan Youth", "agency": "yot", "roles": ["youth_justice_worker"]},
    "ann": {"name": "Ann Officer", "agency": "la", "roles": ["attendance_officer"]},
    "pat": {"name": "Pat Contact", "agency": "police", "roles": ["police_contact"]},
    "nia": {"name": "Nia Nurse", "agency": "nhs", "roles": ["school_nurse"]},
}
PLACES = {
    **AGENCIES,
    "yot": {"name": "Youth justice", "kind": "youth_justice"},
    "la": {"name": "Council", "kind": "local_authority", "la": "801", "urns": ["100000"]},
    "police": {"name": "Police", "kind": "police"},
    "nhs": {"name": "Health", "kind": "health", "urns": ["100000"]},
}
RELATIVE = {"kind": "relative", "practitioner": "sam", "reason": "The child's uncle"}
NO_CODES = """
@id("all") @basis("b") @source("s") permit (principal, action, resource);
@id("no-codes") @basis("our agreement") @source("s") forbid (principal, action, resource)
when { resource.field == Field::"codes" };
"""


FORBID_CODES = """
@id("no-codes") @basis("our agreement") @source("page 4")
forbid (principal, action == Action::"see", resource)
when { resource.field == Field::"codes" };
"""


@pytest.fixture
async def house(settings: ServiceSettings) -> AsyncIterator[House]:
    async with running(settings) as house:
        await house.settle(PLACES, PEOPLE)
        yield house


async def restrict(house: House, *restrictions: dict[str, Any], upn: str = ADA) -> None:
    await house.put(f"/v1/children/{upn}/restrictions", {"restrictions": list(restrictions)})


async def get_one(house: House, who: str, alert: dict[str, Any]) -> Any:
    return await house.client.get(f"/v1/alerts/{alert['id']}", headers=house.of(who))


async def reads(house: House) -> list[dict[str, Any]]:
    return [one for one in await house.records() if one["decision"] == "read"]


async def dry_run(house: House, **asked: Any) -> list[dict[str, Any]]:
    body = {"bell": str(bell().bell.id), **asked}
    answer = await house.client.post("/v1/sharing/decide", json=body, headers=house.bearer())
    assert answer.status_code == 200, answer.text
    return list(answer.json()["decisions"])


async def test_who_may_not_know_of_the_child_is_not_told(house: House) -> None:
    await restrict(house, RELATIVE)
    await house.tell(bell())

    assert await house.alerts_of("sam") == []
    assert len(await house.alerts_of("sue")) == 1
    (sams,) = [one for one in await house.ledger() if one["recipient"] == "sam"]
    assert (sams["decision"], sams["fields"]) == ("withheld", [])


async def test_a_restriction_takes_away_what_was_told_at_the_next_read(house: House) -> None:
    await house.tell(bell())
    (before,) = await house.alerts_of("sam")
    await restrict(house, {"kind": "address_withheld", "reason": "A refuge"})
    (after,) = await house.alerts_of("sam")
    await restrict(house, RELATIVE)
    gone = await get_one(house, "sam", before)

    assert before["school"] == {"urn": "100000"}
    assert after["school"] is None
    assert after["evidence"] == {"sessions": [{"code": "N"}]}
    assert "nobody has said why" not in after["explanation"]
    assert {"school", "sessions"} <= set(after["withheld"])
    assert gone.status_code == 404


async def test_who_may_see_it_no_more_hears_of_its_end_alone_and_nothing_of_the_child(
    house: House,
) -> None:
    with CaseSystem() as system:
        await house.endpoint(system.url())
        await house.tell(bell())
        await restrict(house, RELATIVE)
        await house.tell(bell("escalated", 2), bell("withdrawn", 3))
        got = [json.loads(one.body) for one in await system.has(2)]

    assert [one["type"] for one in got] == ["alert.raised", "alert.withdrawn"]
    assert got[1]["data"]["child"] == {}
    sams = [one for one in await house.ledger() if one["recipient"] == "sam"]
    assert [one["decision"] for one in sams] == ["shared", "withheld", "withheld"]
    (notice,) = await house.alerts_of("sam")
    assert (notice["status"], notice["child"], notice["school"]) == ("withdrawn", {}, None)


@pytest.mark.parametrize(
    ("restriction", "state"),
    [(RELATIVE, "dead"), ({"kind": "address_withheld", "reason": "A refuge"}, "delivered")],
)
async def test_a_message_that_is_tried_again_tells_what_may_be_told_by_then(
    settings: ServiceSettings, restriction: dict[str, Any], state: str
) -> None:
    slower = settings.model_copy(update={"retry_base_s": 1.0})
    async with running(slower) as house:
        await house.settle()
        with CaseSystem(500) as system:
            endpoint = await house.endpoint(system.url())
            await house.tell(bell())
            await system.has(1)
            await restrict(house, restriction)

            async def settled() -> bool:
                return (await house.deliveries(endpoint))[0]["state"] == state

            await until(settled)
            bodies = [json.loads(one.body)["data"] for one in system.got]

    assert bodies[0]["school"] == {"urn": "100000"}
    assert all("school" not in body for body in bodies[1:])
    assert len(bodies) == (1 if state == "dead" else 2)


async def test_a_restriction_on_one_child_is_none_on_another(house: House) -> None:
    await house.involve(works(), upn=BEN)
    await restrict(house, RELATIVE)
    await house.tell(bell(upn=BEN))

    assert len(await house.alerts_of("sam")) == 1


async def test_restrictions_are_read_again_as_they_were_set(house: House) -> None:
    aimed = {"kind": "other", "agency": "care", "fields": ["name"], "reason": "Assessed"}

    await restrict(house, RELATIVE, aimed)

    held = (await house.get(f"/v1/children/{ADA}/restrictions"))["restrictions"]
    assert [{k: v for k, v in one.items() if v is not None} for one in held] == [RELATIVE, aimed]


@pytest.mark.parametrize(
    ("restriction", "at"),
    [
        ({**RELATIVE, "practitioner": "nobody"}, ["practitioner"]),
        ({**RELATIVE, "practitioner": None, "agency": "nobody"}, ["agency"]),
        ({"kind": "relative", "reason": "An uncle"}, []),
        ({"kind": "more_detrimental", "reason": "Assessed"}, []),
        ({**RELATIVE, "kind": "whim"}, ["kind"]),
        ({**RELATIVE, "fields": ["shoe_size"]}, ["fields", 0]),
        ({**RELATIVE, "reason": ""}, ["reason"]),
        ({**RELATIVE, "more": 1}, []),
    ],
)
async def test_a_restriction_that_would_hold_nothing_back_is_refused(
    house: House, restriction: dict[str, Any], at: list[Any]
) -> None:
    path = f"/v1/children/{ADA}/restrictions"
    answer = await house.client.put(
        path, json={"restrictions": [restriction]}, headers=house.bearer()
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["at"] == ["body", "restrictions", 0, *at]
    assert (await house.client.get(path, headers=house.bearer())).status_code == 404


@pytest.mark.parametrize(("agency", "status"), [("care", 200), ("la", 200), ("elm", 403)])
async def test_authorities_and_social_care_restrict_a_record(
    house: House, agency: str, status: int
) -> None:
    token = house.bearer(scope="directory:read directory:write", agency=agency)
    path, body = f"/v1/children/{ADA}/restrictions", {"restrictions": [RELATIVE]}

    put = await house.client.put(path, json=body, headers=token)
    got = await house.client.get(path, headers=token)

    assert put.status_code == got.status_code == status


async def test_whose_involvement_has_ended_finds_the_alert_no_more(house: House) -> None:
    await house.tell(bell())
    (alert,) = await house.alerts_of("sam")
    await house.involve(works(to="2020-02-01"))

    answers = [
        await get_one(house, "sam", alert),
        *[
            await house.client.post(
                f"/v1/alerts/{alert['id']}/{path}", json=body, headers=house.of("sam")
            )
            for path, body in (
                ("acknowledge", None),
                ("actions", {"action": "visited"}),
                ("close", {"outcome": "returned"}),
            )
        ],
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert await house.alerts_of("sam") == []
    await house.involve(works())
    assert await house.alerts_of("sam") == [alert]


async def test_an_involvement_that_begins_tomorrow_tells_nothing_today(house: House) -> None:
    tomorrow = (utc_now() + timedelta(days=1)).date().isoformat()
    await house.involve(works(**{"from": tomorrow}))
    await house.tell(bell())

    assert await house.alerts_of("sam") == []


async def test_who_has_given_up_the_role_finds_the_alert_no_more(house: House) -> None:
    await house.tell(bell())
    assert len(await house.alerts_of("sue")) == 1
    await house.put("/v1/practitioners/sue", {**PEOPLE["sue"], "roles": ["attendance_lead"]})

    assert await house.alerts_of("sue") == []


async def test_a_policy_that_changes_changes_what_is_read(house: House) -> None:
    await house.tell(bell())
    house.by_policies(NO_CODES)

    (sams,) = await house.alerts_of("sam")

    assert sams["evidence"] == {"sessions": [{"date": "2026-09-14", "session": "am"}]}
    assert sams["withheld"] == ["codes"]


async def test_a_read_is_recorded_once_a_day_and_again_when_something_else_is_seen(
    house: House,
) -> None:
    await house.tell(bell())
    for _ in range(3):
        (alert,) = await house.alerts_of("sam")
        await get_one(house, "sam", alert)
    once = await reads(house)
    await restrict(house, {"kind": "address_withheld", "reason": "A refuge"})
    await house.alerts_of("sam")
    house.app.state.notifier.now = lambda: utc_now() + timedelta(days=1)
    await house.alerts_of("sam")

    assert [(one["recipient"], one["fields"]) for one in once] == [("sam", alert_fields(alert))]
    assert len(await reads(house)) == 3
    assert (await house.get("/v1/disclosures/verify"))["ok"] is True


def alert_fields(alert: dict[str, Any]) -> list[str]:
    return [field for field in FIELDS if field not in alert["withheld"]]


async def test_what_an_agencys_system_and_an_operator_read_is_recorded_too(house: House) -> None:
    await house.tell(bell())
    await house.get("/v1/alerts", scope="alerts:read", agency="care")
    await house.get("/v1/alerts")

    assert sorted(one["recipient"] for one in await reads(house)) == ["sam", "sam", "sue"]


async def test_the_dry_run_gives_each_fields_policy_and_basis(house: House) -> None:
    await house.tell(bell())

    (sam,) = await dry_run(house, recipient="sam")

    by_field = {one["field"]: one for one in sam["reasons"]}
    assert list(by_field) == list(FIELDS)
    assert by_field["name"]["decision"] == "shared"
    assert by_field["name"]["policies"] == ["social-worker-of-the-child"]
    assert "Children Act 2004 s.10" in by_field["name"]["basis"][0]
    assert by_field["upn"]["decision"] == "withheld"
    assert by_field["upn"]["policies"] == ["upn-stays-in-education"]
    assert (by_field["comment"]["policies"], by_field["comment"]["why"]) == (
        [], "no policy permits it",
    )  # fmt: skip
    assert sam["policy_version"] == house.app.state.notifier.rules.version


async def test_the_dry_run_says_when_the_kind_itself_would_tell_too_much(house: House) -> None:
    await house.involve(works(footing="early_help"))
    await house.tell(bell(kind="persistent-absence"))
    rules = house.app.state.notifier.rules
    routes = rules.routes.model_copy(
        update={
            "routes": [
                route.model_copy(update={"kinds": ("health-absence",)})
                for route in rules.routes.routes
                if route.name == "persistent-absence"
            ]
        }
    )
    house.app.state.notifier.rules = replace(rules, routes=routes)
    health = bell(kind="health-absence", severity="notice")
    await house.tell(health)

    (sam,) = await dry_run(house, bell=str(health.bell.id), recipient="sam")

    assert (sam["decision"], sam["fields"]) == ("withheld", [])
    assert sam["reasons"][0]["why"] == "an alert would give away what may not be seen: health"


async def test_the_dry_run_agrees_with_delivery_for_every_kind_of_recipient(house: House) -> None:
    await house.involve(
        works(),
        works("yan", "youth_justice_worker", footing="youth_justice"),
        works("pat", "police_contact", footing="missing_or_exploitation_risk"),
    )
    await restrict(house, {"kind": "other", "agency": "yot", "fields": ["name"], "reason": "A"})
    names = ("recipient", "decision", "fields", "withheld", "basis", "policies")
    for kind in ("unexplained-absence", "ten-days-unauthorised", "sickness-return"):
        rung = bell(kind=kind)
        await house.tell(rung)
        told = [one for one in await house.ledger() if one["bell"] == str(rung.bell.id)]
        tried = await dry_run(house, bell=str(rung.bell.id))

        assert [{n: one[n] for n in names} for one in tried] == [
            {n: one[n] for n in names} for one in told
        ]
        assert told


async def test_long_illness_goes_to_the_nurse_of_the_school(house: House) -> None:
    await house.tell(bell(kind="sickness-return", severity="notice"))

    (nias,) = await house.alerts_of("nia")
    assert nias["child"]["identifiers"] == {"health": "NHS-5"}
    assert ADA not in str(nias)
    assert await house.alerts_of("sam") == []


async def test_an_alert_says_how_soon_and_who_is_next(house: House) -> None:
    await house.tell(bell())

    (sams,) = await house.alerts_of("sam")

    assert sams["route"] == {
        "name": "unexplained-absence-of-a-child-with-a-worker",
        "role": "social_worker",
        "found_by": "involvement",
        "how_soon": "same_morning",
        "by": ["webhook", "email", "console"],
        "escalate_to": "safeguarding_lead",
        "after_hours": 4,
    }


async def test_a_local_agreement_holds_and_is_read_anew_while_the_service_runs(
    settings: ServiceSettings, tmp_path: Path
) -> None:
    path = tmp_path / "agreement.yaml"
    mash = {"id": "mash", "name": "MASH", "kind": "social_care", "la": "330"}
    agreed = {"name": "Northshire", "version": 1, "agencies": [mash]}
    path.write_text(yaml.safe_dump(agreed))
    async with running(settings.model_copy(update={"agreement": path})) as house:
        await house.settle()
        await house.tell(bell())
        (before,) = await house.alerts_of("sam")
        path.write_text(yaml.safe_dump({**agreed, "policies": FORBID_CODES}))
        await house.app.state.watcher.look()
        (after,) = await house.alerts_of("sam")

        assert (await house.get("/v1/agencies/mash"))["name"] == "MASH"
    assert set(after["withheld"]) - set(before["withheld"]) == {"codes"}


async def test_every_record_names_the_version_that_decided(house: House) -> None:
    await house.tell(bell())
    await house.alerts_of("sam")

    async with house.app.state.database.reading() as db:
        records = list((await db.execute(select(DisclosureContent.record))).scalars())
    version = house.app.state.notifier.rules.version
    assert [record["policy_version"] for record in records] == [version] * 3
