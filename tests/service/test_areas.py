"""Schools, trusts and authorities: whose marks are counted, and who may see what."""

from collections.abc import AsyncIterator, Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from libs.common.settings import ServiceSettings
from tests.service.areas_app import (
    LA,
    MONDAY,
    PRIMARY,
    SECONDARY,
    TRUST,
    UNKNOWN,
    House,
    register,
    roll,
    running,
)  # fmt: skip
from tests.service.ingest_app import upn
from tests.service.test_risk import worker
from tests.unit import databases

READ = "attendance:read"
AREA = {"scope": f"{READ} area", "las": [LA]}


@pytest.fixture(params=databases.BOTH)
async def house(
    request: pytest.FixtureRequest, tmp_path: Path, settings: ServiceSettings,
    token: Callable[..., dict[str, str]],
) -> AsyncIterator[House]:  # fmt: skip
    async with running(request.param, tmp_path, settings, token) as made:
        yield made


def counts(body: dict[str, Any]) -> tuple[Any, ...]:
    names = ("schools", "pupils", "sessions_possible", "authorised", "unauthorised")
    return tuple(body[name] for name in names)


async def test_what_a_school_is_counted_under_is_read_by_who_speaks_for_it(house: House) -> None:
    path = f"/v1/schools/{PRIMARY}"
    placed = {"la": LA, "phase": "primary", "trust": TRUST}

    assert await house.ask(path, scope=READ, urns=[PRIMARY]) == placed
    assert await house.ask(path, **AREA) == placed
    assert await house.ask(path, scope=READ, urns=[SECONDARY]) == 403
    assert await house.ask(f"/v1/schools/{UNKNOWN}") == 404


async def test_a_school_moves_to_another_trust_and_authority(house: House) -> None:
    await house.place(PRIMARY, "primary", la="330")

    assert await house.ask(f"/v1/schools/{PRIMARY}") == {
        "la": "330", "phase": "primary", "trust": None,
    }  # fmt: skip
    assert counts(await house.ask("/v1/trusts/TR1/attendance")) == (1, 9, 9, 0, 4)
    assert (await house.ask("/v1/areas/330/attendance"))["schools"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {"la": "33", "phase": "primary"},
        {"la": "330", "phase": "nursery"},
        {"la": "330", "phase": "primary", "trust": {"id": "a b", "name": "x"}},
        {"la": "330", "phase": "primary", "trust": {"id": "a", "name": "x\x00"}},
        {"la": "330", "phase": "primary", "head": "x"},
    ],
)
async def test_what_no_school_is_counted_under_is_refused(
    house: House, body: dict[str, Any]
) -> None:
    path = f"/v1/schools/{PRIMARY}"

    answer = await house.client.put(path, json=body, headers=house.headers)

    assert answer.status_code == 422
    assert (await house.ask(path))["phase"] == "primary"


async def test_only_the_operators_token_places_a_school(house: House) -> None:
    body = {"la": LA, "phase": "primary"}
    for scope, status in ((f"{READ} area", 403), ("schools:write", 200)):
        headers = house.token(scope=scope, urns=[PRIMARY], las=[LA])
        answer = await house.client.put(f"/v1/schools/{PRIMARY}", json=body, headers=headers)
        assert answer.status_code == status


async def test_an_authority_counts_its_schools_and_who_lives_there(house: House) -> None:
    body = await house.ask(f"/v1/areas/{LA}/attendance")

    assert body["counted_by"] == {"school": 2, "residence": 1}
    assert counts(body) == (3, 24, 24, 2, 4)
    assert counts(await house.ask("/v1/areas/330/attendance")) == (0, 0, 0, 0, 0)


async def test_once_a_schools_authority_is_known_residence_no_longer_counts(house: House) -> None:
    await house.place(UNKNOWN, "special", la="330")

    assert counts(await house.ask(f"/v1/areas/{LA}/attendance")) == (2, 21, 21, 1, 4)
    assert counts(await house.ask("/v1/areas/330/attendance")) == (1, 3, 3, 1, 0)


async def test_the_rolls_home_goes_before_who_issued_the_upn(house: House) -> None:
    born = date(2014, 10, 1)
    await house.tell(roll(UNKNOWN, [(201, born, "330"), (202, born, LA), (203, born, None)]))

    assert counts(await house.ask("/v1/areas/330/attendance")) == (1, 1, 1, 0, 0)
    assert counts(await house.ask(f"/v1/areas/{LA}/attendance")) == (3, 23, 23, 2, 4)


async def test_compulsory_age_leaves_out_reception_and_the_sixth_form(house: House) -> None:
    born = [date(2021, 9, 1), date(2021, 7, 31), date(2010, 9, 1), date(2010, 7, 31)]
    await house.tell(
        register(UNKNOWN, "IIII", first=301, day=date(2026, 9, 15)),
        roll(UNKNOWN, [(301 + n, day, LA) for n, day in enumerate(born)]),
    )

    for ages, pupils in (("all", 7), ("compulsory", 5)):
        body = await house.ask(f"/v1/schools/{UNKNOWN}/attendance", {"ages": ages})
        assert body["pupils"] == pupils


async def test_few_pupils_are_shown_to_their_school_alone(house: House) -> None:
    path = f"/v1/schools/{SECONDARY}/attendance"

    own = await house.ask(path, scope=READ, urns=[SECONDARY])
    area = await house.ask(path, **AREA)

    assert (own["suppressed"], own["pupils"], own["absence_rate"]) == (False, 9, 0.4444)
    assert (area["suppressed"], area["pupils"], area["absence_rate"]) == (True, None, None)
    assert area["weeks"][0]["sessions_possible"] is None
    assert area["terms"][0]["year_to_date"]["unauthorised"] is None
    assert await house.ask(path, scope=READ, urns=[PRIMARY]) == 403


async def test_a_trust_is_for_who_speaks_for_all_of_it(house: House) -> None:
    path = "/v1/trusts/TR1/attendance"

    whole = await house.ask(path, scope=READ, urns=[PRIMARY, SECONDARY])

    assert counts(whole) == counts(await house.ask(path, **AREA)) == (2, 21, 21, 1, 4)
    assert await house.ask(path, scope=READ, urns=[PRIMARY]) == 404
    assert await house.ask("/v1/trusts/TR2/attendance", **AREA) == 404


async def test_to_speak_for_a_part_of_a_small_trust_shows_no_more_of_it(house: House) -> None:
    for urn in (UNKNOWN, "100003"):
        await house.place(urn, "primary", trust={"id": "TR2", "name": "Small Trust"})
    path = "/v1/trusts/TR2/attendance"

    assert (await house.ask(path, **AREA, urns=["100003"]))["pupils"] is None
    assert (await house.ask(path, **AREA, urns=[UNKNOWN, "100003"]))["pupils"] == 3


async def test_an_authority_is_for_an_areas_token(house: House) -> None:
    path = f"/v1/areas/{LA}/attendance"

    assert await house.ask(path, scope=READ, urns=[PRIMARY, SECONDARY, UNKNOWN]) == 403
    assert await house.ask(path, scope="area", las=[LA]) == 403
    assert await house.ask(path, scope=f"{READ} area") == 403
    assert await house.ask(path, scope=f"{READ} area", las=["330"]) == 403
    assert await house.ask(path, scope=READ, las=[LA]) == 403
    assert (await house.ask(path, **AREA))["pupils"] == 24


async def test_an_areas_token_reads_nothing_of_another_authoritys_schools(house: House) -> None:
    await house.place(SECONDARY, "secondary", la="330")
    theirs, day = upn(101), date(2026, 9, 15)
    await house.tell(worker(theirs), register(SECONDARY, "N", first=101, day=day))
    scope = f"{READ} area bells:read"

    async def bells(la: str) -> list[dict[str, Any]]:
        headers = house.token(scope=scope, las=[la])
        answer = await house.client.get("/v1/bells", headers=headers)
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    (bell,) = await bells("330")

    assert await bells(LA) == []
    for path, own, other in (
        (f"/v1/bells/{bell['id']}", 200, 404),
        (f"/v1/schools/{SECONDARY}/attendance", 200, 403),
        (f"/v1/pupils/{theirs}/attendance/picture", 200, 404),
    ):
        for las, status in (["330"], own), ([LA], other), ([], other):
            answer = await house.ask(path, scope=scope, las=las)
            assert (answer if isinstance(answer, int) else 200) == status, (path, las)
    pupil = f"/v1/pupils/{theirs}/attendance"
    assert (await house.ask(pupil, scope=scope, las=[LA]))["sessions_possible"] == 0


async def test_a_pupils_picture_shows_days_weeks_and_bells_of_the_schools_one_may_see(
    house: House,
) -> None:
    ada = upn(1)
    await house.tell(worker(ada), register(PRIMARY, "N", first=1, day=date(2026, 9, 15)))
    path = f"/v1/pupils/{ada}/attendance/picture"

    body = await house.ask(path, scope=f"{READ} bells:read", urns=[PRIMARY])

    assert [(day["date"], day["am"]["code"], day["pm"]) for day in body["days"]] == [
        (str(MONDAY), "/", None), ("2026-09-15", "N", None),
    ]  # fmt: skip
    (week,) = body["weeks"]
    assert (week["absence_rate"], week["school_rate"]) == (0.5, round(2 / 13, 4))
    (bell,) = body["bells"]
    assert (bell["kind"], bell["grounds"]) == ("unexplained-absence", ["unexplained-absence"])
    assert bell["sessions"] == [{"date": "2026-09-15", "session": "am", "code": "N"}]
    assert bell["explanation"].startswith("Absent on Tuesday 15 September 2026 (morning)")
    assert await house.ask(path, scope=f"{READ} bells:read", urns=[SECONDARY]) == 404
    assert await house.ask(path, scope=READ, urns=[PRIMARY]) == 403


async def test_a_correction_shows_in_a_pupils_picture(house: House) -> None:
    ada, day = upn(1), date(2026, 9, 15)
    taken = register(PRIMARY, "N", first=1, day=day)
    await house.tell(worker(ada), taken)

    await house.tell(structs.replace(taken, codes=["I"], revision=2))

    path = f"/v1/pupils/{ada}/attendance/picture"
    body = await house.ask(path, scope=f"{READ} bells:read", urns=[PRIMARY])
    assert body["days"][-1]["am"] == {"code": "I", "counts_as": "authorised"}
    (bell,) = body["bells"]
    assert bell["status"] == "withdrawn"
    assert bell["sessions"] == [{"date": "2026-09-15", "session": "am", "code": "N"}]
    assert "15 September 2026 (morning) is now I (illness)" in bell["explanation"]


async def test_a_small_schools_rate_is_not_drawn_for_an_area(house: House) -> None:
    path = f"/v1/pupils/{upn(101)}/attendance/picture"

    area = await house.ask(path, scope=f"{READ} area bells:read", las=[LA])
    own = await house.ask(path, scope=f"{READ} bells:read", urns=[SECONDARY])

    assert (area["weeks"][0]["absence_rate"], area["weeks"][0]["school_rate"]) == (0, None)
    assert own["weeks"][0]["school_rate"] == 0.4444
