"""Involvements as a file: a receipt a line, and bad lines cost no good ones."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from libs.common.settings import ServiceSettings
from tests.service.notify_app import ADA, BEN, House, bell, running, works

HEADER = "upn,practitioner,role,footing,from,to"


@pytest.fixture
async def house(settings: ServiceSettings) -> AsyncIterator[House]:
    async with running(settings) as house:
        await house.settle()
        yield house


async def send(house: House, *lines: str, header: str = HEADER, **claims: Any) -> Any:
    content = "\n".join((header, *lines))
    headers = {**house.bearer(**claims), "content-type": "text/csv"}
    return await house.client.post("/v1/involvements.csv", content=content, headers=headers)


async def held(house: House, upn: str = ADA) -> list[dict[str, Any]]:
    return list((await house.get(f"/v1/children/{upn}/involvements"))["involvements"])


async def test_each_line_has_its_receipt_and_a_bad_one_costs_no_other(house: House) -> None:
    answer = await send(
        house,
        f"{BEN},eve,social_worker,looked_after,2026-09-01,",
        "not a upn,eve,social_worker,looked_after,2026-09-01,",
        f"{BEN},nobody,social_worker,looked_after,2026-09-01,",
        f"{BEN},eve,spy,looked_after,2026-09-01,",
        f"{BEN},eve,social_worker,looked_after,01/09/2026,",
        f"{BEN},eve,social_worker,looked_after,2026-09-01,2026-08-01",
        f"{BEN},eve",
        f"{ADA},sam,social_worker,child_in_need,2020-01-01,",
        f"{ADA},sam,social_worker,looked_after,2020-01-01,",
    )

    body = answer.json()
    assert answer.status_code == 200
    assert (body["added"], body["changed"], body["unchanged"], body["rejected"]) == (1, 1, 1, 6)
    assert [(one["line"], one["outcome"]) for one in body["lines"]] == [
        (2, "added"), *((n, "rejected") for n in range(3, 9)), (9, "unchanged"), (10, "changed"),
    ]  # fmt: skip
    reasons = [one["reason"].partition(":")[0] for one in body["lines"] if "reason" in one]
    assert reasons[:5] == ["upn", "practitioner", "role", "from", "from, to"]
    assert await held(house, BEN) == [
        works("eve", footing="looked_after", **{"from": "2026-09-01"})
    ]
    assert await held(house) == [works(footing="looked_after")]


async def test_no_reason_repeats_what_the_line_says(house: House) -> None:
    answer = await send(
        house, "Ada Example,eve,social_worker,none,2026-09-01,", f"{ADA},eve,Ada,Ada,Ada,Ada"
    )

    assert answer.json()["rejected"] == 2
    assert "Ada" not in answer.text
    assert ADA not in answer.text


async def test_a_line_with_an_end_ends_the_involvement_for_the_very_next_bell(
    house: House,
) -> None:
    await house.tell(bell())
    assert len(await house.alerts_of("sam")) == 1
    await send(house, f"{ADA},sam,social_worker,child_in_need,2020-01-01,2020-02-01")
    await house.tell(bell(number=2))

    assert await house.alerts_of("sam") == []


async def test_a_line_that_begins_an_involvement_tells_of_the_very_next_bell(
    house: House,
) -> None:
    await send(house, f"{ADA},eve,social_worker,looked_after,2026-09-01,")
    await house.tell(bell())

    assert len(await house.alerts_of("eve")) == len(await house.alerts_of("sam")) == 1


async def test_the_same_file_again_changes_nothing(house: House) -> None:
    line = f"{BEN},eve,social_worker,looked_after,2026-09-01,2027-09-01"
    await send(house, line)

    again = await send(house, line)

    assert again.json()["lines"] == [{"line": 2, "outcome": "unchanged"}]


async def test_a_police_contact_to_be_told_at_once_has_a_column_of_its_own(house: House) -> None:
    line = f"{BEN},eve,police_contact,missing_or_exploitation_risk,2026-09-01,,yes"
    answer = await send(house, line, header=f"{HEADER},at_once")

    assert answer.json()["added"] == 1
    assert (await held(house, BEN))[0]["at_once"] is True


@pytest.mark.parametrize(
    ("header", "body"),
    [("upn,practitioner", ""), ("", ""), (f"{HEADER},shoe_size", ""), (HEADER, '"unclosed')],
)
async def test_a_file_that_is_none_is_refused(house: House, header: str, body: str) -> None:
    assert (await send(house, body, header=header)).status_code == 422


async def test_no_more_than_a_hundred_work_with_one_child(house: House) -> None:
    lines = [f"{BEN},eve,social_worker,none,{1910 + n}-09-01," for n in range(101)]

    body = (await send(house, *lines)).json()

    assert (body["added"], body["rejected"]) == (100, 1)


@pytest.mark.parametrize(("agency", "status"), [("care", 200), ("elm", 403)])
async def test_authorities_and_social_care_send_files(
    house: House, agency: str, status: int
) -> None:
    answer = await send(house, scope="directory:write", agency=agency)

    assert answer.status_code == status


async def test_another_kind_of_body_is_refused(house: House) -> None:
    headers = {**house.bearer(), "content-type": "application/json"}

    answer = await house.client.post("/v1/involvements.csv", content="{}", headers=headers)

    assert answer.status_code == 415
