"""A police contact is told only when a named safeguarding lead has said so; none goes unheard."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from libs.common.school_day import utc_now
from libs.common.settings import ServiceSettings
from tests.service.notify_app import (
    ADA,
    AGENCIES,
    PRACTITIONERS,
    CaseSystem,
    House,
    bell,
    roll,
    running,
    works,
)

PEOPLE = {
    **PRACTITIONERS,
    "pat": {"name": "Pat Contact", "agency": "police", "roles": ["police_contact"]},
    "hal": {"name": "Hal Head", "agency": "elm", "roles": ["headteacher"]},
}
PLACES = {**AGENCIES, "police": {"name": "Police", "kind": "police"}}
RISK = works("pat", "police_contact", footing="missing_or_exploitation_risk")
EVERYTHING_POLICE_SEE = [
    "name", "date_of_birth", "identifier", "school", "pattern", "sessions", "footing",
    "explanation", "evidence",
]  # fmt: skip


@pytest.fixture
async def house(settings: ServiceSettings) -> AsyncIterator[House]:
    async with running(settings) as house:
        await house.settle(PLACES, PEOPLE)
        await house.involve(works(), RISK)
        changed = roll(ADA, identifiers={"social_care": "LCS-81", "police": "P-3"})
        fields = {name: getattr(changed, name) for name in changed.__struct_fields__}
        await house.tell(type(changed)(**{**fields, "revision": 2}))
        yield house


async def approve(house: House, who: str, **said: Any) -> Any:
    (alert,) = await house.alerts_of(who)
    path = f"/v1/alerts/{alert['id']}/approve"
    return await house.client.post(path, json=said or None, headers=house.of(who))


async def steps(house: House) -> list[tuple[str, str]]:
    """Return what the ledger says of Pat, in order."""
    about = [one for one in await house.records() if one["recipient"] == "pat"]
    return [
        (one["decision"], ",".join(one["fields"]))
        for one in about
        if one["decision"] not in {"read", "delivered"}
    ]


def at(house: House, instant: datetime) -> None:
    house.app.state.notifier.now = lambda: instant


async def test_it_waits_and_tells_the_safeguarding_lead_and_not_the_police(house: House) -> None:
    await house.tell(bell())

    assert await house.alerts_of("pat") == []
    (sues,) = await house.alerts_of("sue")
    (waits,) = sues["approvals"]
    assert waits["state"] == "awaiting"
    assert (waits["recipient"], waits["role"]) == ("pat", "police_contact")
    assert waits["fields"] == EVERYTHING_POLICE_SEE
    assert datetime.fromisoformat(waits["until"]) > utc_now()
    assert await steps(house) == [("awaiting_approval", "")]
    assert (await house.alerts_of("sam"))[0]["approvals"] is None


async def test_a_lead_whom_no_route_names_is_told_for_the_sake_of_the_approval(
    house: House,
) -> None:
    await house.tell(bell(kind="sudden-change"))

    (sues,) = await house.alerts_of("sue")

    assert sues["route"] == {"name": "approval"}
    assert sues["approvals"][0]["state"] == "awaiting"


async def test_released_it_is_told_and_recorded_who_released_it(house: House) -> None:
    with CaseSystem() as system:
        await house.endpoint(system.url(), practitioner="pat")
        await house.tell(bell())
        answer = await approve(house, "sue")
        (got,) = await system.has(1)

    assert answer.status_code == 200, answer.text
    assert answer.json()["approvals"][0]["state"] == "released"
    assert answer.json()["history"][-1]["what"] == "approval.released"
    (pats,) = await house.alerts_of("pat")
    assert pats["child"] == {
        "given_name": "Ada",
        "family_name": "Example",
        "date_of_birth": "2014-02-03",
        "identifiers": {"police": "P-3"},
        "footing": ["missing_or_exploitation_risk"],
    }
    assert pats["evidence"] == {"sessions": [{"date": "2026-09-14", "session": "am"}]}
    assert "nobody has said why" not in pats["explanation"]
    assert b"alert.raised" in got.body
    fields = ",".join(EVERYTHING_POLICE_SEE)
    assert await steps(house) == [
        ("awaiting_approval", ""), ("approved", fields), ("shared", fields),
    ]  # fmt: skip
    assert (await house.get("/v1/disclosures/verify"))["ok"] is True


async def test_refused_it_is_not_told_and_the_reason_stands(house: House) -> None:
    await house.tell(bell())

    answer = await approve(house, "sue", decision="refuse", reason="Known to be with family")

    assert answer.status_code == 200
    assert answer.json()["history"][-1] == {
        "at": answer.json()["history"][-1]["at"],
        "what": "approval.refused",
        "by": "sue",
        "reason": "Known to be with family",
    }
    assert await house.alerts_of("pat") == []
    assert [what for what, _ in await steps(house)] == ["awaiting_approval", "refused"]


async def test_a_refusal_stands_until_the_bell_grows_worse(house: House) -> None:
    await house.tell(bell())
    await approve(house, "sue", decision="refuse", reason="Known to be with family")
    decide = {"bell": str(bell().bell.id), "recipient": "pat"}
    answer = await house.client.post("/v1/sharing/decide", json=decide, headers=house.bearer())
    await house.tell(bell("escalated", 2))

    assert answer.json()["decisions"][0]["decision"] == "withheld"
    (sues,) = await house.alerts_of("sue")
    assert [one["state"] for one in sues["approvals"]] == ["refused", "awaiting"]


@pytest.mark.parametrize(
    "said", [{"decision": "refuse"}, {"decision": "perhaps"}, {"reason": ""}, {"more": 1}]
)
async def test_an_answer_that_is_none_is_refused(house: House, said: dict[str, Any]) -> None:
    await house.tell(bell())

    assert (await approve(house, "sue", **said)).status_code == 422


async def test_who_is_not_asked_cannot_release(house: House) -> None:
    await house.tell(bell())

    assert (await approve(house, "sam")).status_code == 409
    assert await house.alerts_of("pat") == []


async def test_released_twice_is_released_once(house: House) -> None:
    await house.tell(bell())
    await approve(house, "sue")

    assert (await approve(house, "sue")).status_code == 409


async def test_a_system_cannot_release_in_a_persons_stead(house: House) -> None:
    await house.tell(bell())
    (alert,) = await house.alerts_of("sue")
    token = house.bearer(scope="alerts:read alerts:write", agency="elm")

    answer = await house.client.post(f"/v1/alerts/{alert['id']}/approve", headers=token)

    assert answer.status_code == 403


async def test_what_is_released_is_decided_again(house: House) -> None:
    await house.tell(bell())
    keeps = {"kind": "more_detrimental", "agency": "police", "reason": "Assessed on 1 September"}
    await house.put(f"/v1/children/{ADA}/restrictions", {"restrictions": [keeps]})

    answer = await approve(house, "sue")

    assert answer.status_code == 200
    assert await house.alerts_of("pat") == []
    assert [what for what, _ in await steps(house)] == [
        "awaiting_approval", "approved", "withheld",
    ]  # fmt: skip


async def test_where_the_involvement_says_so_it_is_told_at_once(house: House) -> None:
    await house.involve({**RISK, "at_once": True})
    await house.tell(bell())

    assert len(await house.alerts_of("pat")) == 1
    assert [what for what, _ in await steps(house)] == ["shared"]


@pytest.mark.parametrize(
    ("involvement", "severity"),
    [(works("pat", "police_contact", footing="youth_justice"), "urgent"), (RISK, "warning")],
)
async def test_on_another_footing_or_less_urgent_nobody_is_even_asked(
    house: House, involvement: dict[str, Any], severity: Any
) -> None:
    await house.involve(works(), involvement)
    await house.tell(bell(severity=severity))

    (sues,) = await house.alerts_of("sue")

    assert sues["approvals"] is None
    assert await steps(house) == []


async def test_expired_the_headteacher_is_asked_and_the_lead_hears_of_it(house: House) -> None:
    await house.tell(bell())
    assert await house.alerts_of("hal") == []

    at(house, utc_now() + timedelta(hours=3))
    await house.app.state.rounds["approvals"].look()

    (hals,) = await house.alerts_of("hal")
    assert hals["approvals"][0]["state"] == "awaiting"
    assert [entry["what"] for entry in hals["history"]] == ["alert.raised"]
    (sues,) = await house.alerts_of("sue")
    assert sues["history"][-1]["what"] == "alert.escalated"
    assert [what for what, _ in await steps(house)] == ["awaiting_approval", "expired"]
    assert (await approve(house, "hal")).status_code == 200
    assert len(await house.alerts_of("pat")) == 1


async def test_it_goes_on_asking_until_somebody_answers(house: House) -> None:
    await house.tell(bell())
    later = utc_now()
    for _ in range(4):
        later += timedelta(days=5)
        at(house, later)
        await house.app.state.rounds["approvals"].look()

    what = [what for what, _ in await steps(house)]
    assert what == ["awaiting_approval", *["expired"] * 4]
    assert (await house.alerts_of("sue"))[0]["approvals"][0]["state"] == "awaiting"
    await house.app.state.rounds["approvals"].look()
    assert len(await steps(house)) == 5


async def test_before_its_time_nothing_expires(house: House) -> None:
    await house.tell(bell())

    at(house, utc_now() + timedelta(minutes=119))
    await house.app.state.rounds["approvals"].look()

    assert [what for what, _ in await steps(house)] == ["awaiting_approval"]


async def test_where_there_is_no_lead_the_headteacher_is_asked_first(house: House) -> None:
    await house.put("/v1/practitioners/sue", {**PEOPLE["sue"], "roles": ["attendance_lead"]})
    await house.tell(bell())

    (hals,) = await house.alerts_of("hal")

    assert hals["approvals"][0]["state"] == "awaiting"


async def test_a_lead_who_may_not_know_of_the_child_is_not_asked(house: House) -> None:
    keeps = {"kind": "relative", "practitioner": "sue", "reason": "Her aunt"}
    await house.put(f"/v1/children/{ADA}/restrictions", {"restrictions": [keeps]})
    await house.tell(bell())

    assert await house.alerts_of("sue") == []
    assert (await house.alerts_of("hal"))[0]["approvals"][0]["state"] == "awaiting"


async def test_with_nobody_to_ask_it_waits_and_is_asked_again_when_there_is(house: House) -> None:
    for name in ("sue", "hal"):
        await house.put(f"/v1/practitioners/{name}", {**PEOPLE[name], "roles": ["attendance_lead"]})
    await house.tell(bell())
    await house.put("/v1/practitioners/hal", PEOPLE["hal"])
    at(house, utc_now() + timedelta(hours=3))
    await house.app.state.rounds["approvals"].look()

    assert [what for what, _ in await steps(house)] == ["awaiting_approval", "expired"]
    assert (await approve(house, "hal")).status_code == 200


async def test_when_the_bell_ends_there_is_nothing_left_to_release(house: House) -> None:
    await house.tell(bell(), bell("withdrawn", 2))

    assert (await approve(house, "sue")).status_code == 409
    assert [what for what, _ in await steps(house)] == ["awaiting_approval", "expired"]
    (sues,) = await house.alerts_of("sue")
    assert (sues["status"], sues["approvals"][0]["state"]) == ("withdrawn", "ended")


async def test_when_the_contact_no_longer_works_with_the_child_it_ends(house: House) -> None:
    await house.tell(bell())
    await house.involve(works())
    at(house, utc_now() + timedelta(hours=3))
    await house.app.state.rounds["approvals"].look()

    (sues,) = await house.alerts_of("sue")
    assert sues["approvals"][0]["state"] == "ended"


async def test_a_backfill_asks_nobody(house: House) -> None:
    await house.tell(bell(quiet=True))

    assert await house.records() == []
    assert await house.alerts_of("sue") == []


async def test_after_its_release_the_contact_hears_how_it_goes_on(house: House) -> None:
    await house.tell(bell())
    await approve(house, "sue")
    await house.tell(bell("escalated", 2), bell("cleared", 3))

    (pats,) = await house.alerts_of("pat")

    assert [entry["what"] for entry in pats["history"]] == [
        "alert.raised", "alert.escalated", "alert.cleared",
    ]  # fmt: skip
