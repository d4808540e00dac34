"""Who works with a child is said by the child's own authority, and by nobody else's."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from libs.common.settings import ServiceSettings
from tests.service.notify_app import ADA, BEN, URN, House, roll, running, works

WRITES = "directory:read directory:write"
AUTHORITIES: dict[str, dict[str, Any]] = {
    "home": {"name": "Home", "kind": "local_authority", "la": "330"},
    "schools": {"name": "Schools", "kind": "local_authority", "la": "331", "urns": [URN]},
    "other": {"name": "Other", "kind": "local_authority", "la": "332"},
    "schools-care": {"name": "Care 331", "kind": "social_care", "la": "331"},
    "everywhere": {"name": "A trust of several", "kind": "social_care"},
}


@pytest.fixture
async def house(settings: ServiceSettings) -> AsyncIterator[House]:
    async with running(settings) as house:
        await house.settle()
        for id, body in AUTHORITIES.items():
            await house.put(f"/v1/agencies/{id}", body)
        await house.tell(msgspec.structs.replace(roll(ADA, home_la="330"), revision=2))
        yield house


async def involve(house: House, upn: str = ADA, **claims: Any) -> int:
    """Return how it is answered that Sam works with a child."""
    body = {"involvements": [works()]}
    header = house.bearer(scope=WRITES, **claims)
    path = f"/v1/children/{upn}/involvements"
    return (await house.client.put(path, json=body, headers=header)).status_code


@pytest.mark.parametrize(
    ("agency", "status"),
    [("home", 200), ("schools", 200), ("schools-care", 200), ("everywhere", 200), ("other", 403)],
)
async def test_where_the_child_lives_and_goes_to_school_says_who_works_with_it(
    house: House, agency: str, status: int
) -> None:
    assert await involve(house, agency=agency) == status


async def test_what_was_said_of_another_authoritys_child_can_be_neither_read_nor_set(
    house: House,
) -> None:
    header = house.bearer(scope=WRITES, agency="other")
    for path, body in (
        ("involvements", {"involvements": []}),
        ("restrictions", {"restrictions": []}),
    ):
        at = f"/v1/children/{ADA}/{path}"
        assert (await house.client.get(at, headers=header)).status_code == 403
        assert (await house.client.put(at, json=body, headers=header)).status_code == 403

    assert (await house.get(f"/v1/children/{ADA}/involvements", scope="admin"))["involvements"]


async def test_a_child_on_nobodys_roll_yet_can_be_anybodys(house: House) -> None:
    assert await involve(house, upn="H801200001001", agency="other") == 200


async def test_a_child_whose_home_is_not_known_is_the_schools_authoritys(house: House) -> None:
    assert await involve(house, upn=BEN, agency="schools") == 200
    assert await involve(house, upn=BEN, agency="home") == 403


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"las": ["330"]}, 200),
        ({"las": ["332"]}, 403),
        ({"las": ["330"], "agency": "other"}, 200),
        ({"urns": [URN]}, 403),
        ({"practitioner": "sam"}, 403),
        ({}, 200),
    ],
)
async def test_a_tokens_claims_hold_it_to_its_area(
    house: House, claims: dict[str, Any], status: int
) -> None:
    assert await involve(house, **claims) == status


async def test_a_files_lines_about_others_children_are_rejected_and_cost_no_other(
    house: House,
) -> None:
    lines = [f"{upn},sam,social_worker,none,2026-01-01," for upn in (ADA, "H801200001001")]
    body = "\n".join(["upn,practitioner,role,footing,from,to", *lines])
    header = {**house.bearer(scope=WRITES, agency="other"), "content-type": "text/csv"}
    answer = await house.client.post("/v1/involvements.csv", content=body, headers=header)

    assert [line["outcome"] for line in answer.json()["lines"]] == ["rejected", "added"]
    assert ADA not in answer.text


@pytest.mark.parametrize("claims", [{"urns": [URN]}, {"practitioner": "sam"}, {"las": ["330"]}])
async def test_a_schools_a_practitioners_and_an_areas_token_set_no_directory(
    house: House, claims: dict[str, Any]
) -> None:
    header = house.bearer(scope=WRITES, **claims)
    person = {"name": "Sam", "agency": "care", "roles": ["social_worker"]}
    for path, body in (("agencies/home", AUTHORITIES["home"]), ("practitioners/sam", person)):
        answer = await house.client.put(f"/v1/{path}", json=body, headers=header)
        assert answer.status_code == 403
