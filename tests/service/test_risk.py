"""The risk service, fed with events over the real embedded log."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from libs.common.event_records import message_of
from libs.common.events import (
    Brought,
    Event,
    Involvement,
    InvolvementsSet,
    RegisterTaken,
    RollChanged,
    RollPupil,
)
from libs.common.school_day import Session
from libs.common.settings import ServiceSettings
from services.risk.main import create_app
from tests.conftest import serving, until

URN = "100000"
ADA = "B801200005001"
BEN = "P207000016049"
NOW = datetime(2026, 9, 14, 8, 50, tzinfo=UTC)
MONDAY = date(2026, 9, 14)


def register(
    codes: dict[str, str], day: date = MONDAY, revision: int = 1, session: Session = Session.am
) -> RegisterTaken:
    return RegisterTaken(
        occurred_at=NOW,
        urn=URN,
        day=day,
        session=session,
        group=None,
        revision=revision,
        upns=list(codes),
        codes=list(codes.values()),
    )


def worker(upn: str, footing: str = "child_in_need") -> InvolvementsSet:
    involvement = Involvement(role="social_worker", footing=footing, starts_on=date(2026, 9, 1))
    return InvolvementsSet(occurred_at=NOW, upn=upn, revision=1, involvements=[involvement])


class Risk:
    def __init__(self, app: Any, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        self.app, self.client, self.headers = app, client, headers

    async def tell(self, *events: Event) -> None:
        places = await self.app.state.log.publish([message_of(e, "test") for e in events])
        last = {event.topic: place[1] for event, place in zip(events, places, strict=True)}

        async def handled() -> bool:
            log = self.app.state.log
            return all([await log.handled("risk", t, 0) > offset for t, offset in last.items()])

        await until(handled)

    async def bells(self, **wanted: str) -> list[dict[str, Any]]:
        answer = await self.client.get("/v1/bells", params=wanted, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])


@pytest.fixture
async def risk(
    settings: ServiceSettings, token: Callable[..., dict[str, str]]
) -> AsyncIterator[Risk]:
    app = create_app(settings)
    async with serving(app, "risk", settings=settings) as client:
        yield Risk(app, client, token(scope="admin"))


async def test_an_unexplained_absence_of_a_child_with_a_social_worker_rings(risk: Risk) -> None:
    await risk.tell(worker(ADA), register({ADA: "N", BEN: "N"}))

    (bell,) = await risk.bells()

    assert (bell["upn"], bell["kind"], bell["severity"], bell["status"]) == (
        ADA, "unexplained-absence", "warning", "ringing",
    )  # fmt: skip
    assert bell["raised_on"] == "2026-09-14"
    assert "Monday 14 September 2026 (morning)" in bell["explanation"]
    assert ADA not in bell["explanation"]
    assert bell["evidence"]["sessions"] == [{"date": "2026-09-14", "session": "am", "code": "N"}]


async def test_an_involvement_that_comes_after_the_register_still_rings(risk: Risk) -> None:
    await risk.tell(register({ADA: "N"}))
    assert await risk.bells() == []

    await risk.tell(worker(ADA, "child_protection_plan"))

    (bell,) = await risk.bells()
    assert bell["severity"] == "urgent"


async def test_a_correction_withdraws_the_bell_and_says_what_the_register_says_now(
    risk: Risk,
) -> None:
    await risk.tell(worker(ADA), register({ADA: "N"}))

    await risk.tell(register({ADA: "I"}, revision=2))

    (bell,) = await risk.bells()
    assert bell["status"] == "withdrawn"
    assert "14 September 2026 (morning) is now I (illness)" in bell["explanation"]


async def test_an_event_published_twice_has_no_second_effect(risk: Risk) -> None:
    await risk.tell(worker(ADA), register({ADA: "N"}))
    before = await risk.bells()

    await risk.tell(register({ADA: "N"}), worker(ADA))

    assert await risk.bells() == before


async def test_a_restart_in_the_middle_changes_nothing(
    settings: ServiceSettings, token: Callable[..., dict[str, str]]
) -> None:
    for event in (worker(ADA), register({ADA: "N"}), register({ADA: "/"}, revision=2)):
        app = create_app(settings)
        async with serving(app, "risk", settings=settings) as client:
            risk = Risk(app, client, token(scope="admin"))
            await risk.tell(event)
            bells = await risk.bells()

    assert [bell["status"] for bell in bells] == ["withdrawn"]


async def test_a_school_reads_its_own_bells_and_no_others(
    risk: Risk, token: Callable[..., dict[str, str]]
) -> None:
    await risk.tell(worker(ADA), register({ADA: "N"}))

    risk.headers = token(scope="bells:read", urns=[URN])
    assert len(await risk.bells()) == 1
    risk.headers = token(scope="bells:read", urns=["100001"])
    assert await risk.bells() == []


async def test_attendance_counts_what_the_codes_say(risk: Risk) -> None:
    await risk.tell(
        register({ADA: "/", BEN: "I"}), register({ADA: "L", BEN: "D"}, session=Session.pm)
    )

    answer = await risk.client.get(
        f"/v1/schools/{URN}/attendance", params={"to": "2026-09-30"}, headers=risk.headers
    )

    assert answer.status_code == 200
    figures = answer.json()
    assert [figures[n] for n in ("pupils", "sessions_possible", "attended", "authorised")] == [
        2, 3, 2, 1,
    ]  # fmt: skip
    assert (figures["late"], figures["persistent"], figures["severe"]) == (1, 1, 1)


async def test_bells_come_in_pages(risk: Risk) -> None:
    await risk.tell(worker(ADA), worker(BEN), register({ADA: "N", BEN: "N"}))

    first = await risk.client.get("/v1/bells", params={"limit": 1}, headers=risk.headers)
    query = {"limit": 1, "cursor": first.json()["next"]}
    second = await risk.client.get("/v1/bells", params=query, headers=risk.headers)

    seen = {bell["upn"] for page in (first, second) for bell in page.json()["items"]}
    assert seen == {ADA, BEN}
    assert second.json()["next"] is None


async def test_a_record_that_is_no_event_is_put_aside_and_the_next_is_handled(risk: Risk) -> None:
    good = message_of(register({ADA: "/"}), "test")
    bad = good._replace(value=b'{"urn": 7}')

    await risk.app.state.log.publish([bad, good])

    async def attended() -> bool:
        answer = await risk.client.get(
            f"/v1/pupils/{ADA}/attendance", params={"to": "2026-09-30"}, headers=risk.headers
        )
        return bool(answer.json()["attended"])

    assert await until(attended)


async def test_a_pupil_who_moves_brings_the_year_along(risk: Risk) -> None:
    brought = Brought(academic_year=2026, possible=30, authorised=4, unauthorised=3)
    pupil = RollPupil(
        upn=ADA, given_name="Ada", family_name="Example", date_of_birth=date(2014, 2, 3),
        year_group="7", entered_on=MONDAY, brought=brought,
    )  # fmt: skip
    moved = RollChanged(occurred_at=NOW, urn=URN, revision=1, pupils=[pupil])
    await risk.tell(moved)
    assert await risk.bells() == []

    await risk.tell(register({ADA: "/"}))

    (bell,) = await risk.bells()
    assert bell["kind"] == "persistent-absence"
    assert "Of these, 7 of 30 were at former schools." in bell["explanation"]
