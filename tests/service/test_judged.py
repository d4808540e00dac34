"""That an alert was closed as a false bell counts for its rule, from notify to risk's catalogue."""

import json
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

import httpx
import pytest

from libs.common.events import BellJudged
from libs.common.identifiers import check_letter, id_of
from libs.common.school_day import london_day, utc_now
from libs.common.settings import ServiceSettings
from services.risk import retention
from services.risk.subject import held_of
from services.up import create_app
from tests.conftest import serving, until
from tests.service.notify_app import AGENCIES, PRACTITIONERS, URN, House, bell, running, works
from tests.service.test_risk import ADA, NOW, Risk, register, risk, worker

__all__ = ["risk"]
KIND = "unexplained-absence"
CHILDREN = [check_letter(f"801200{n:06d}") + f"801200{n:06d}" for n in range(12)]


def judged(
    about: dict[str, Any], *, false: bool, by: str = "sam", closing: int = 1, version: str = "1"
) -> BellJudged:
    return BellJudged(
        occurred_at=NOW, bell=about["id"], alert=id_of("alert", about["id"], by), closing=closing,
        urn=URN, kind=about["kind"], version=version, raised_on=date(2026, 9, 14), is_false=false,
    )  # fmt: skip


async def ring(risk: Risk, children: list[str] = CHILDREN) -> list[dict[str, Any]]:
    """Ring for every child; return the bells in the children's order."""
    await risk.tell(*map(worker, children), register(dict.fromkeys(children, "N")))
    found = {one["upn"]: one for one in await risk.bells(kind=KIND)}
    return [found[upn] for upn in children]


async def rule(risk: Risk, **more: Any) -> list[dict[str, Any]]:
    answer = await risk.client.get("/v1/rules", headers=risk.headers | more)
    (found,) = [one for one in answer.json()["items"] if one["kind"] == KIND]
    return list(found["judged"])


async def test_a_rule_tells_how_many_of_its_bells_were_judged_false(risk: Risk) -> None:
    assert await rule(risk) == []
    bells = await ring(risk)

    await risk.tell(*(judged(one, false=n < 5) for n, one in enumerate(bells)))

    told = {"version": "1", "judged": 12, "false_bells": 5, "false_share": 0.4167}
    assert await rule(risk) == [told]


async def test_told_twice_it_counts_once_and_two_who_closed_a_bell_judged_one(risk: Risk) -> None:
    bells = await ring(risk)
    events = [judged(one, false=n < 6) for n, one in enumerate(bells)]

    await risk.tell(*events, *events, *(judged(one, false=False, by="lea") for one in bells))

    assert [(one["judged"], one["false_bells"]) for one in await rule(risk)] == [(12, 6)]


async def test_of_an_alert_closed_again_the_last_word_counts(risk: Risk) -> None:
    bells = await ring(risk)
    await risk.tell(*(judged(one, false=True) for one in bells))

    await risk.tell(*(judged(one, false=False, closing=2) for one in bells[:5]))

    assert [one["false_bells"] for one in await rule(risk)] == [7]


async def test_versions_of_a_rule_are_told_apart(risk: Risk) -> None:
    bells = await ring(risk)

    versions = ["1" if n < 6 else "2" for n in range(12)]
    pairs = zip(bells, versions, strict=True)
    await risk.tell(*(judged(one, false=v == "2", version=v) for one, v in pairs))

    told = [(one["version"], one["judged"], one["false_share"]) for one in await rule(risk)]
    assert told == [("1", 6, 0.0), ("2", 6, 1.0)]


@pytest.mark.parametrize(
    ("children", "false", "told"),
    [(4, 4, (None, None)), (9, 4, (9, None)), (9, 5, (9, None)), (10, 5, (10, 5))],
)
async def test_what_rests_on_few_children_is_not_told(
    risk: Risk, children: int, false: int, told: tuple[int | None, int | None]
) -> None:
    bells = await ring(risk, CHILDREN[:children])

    await risk.tell(*(judged(one, false=n < false) for n, one in enumerate(bells)))

    (found,) = await rule(risk)
    assert (found["judged"], found["false_bells"]) == told
    assert (found["false_share"] is None) == (told[1] is None)


async def test_a_withdrawn_bell_does_not_count(risk: Risk) -> None:
    bells = await ring(risk)
    await risk.tell(*(judged(one, false=True) for one in bells))

    await risk.tell(register(dict.fromkeys(CHILDREN[:3], "I"), revision=2))

    assert [one["judged"] for one in await rule(risk)] == [9]


async def test_whoever_asks_is_told_the_same(
    risk: Risk, token: Callable[..., dict[str, str]]
) -> None:
    await risk.tell(*(judged(one, false=True) for one in await ring(risk)))

    found = await rule(risk, **token(scope="rules:read", urns=["100001"]))

    assert [one["judged"] for one in found] == [12]


async def test_it_is_held_of_the_child_and_goes_with_the_bell(risk: Risk) -> None:
    database, settings = risk.app.state.database, risk.app.state.settings
    bells = await ring(risk, [*CHILDREN, ADA])
    await risk.tell(*(judged(one, false=True) for one in bells))

    async with database.reading() as db:
        held = (await held_of(db, ADA))["judged"]
    erased = await retention.erase(database, settings, date(2040, 9, 1))

    assert [(str(one["bell"]), one["is_false"]) for one in held] == [(bells[-1]["id"], True)]
    assert erased["judged"] == 13
    assert await rule(risk) == []


async def test_closing_an_alert_counts_for_the_rule_that_rang(
    settings: ServiceSettings, token: Callable[..., dict[str, str]]
) -> None:
    app = create_app(settings)
    async with serving(app, "ingest", "risk", "notify", settings=settings) as client:
        client.headers.update(token(scope="admin"))
        await absent(client, CHILDREN[:10])
        for number, alert in enumerate(await until(partial(alerts, client, 10))):
            body = {"outcome": "false_bell" if number < 5 else "returned"}
            path = f"/notify/v1/alerts/{alert['id']}/close"
            assert (await client.post(path, json=body)).status_code == 200

        async def counted() -> bool:
            items = (await client.get("/risk/v1/rules")).json()["items"]
            (found,) = [one["judged"] for one in items if one["kind"] == KIND]
            return [(one["judged"], one["false_bells"]) for one in found] == [(10, 5)]

        await until(counted)


async def absent(client: httpx.AsyncClient, children: list[str]) -> None:
    """Let Sam work with the children, none of whom is at school today, and nobody has said why."""
    marks = {"marks": [{"upn": upn, "code": "N"} for upn in children]}
    bodies = {
        "/notify/v1/agencies/care": AGENCIES["care"],
        "/notify/v1/practitioners/sam": PRACTITIONERS["sam"],
        **{f"/notify/v1/children/{u}/involvements": {"involvements": [works()]} for u in children},
        f"/ingest/v1/schools/{URN}/registers/{london_day(utc_now())}/am": marks,
    }
    for path, body in bodies.items():
        assert (await client.put(path, json=body)).is_success, path


async def alerts(client: httpx.AsyncClient, count: int) -> list[dict[str, Any]]:
    """Return the alerts of the kind, once there are so many."""
    found = (await client.get("/notify/v1/alerts", params={"kind": KIND})).json()["items"]
    return found if len(found) == count else []


async def test_what_is_told_names_nobody_and_each_closing_is_told_once(
    settings: ServiceSettings,
) -> None:
    async with running(settings) as house:
        await house.settle()
        await house.tell(bell())
        (alert,) = await house.alerts_of("sam")
        closing = {"outcome": "false_bell", "note": "Her mother rang"}
        path = f"/v1/alerts/{alert['id']}/close"
        for _ in range(2):
            await house.client.post(path, json=closing, headers=house.of("sam"))
        await house.tell(bell("cleared", 2), bell("raised", 3))
        closing = {"outcome": "returned"}
        await house.client.post(path, json=closing, headers=house.of("sam"))

        first, second = await told(house)

    for event in (first, second):
        assert not any(name in event["text"] for name in (ADA, "sam", "care", "mother"))
    assert (first["closing"], first["is_false"]) == (1, True)
    assert (second["closing"], second["is_false"]) == (2, False)
    assert first["key"] == alert["bell"]


async def told(house: House) -> list[dict[str, Any]]:
    """Return what was told of judgements, each with the text of its record."""
    async with house.app.state.database.reading() as db:
        query = "SELECT key, value FROM outbox WHERE topic LIKE '%judgements%' ORDER BY id"
        rows = (await db.exec_driver_sql(query)).all()
    return [{"key": r.key, "text": r.value.decode(), **json.loads(r.value)} for r in rows]
