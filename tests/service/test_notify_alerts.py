"""Bells come over the log; each recipient has alerts of their own."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.common.service import cursor_of
from libs.common.settings import ServiceSettings
from tests.service.notify_app import ADA, BEN, PRACTITIONER, House, bell, roll, running, works


@pytest.fixture
async def house(settings: ServiceSettings) -> AsyncIterator[House]:
    async with running(settings) as house:
        await house.settle()
        yield house


def told(alert: dict[str, Any]) -> list[str]:
    return [entry["what"] for entry in alert["history"]]


async def answer_of(house: House, path: str, **claims: Any) -> tuple[int, dict[str, Any]]:
    answer = await house.client.get(path, headers=house.bearer(**claims))
    return answer.status_code, answer.json()


async def test_a_bell_becomes_an_alert_for_each_who_needs_to_know(house: House) -> None:
    await house.tell(bell())

    (sams,) = await house.alerts_of("sam")
    (sues,) = await house.alerts_of("sue")
    assert sams["bell"] == sues["bell"]
    assert sams["id"] != sues["id"]
    assert await house.alerts_of("eve") == await house.alerts_of("lea") == []


async def test_a_schools_own_bell_goes_to_the_school_and_is_about_no_child(house: House) -> None:
    await house.tell(bell(kind="register-missing", upn=None, severity="notice"))

    (alert,) = await house.alerts_of("lea")
    assert (alert["kind"], alert["child"], alert["school"]) == (
        "register-missing", {}, {"urn": "100000"},
    )  # fmt: skip
    assert await house.alerts_of("sam") == await house.alerts_of("sue") == []


async def test_an_alert_is_as_the_contract_says_with_the_permitted_fields(house: House) -> None:
    await house.tell(bell())

    (alert,) = await house.alerts_of("sam")

    assert {name: alert[name] for name in ("kind", "severity", "status", "school", "withheld")} == {
        "kind": "unexplained-absence",
        "severity": "urgent",
        "status": "raised",
        "school": {"urn": "100000"},
        "withheld": ["upn", "comment"],
    }
    assert alert["child"] == {
        "given_name": "Ada",
        "family_name": "Example",
        "date_of_birth": "2014-02-03",
        "identifiers": {"social_care": "LCS-81"},
        "year_group": "7",
        "footing": ["child_in_need"],
    }
    assert alert["raised_at"].startswith("2026-09-14T08:51")
    assert alert["basis"]
    assert ADA not in str(alert)


async def test_a_bell_of_an_unknown_kind_tells_nobody_and_costs_nothing_else(house: House) -> None:
    await house.tell(bell(kind="no-such-kind"), bell())

    assert len(await house.alerts_of("sam")) == 1
    assert {d["bell"] for d in await house.ledger()} == {str(bell().bell.id)}


async def test_an_event_that_comes_twice_is_taken_once(house: House) -> None:
    await house.tell(bell(), bell())
    await house.tell(bell())

    assert [told(alert) for alert in await house.alerts_of("sam")] == [["alert.raised"]]
    assert len(await house.ledger()) == 2


async def test_anothers_alert_is_not_found_exactly_as_one_that_does_not_exist(house: House) -> None:
    await house.tell(bell())
    (alert,) = await house.alerts_of("sam")
    eve = {"scope": PRACTITIONER, "practitioner": "eve"}

    theirs = await answer_of(house, f"/v1/alerts/{alert['id']}", **eve)
    nobodys = await answer_of(house, f"/v1/alerts/{uuid4()}", **eve)

    assert theirs == nobodys
    assert theirs[0] == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("acknowledge", None),
        ("actions", {"action": "visited"}),
        ("close", {"outcome": "returned"}),
    ],
)
async def test_anothers_alert_cannot_be_changed_and_is_not_found(
    house: House, path: str, body: dict[str, Any] | None
) -> None:
    await house.tell(bell())
    (alert,) = await house.alerts_of("sam")

    for id in (alert["id"], uuid4()):
        answer = await house.client.post(
            f"/v1/alerts/{id}/{path}", json=body, headers=house.of("eve")
        )
        assert answer.status_code == 404

    assert await house.alerts_of("sam") == [alert]


async def test_an_agencys_token_sees_its_own_practitioners_alerts(house: House) -> None:
    await house.tell(bell())

    care = await house.get("/v1/alerts", scope=PRACTITIONER, agency="care")

    assert care["items"] == await house.alerts_of("sam")


@pytest.mark.parametrize("claims", [{}, {"practitioner": "nobody"}, {"agency": "nobody"}])
async def test_a_token_of_nobodys_sees_no_alert(house: House, claims: dict[str, str]) -> None:
    await house.tell(bell())

    assert (await house.get("/v1/alerts", scope=PRACTITIONER, **claims))["items"] == []


async def test_acknowledged_twice_is_acknowledged_once(house: House) -> None:
    await house.tell(bell())
    (alert,) = await house.alerts_of("sam")
    path = f"/v1/alerts/{alert['id']}/acknowledge"

    first = await house.client.post(path, headers=house.of("sam"))
    second = await house.client.post(path, headers=house.of("sam"))

    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert first.json()["status"] == "acknowledged"
    assert told(first.json()) == ["alert.raised", "acknowledged"]


async def change(house: House, path: str, **body: Any) -> dict[str, Any]:
    (alert,) = await house.alerts_of("sam")
    url = f"/v1/alerts/{alert['id']}/{path}"
    answer = await house.client.post(url, json=body or None, headers=house.of("sam"))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_acknowledging_after_acting_does_not_undo_the_action(house: House) -> None:
    await house.tell(bell())
    await change(house, "actions", action="visited")

    assert (await change(house, "acknowledge"))["status"] == "in_progress"


async def test_an_alert_that_rings_anew_can_be_acknowledged_anew(house: House) -> None:
    await house.tell(bell())
    await change(house, "acknowledge")
    await house.tell(bell("withdrawn", 2), bell("raised", 3))
    assert [alert["status"] for alert in await house.alerts_of("sam")] == ["raised"]

    again = await change(house, "acknowledge")

    assert again["status"] == "acknowledged"
    assert told(again).count("acknowledged") == 2


async def test_a_closed_alert_takes_nothing_more(house: House) -> None:
    await house.tell(bell())
    closed = await change(house, "close", outcome="support_in_place", note="Family worker")

    url = f"/v1/alerts/{closed['id']}/actions"
    answer = await house.client.post(url, json={"action": "visited"}, headers=house.of("sam"))

    assert closed["status"] == "closed"
    assert closed["history"][-1]["outcome"] == "support_in_place"
    assert answer.status_code == 409


async def test_a_closed_alert_stays_closed_when_its_bell_clears(house: House) -> None:
    await house.tell(bell())
    await change(house, "close", outcome="support_in_place")

    await house.tell(bell("cleared", 2))

    (alert,) = await house.alerts_of("sam")
    assert alert["status"] == "closed"
    assert told(alert)[-1] == "alert.cleared"


async def test_alerts_are_paged_newest_first_without_gaps_or_repeats(house: House) -> None:
    await house.tell(*[bell(number=number) for number in range(1, 8)])

    pages, cursor = [], ""
    while True:
        page = await house.get(
            f"/v1/alerts?limit=3{cursor}", practitioner="sam", scope="alerts:read"
        )
        pages.append([item["raised_at"] for item in page["items"]])
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"

    assert [len(page) for page in pages] == [3, 3, 1]
    flat = [instant for page in pages for instant in page]
    assert flat == sorted(set(flat), reverse=True)


async def test_all_of_ones_alerts_on_a_child_are_one_thread(house: House) -> None:
    await house.involve(works(), upn=BEN)
    await house.tell(bell(), bell(kind="severe-absence", severity="warning"), bell(upn=BEN))

    sams, sues = await house.alerts_of("sam"), await house.alerts_of("sue")
    (adas, bens), of = {one["thread"] for one in sams}, {one["id"]: one for one in sams}
    listed = [
        await house.get(f"/v1/alerts?thread={one}", scope="alerts:read", practitioner="sam")
        for one in (adas, bens)
    ]

    assert sorted(len(one["items"]) for one in listed) == [1, 2]
    for thread in listed:
        names = {of[one["id"]]["child"]["given_name"] for one in thread["items"]}
        assert len(names) == 1
    assert not {adas, bens} & {one["thread"] for one in sues}


async def test_alerts_are_found_by_status_and_kind(house: House) -> None:
    await house.tell(bell(), bell(kind="persistent-absence"), bell("withdrawn", 2))
    sam = {"practitioner": "sam", "scope": "alerts:read"}

    withdrawn = await house.get("/v1/alerts?status=withdrawn", **sam)
    persistent = await house.get("/v1/alerts?kind=persistent-absence", **sam)

    assert [a["kind"] for a in withdrawn["items"]] == ["unexplained-absence"]
    assert [a["status"] for a in persistent["items"]] == ["raised"]


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        "W10",
        cursor_of("2026-01-01T00:00:00", UUID(int=0)),
        cursor_of("0001-01-01T00:00:00+14:00", UUID(int=0)),
        cursor_of(5, 5),
    ],
)
async def test_a_cursor_that_is_none_of_ours_is_refused(house: House, cursor: str) -> None:
    status, problem = await answer_of(house, f"/v1/alerts?cursor={cursor}")

    assert (status, problem["errors"][0]["at"]) == (422, ["query", "cursor"])


async def test_a_bell_through_its_life_tells_each_change(house: House) -> None:
    await house.tell(bell(), bell("escalated", 2), bell("cleared", 3))

    (alert,) = await house.alerts_of("sam")

    assert told(alert) == ["alert.raised", "alert.escalated", "alert.cleared"]
    assert alert["status"] == "cleared"


async def test_a_withdrawn_bell_tells_everybody_who_was_told(house: House) -> None:
    await house.tell(bell())
    await house.involve()  # nobody works with Ada any more
    await house.tell(bell("withdrawn", 2))

    for practitioner in ("sam", "sue"):
        (alert,) = await house.alerts_of(practitioner)
        assert alert["status"] == "withdrawn"
        assert told(alert) == ["alert.raised", "alert.withdrawn"]
    (sams,) = await house.alerts_of("sam")
    assert sams["child"] == {}


async def test_who_no_longer_works_with_the_child_hears_of_no_escalation(house: House) -> None:
    await house.tell(bell())
    await house.involve(works(to="2020-02-01"))
    await house.tell(bell("escalated", 2))

    assert await house.alerts_of("sam") == []
    assert [d["recipient"] for d in await house.ledger()] == ["sam", "sue", "sue"]


async def test_who_comes_in_when_it_escalates_hears_that_it_rings(house: House) -> None:
    await house.involve()
    await house.tell(bell())
    assert await house.alerts_of("sam") == []
    await house.involve(works())
    await house.tell(bell("escalated", 2))

    (alert,) = await house.alerts_of("sam")

    assert told(alert) == ["alert.raised"]


@pytest.mark.parametrize("ends", ["cleared", "withdrawn"])
async def test_who_was_not_told_that_it_rang_is_not_told_that_it_ended(
    house: House, ends: Any
) -> None:
    await house.involve()
    await house.tell(bell())
    await house.involve(works())
    await house.tell(bell(ends, 2))

    assert await house.alerts_of("sam") == []


async def test_a_backfill_tells_nobody_new(house: House) -> None:
    await house.tell(bell(quiet=True), bell("escalated", 2, quiet=True))

    assert await house.alerts_of("sam") == await house.alerts_of("sue") == []
    assert await house.ledger() == []


async def test_a_backfill_still_tells_those_who_were_told_that_it_is_withdrawn(
    house: House,
) -> None:
    await house.tell(bell(), bell("withdrawn", 2, quiet=True))

    (alert,) = await house.alerts_of("sam")

    assert told(alert) == ["alert.raised", "alert.withdrawn"]


async def test_a_quiet_bell_that_escalates_aloud_is_told_as_ringing(house: House) -> None:
    await house.tell(bell(quiet=True), bell("escalated", 2))

    assert [told(alert) for alert in await house.alerts_of("sam")] == [["alert.raised"]]


async def test_an_ended_involvement_tells_the_worker_nothing(house: House) -> None:
    await house.involve(works(to="2020-02-01"))
    await house.tell(bell())

    assert await house.alerts_of("sam") == []
    assert [d["recipient"] for d in await house.ledger()] == ["sue"]


async def test_involved_with_one_child_is_not_involved_with_another(house: House) -> None:
    await house.tell(bell(upn=BEN))

    assert await house.alerts_of("sam") == []


async def test_an_officer_of_the_home_authority_is_told_and_another_is_not(house: House) -> None:
    for name, la, urns in (("home", "330", []), ("schools", "801", ["100000"])):
        body = {"name": name, "kind": "local_authority", "la": la, "urns": urns}
        await house.put(f"/v1/agencies/{name}", body)
        officer = {"name": name, "agency": name, "roles": ["attendance_officer"]}
        await house.put(f"/v1/practitioners/{name}", officer)
    changed = roll(ADA, home_la="330")
    await house.tell(type(changed)(**{**_fields(changed), "revision": 2}))
    await house.tell(bell(kind="sickness-return"))

    assert len(await house.alerts_of("home")) == 1
    assert await house.alerts_of("schools") == []


def _fields(event: Any) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


async def test_a_pupil_taken_off_the_roll_is_told_of_without_their_name(house: House) -> None:
    left = roll()
    await house.tell(type(left)(**{**_fields(left), "revision": 2, "removed": [ADA]}))
    await house.tell(bell())

    (alert,) = await house.alerts_of("sam")

    assert alert["child"] == {"footing": ["child_in_need"]}
