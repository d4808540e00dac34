"""The directory: agencies, practitioners, and who works with a child."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from libs.common.event_records import event_of
from libs.common.eventlog import Record
from libs.common.events import INVOLVEMENTS, InvolvementsSet
from libs.common.settings import ServiceSettings
from tests.conftest import until
from tests.service.notify_app import ADA, BEN, House, running, works

SCHOOL = {"name": "Elm School", "kind": "school", "urns": ["100000"], "la": "801"}
SAM = {"name": "Sam Worker", "agency": "care", "roles": ["social_worker"], "email": "sam@care.test"}
WRONG_UPN = "A801200005001"
DIRECTORY = "directory:read directory:write"


@pytest.fixture
async def house(settings: ServiceSettings) -> AsyncIterator[House]:
    async with running(settings) as house:
        await house.settle()
        yield house


async def sent(house: House, path: str, body: Any, **claims: Any) -> Any:
    return await house.client.put(path, json=body, headers=house.bearer(**claims))


async def told(house: House) -> list[InvolvementsSet]:
    """What other services are told of involvements."""
    records: list[Record] = []

    async def positions(places: Any) -> dict[Any, int]:
        return dict.fromkeys(places, 0)

    async for batch in house.app.state.log.subscribe("test", [INVOLVEMENTS], positions):
        records += batch
        if records:
            break
    return [event for record in records if isinstance(event := event_of(record), InvolvementsSet)]


async def test_what_is_set_is_read_again(house: House) -> None:
    involvements = {"involvements": [works(), works("eve", "social_worker", to="2027-01-01")]}
    for path, body in (
        ("/v1/agencies/elm", SCHOOL),
        ("/v1/practitioners/sam", SAM),
        (f"/v1/children/{BEN}/involvements", involvements),
    ):
        assert (await sent(house, path, body)).json() == body
        assert await house.get(path) == body


async def test_set_again_replaces(house: House) -> None:
    await house.put("/v1/agencies/elm", SCHOOL)
    await house.put("/v1/agencies/elm", {"name": "Oak School", "kind": "school"})

    held = await house.get("/v1/agencies/elm")

    assert held == {"name": "Oak School", "kind": "school", "urns": [], "la": None}


@pytest.mark.parametrize(
    ("path", "body", "at"),
    [
        ("agencies/elm", {**SCHOOL, "kind": "shop"}, ["kind"]),
        ("agencies/elm", {**SCHOOL, "name": ""}, ["name"]),
        ("agencies/elm", {**SCHOOL, "name": "a\x00"}, ["name"]),
        ("agencies/elm", {**SCHOOL, "urns": ["1"]}, ["urns", 0]),
        ("agencies/elm", {**SCHOOL, "la": "80"}, ["la"]),
        ("agencies/elm", {**SCHOOL, "more": 1}, []),
        ("agencies/elm", {"kind": "school"}, ["name"]),
        ("agencies/elm", [], []),
        ("practitioners/sam", {**SAM, "agency": "nobody"}, ["agency"]),
        ("practitioners/sam", {**SAM, "agency": "ca\x00re"}, ["agency"]),
        ("practitioners/sam", {**SAM, "roles": []}, ["roles"]),
        ("practitioners/sam", {**SAM, "roles": ["spy"]}, ["roles", 0]),
        ("practitioners/sam", {**SAM, "email": "sam"}, ["email"]),
        ("practitioners/sam", {**SAM, "name": "x" * 201}, ["name"]),
    ],
)
async def test_what_is_wrong_is_named(house: House, path: str, body: Any, at: list[Any]) -> None:
    answer = await sent(house, f"/v1/{path}", body)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["at"][: 1 + len(at)] == ["body", *at]


@pytest.mark.parametrize(
    ("involvement", "at"),
    [
        (works("nobody"), ["practitioner"]),
        (works("s\x00m"), ["practitioner"]),
        (works(role="spy"), ["role"]),
        (works(footing="friend"), ["footing"]),
        (works(**{"from": "2026-02-30"}), ["from"]),
        (works(**{"from": None}), ["from"]),
        (works(to="2019-12-31"), []),
        (works(more=1), []),
    ],
)
async def test_a_wrong_involvement_is_named_and_nothing_is_changed(
    house: House, involvement: dict[str, Any], at: list[Any]
) -> None:
    body = {"involvements": [works("eve"), involvement]}

    answer = await sent(house, f"/v1/children/{ADA}/involvements", body)

    assert answer.status_code == 422
    found = answer.json()["errors"][0]["at"]
    assert found[: 3 + len(at)] == ["body", "involvements", 1, *at]
    assert (await house.get(f"/v1/children/{ADA}/involvements"))["involvements"] == [works()]


@pytest.mark.parametrize(
    "path",
    ["agencies/nobody", "practitioners/nobody", f"children/{BEN}/involvements", "nothing"],
)
async def test_what_there_is_not_is_not_found(house: House, path: str) -> None:
    answer = await house.client.get(f"/v1/{path}", headers=house.bearer())

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("id", ["a b", "-a", "a" * 65, "%00", "é", "a%2Fb"])
async def test_an_odd_id_is_refused(house: House, id: str) -> None:
    answer = await sent(house, f"/v1/agencies/{id}", SCHOOL)

    assert answer.status_code in {404, 422}


async def test_a_wrong_upn_is_refused_without_repeating_it(house: House) -> None:
    for method in ("GET", "PUT"):
        answer = await house.client.request(
            method,
            f"/v1/children/{WRONG_UPN}/involvements",
            json={"involvements": []},
            headers=house.bearer(),
        )
        assert answer.status_code == 422
        assert WRONG_UPN not in answer.text
        assert "check letter" in answer.text


async def test_a_body_that_is_not_json_is_refused(house: House) -> None:
    for kind, status in (("text/plain", 415), ("application/json", 422)):
        headers = {**house.bearer(), "content-type": kind}
        answer = await house.client.put("/v1/agencies/elm", content="{", headers=headers)
        assert answer.status_code == status


async def test_involvements_are_told_to_the_other_services_without_the_practitioner(
    house: House,
) -> None:
    (event,) = await told(house)

    assert (event.upn, event.revision) == (ADA, 1)
    assert [(i.role, i.footing, i.ends_on) for i in event.involvements] == [
        ("social_worker", "child_in_need", None)
    ]
    assert "sam" not in str(event)


async def test_involvements_set_again_unchanged_are_not_told_again(house: House) -> None:
    await house.involve(works())
    await house.involve(works(footing="looked_after"))
    await house.involve()
    await house.involve()

    async def three() -> list[int] | None:
        revisions = [event.revision for event in await told(house)]
        return revisions if len(revisions) >= 3 else None

    assert await until(three) == [1, 2, 3]


async def test_nobody_working_with_a_child_is_something_that_was_set(house: House) -> None:
    await house.involve(upn=BEN)

    assert await house.get(f"/v1/children/{BEN}/involvements") == {"involvements": []}


async def test_an_agency_sets_its_own_practitioners_alone(house: House) -> None:
    care = {"scope": DIRECTORY, "agency": "care"}

    own = await sent(house, "/v1/practitioners/new", {**SAM, "name": "New"}, **care)
    anothers = await sent(house, "/v1/practitioners/sue", {**SAM, "agency": "care"}, **care)
    away = await sent(house, "/v1/practitioners/sam", {**SAM, "agency": "elm"}, **care)
    agency = await sent(house, "/v1/agencies/care", SCHOOL, **care)

    assert own.status_code == 200
    assert anothers.status_code == away.status_code == agency.status_code == 403
    assert (await house.get("/v1/practitioners/sue"))["agency"] == "elm"


@pytest.mark.parametrize(("agency", "status"), [("care", 200), ("elm", 403), ("nobody", 403)])
async def test_authorities_and_social_care_say_who_works_with_a_child(
    house: House, agency: str, status: int
) -> None:
    path, token = f"/v1/children/{ADA}/involvements", {"scope": DIRECTORY, "agency": agency}

    put = await sent(house, path, {"involvements": [works("eve")]}, **token)
    got = await house.client.get(path, headers=house.bearer(**token))

    assert put.status_code == got.status_code == status
