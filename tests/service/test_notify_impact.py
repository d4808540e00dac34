"""Figures of impact: for whom they are, in which forms, and from what was done."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from libs.common.events import BellFollowed, Spell
from libs.common.identifiers import check_letter
from libs.common.settings import ServiceSettings
from tests.service.notify_app import (
    AGENCIES,
    PRACTITIONERS,
    RANG_AT,
    URN,
    House,
    bell,
    running,
)

DAYS = "from=2026-09-01&to=2026-09-30"
CHILDREN = [check_letter(f"801200{n:06d}") + f"801200{n:06d}" for n in range(12)]


@pytest.fixture
async def house(settings: ServiceSettings) -> AsyncIterator[House]:
    async with running(settings) as house:
        await house.settle({**AGENCIES, "la": LA}, PRACTITIONERS)
        at = RANG_AT + timedelta(minutes=2)
        house.app.state.notifier.now = lambda: at
        for upn in CHILDREN:
            await house.tell(bell(upn=upn, kind="persistent-absence", severity="warning"))
        yield house


LA: dict[str, Any] = {
    "name": "Elmshire",
    "kind": "local_authority",
    "la": "801",
    "urns": [URN],
}


async def close_all(house: House) -> None:
    later = RANG_AT + timedelta(hours=3)
    house.app.state.notifier.now = lambda: later
    for number, alert in enumerate(await house.alerts_of("lea")):
        path = f"/v1/alerts/{alert['id']}"
        steps: list[tuple[str, Any]] = [("actions", {"action": "meeting"})]
        steps.append(("close", {"outcome": "false_bell" if number < 5 else "returned"}))
        for step, body in steps:
            answer = await house.client.post(f"{path}/{step}", json=body, headers=house.of("lea"))
            assert answer.status_code == 200, answer.text


def followed(upn: str) -> BellFollowed:
    about = bell(upn=upn, kind="persistent-absence").bell
    pupil = Spell(possible_before=40, missed_before=10, possible_after=40, missed_after=4)
    alike = Spell(possible_before=400, missed_before=100, possible_after=400, missed_after=80)
    return BellFollowed(occurred_at=RANG_AT, bell=about.id, upn=upn, pupil=pupil, alike=alike)


async def test_what_was_done_and_whether_it_helped(house: House) -> None:
    await close_all(house)
    await house.tell(*(followed(upn) for upn in CHILDREN))

    found = await house.get(f"/v1/impact/schools/{URN}?{DAYS}", scope="impact:read", urns=[URN])

    assert (found["children"], found["alerts"], found["suppressed"]) == (12, 12, False)
    assert found["answers"] == {
        "acknowledged": 12,
        "hours_to_acknowledge": 3.0,
        "acted": 12,
        "hours_to_act": 3.0,
        "closed": 12,
    }
    assert found["actions"] == {"meeting": 12}
    assert found["outcomes"] == {"false_bell": 5, "returned": 7}
    (rule,) = found["rules"]
    assert (rule["kind"], rule["version"], rule["false_share"]) == (
        "persistent-absence",
        "1",
        0.4167,
    )
    assert found["attendance"][0]["difference"] == 0.1


async def test_withdrawn_bells_do_not_count(house: House) -> None:
    for upn in CHILDREN[:6]:
        await house.tell(bell("withdrawn", 2, upn=upn, kind="persistent-absence"))

    found = await house.get(f"/v1/impact/schools/{URN}?{DAYS}", scope="impact:read", urns=[URN])

    assert found["alerts"] == 6


async def test_figures_come_as_a_table_and_as_a_page(house: House) -> None:
    await close_all(house)
    path, headers = f"/v1/impact/agencies/elm?{DAYS}", house.bearer()

    table = await house.client.get(f"{path}&format=csv", headers=headers)
    page = await house.client.get(f"{path}&format=html", headers=headers)

    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert {"section": "outcomes", "of": "returned", "figure": "alerts", "value": "7"} in rows
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "Returned" in page.text


@pytest.mark.parametrize(
    ("path", "claims"),
    [
        (f"schools/{URN}", {"urns": [URN]}),
        ("agencies/elm", {"agency": "elm"}),
        ("areas/801", {"las": ["801"]}),
    ],
)
async def test_each_sees_its_own_figures_alone(
    house: House, path: str, claims: dict[str, Any]
) -> None:
    own = house.bearer(scope="impact:read", **claims)
    other = house.bearer(scope="impact:read", urns=["100001"], agency="care", las=["802"])

    answer = await house.client.get(f"/v1/impact/{path}?{DAYS}", headers=own)
    assert answer.json()["alerts"] == 12
    refused = await house.client.get(f"/v1/impact/{path}?{DAYS}", headers=other)
    assert refused.status_code == 403


async def test_more_than_a_year_and_an_unknown_authority_are_refused(house: House) -> None:
    long = "/v1/impact/agencies/elm?from=2020-09-01&to=2026-09-30"
    unknown = "/v1/impact/areas/999"

    assert (await house.client.get(long, headers=house.bearer())).status_code == 422
    assert (await house.client.get(unknown, headers=house.bearer())).status_code == 404
