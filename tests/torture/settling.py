"""What a house is told before the first register: who there is, who works with whom, the rolls."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.torture.house import SERVICES
from tests.torture.receivers import Receivers
from tests.torture.world import AUTHORITIES, Pupil, World, authority_of

BACKLOG = {"firstbell_outbox_waiting_events", "firstbell_consumer_lag_records"}


class Told(Protocol):
    """A house, or the unharmed one beside it."""

    def client(self, service: str = "ingest", **claims: Any) -> httpx.Client:
        """Return a client with the operator's token, or with one that bears these claims."""
        ...


def settle(house: Told, world: World, receivers: Receivers) -> None:
    """Fill the directory and the rolls, and wait until everybody has heard of them.

    Registers come after that: of an involvement and a register that are sent at the same moment,
    on two topics, either may be read first, and both orders ring (docs/architecture.md).
    """
    with house.client("notify") as notify:
        _people(notify, world)
        for recipient in world.recipients:
            endpoint = {"practitioner": recipient, "url": receivers.url(recipient)}
            made = notify.post("/notify/v1/endpoints", json=endpoint)
            receivers.secrets[recipient] = made.raise_for_status().json()["secret"]
        for pupil in world.pupils:
            if pupil.worker:
                body = {"involvements": _involvements(pupil)}
                _put(notify, f"/notify/v1/children/{pupil.upn}/involvements", body)
    with house.client("ingest") as ingest:
        for urn in world.urns:
            roll = [_on_roll(pupil) for pupil in world.pupils if pupil.urn == urn]
            _put(ingest, f"/ingest/v1/schools/{urn}/roll", {"pupils": roll})
    assert wait_until(lambda: not backlog(house), 120) is not None, "nobody has heard of them"


def _people(notify: httpx.Client, world: World) -> None:
    agencies = {f"care-{la}": {"kind": "social_care", "la": la} for la in AUTHORITIES}
    agencies |= {f"force-{la}": {"kind": "police", "la": la} for la in AUTHORITIES}
    agencies |= {f"school-{urn}": {"kind": "school", "urns": [urn]} for urn in world.urns}
    for id, body in agencies.items():
        _put(notify, f"/notify/v1/agencies/{id}", {"name": id, **body})
    for recipient in world.recipients:
        kind, whose = recipient.split("-")[:2]
        agency = {"worker": "care", "police": "force", "lead": "school"}[kind]
        roles = {
            "worker": ["social_worker"],
            "police": ["police_contact"],
            "lead": ["attendance_lead", "safeguarding_lead"],
        }[kind]
        body = {"name": recipient, "agency": f"{agency}-{whose}", "roles": roles}
        _put(notify, f"/notify/v1/practitioners/{recipient}", body)


def _involvements(pupil: Pupil) -> list[dict[str, Any]]:
    since = {"from": "2020-01-01", "to": None}
    made = [
        {"practitioner": pupil.worker, "role": "social_worker", "footing": "child_in_need", **since}
    ]
    if pupil.police:
        risk = {"role": "police_contact", "footing": "missing_or_exploitation_risk"}
        made.append({"practitioner": pupil.police, "at_once": True, **risk, **since})
    return made


def _on_roll(pupil: Pupil) -> dict[str, Any]:
    words = pupil.words
    return {
        "upn": pupil.upn,
        "given_name": "Sam",
        "family_name": words["family_name"],
        "date_of_birth": "2014-02-03",
        "year_group": "7",
        "group": pupil.group,
        "entered_on": "2020-09-01",
        "home_la": authority_of(pupil.urn),
        "identifiers": {name: words[name] for name in ("social_care", "police")},
    }


def _put(client: httpx.Client, path: str, body: Any) -> None:
    answer = client.put(path, json=body)
    assert answer.is_success, answer.text


def backlog(house: Told) -> float:
    """Return how many events wait in outboxes and in the log; one more while nobody can say."""
    waiting = 0.0
    for name in SERVICES:
        try:
            with house.client(name) as client:
                text = client.get(f"/{name}/metrics").raise_for_status().text
        except httpx.HTTPError:
            return waiting + 1
        told = {
            sample.name: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if dict(sample.labels).get("service") == name
        }
        if told.get("firstbell_log_up") == 0 or told.get("firstbell_database_up") == 0:
            return waiting + 1
        waiting += sum(value for key, value in _samples(text, name) if key in BACKLOG)
    return waiting


def undelivered(house: Told) -> int:
    """Return how many messages wait for their receivers; one more while nobody can say."""
    waiting = 0
    try:
        with house.client("notify") as client:
            for endpoint in client.get("/notify/v1/endpoints?limit=500").json()["items"]:
                path = f"/notify/v1/endpoints/{endpoint['id']}/deliveries"
                states = [one["state"] for one in every(client, path)]
                waiting += states.count("pending")
    except httpx.HTTPError:
        return waiting + 1
    return waiting


def every(client: httpx.Client, path: str) -> Iterator[dict[str, Any]]:
    """Yield a list's items, a part after the other."""
    cursor = None
    while True:
        params = {"limit": 500} | ({"cursor": cursor} if cursor else {})
        page = client.get(path, params=params, timeout=60).raise_for_status().json()
        yield from page["items"]
        cursor = page["next"]
        if cursor is None:
            return


def dead_letters(house: Told) -> int:
    """Return how many records were put aside; -1 while nobody can say."""
    found = 0.0
    for name in SERVICES:
        try:
            with house.client(name) as client:
                text = client.get(f"/{name}/metrics").raise_for_status().text
        except httpx.HTTPError:
            return -1
        found += sum(v for key, v in _samples(text, name) if key == "firstbell_dead_letters")
    return int(found)


def _samples(text: str, service: str) -> list[tuple[str, float]]:
    return [
        (sample.name, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("service") == service
    ]


def wait_until(true: Callable[[], Any], patience_s: float, every_s: float = 0.2) -> float | None:
    """Return the seconds until it is true; None when it is not in time."""
    start = time.monotonic()
    while not true():
        if time.monotonic() - start > patience_s:
            return None
        time.sleep(every_s)
    return time.monotonic() - start
