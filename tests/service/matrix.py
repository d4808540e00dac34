"""One installation with two schools and two authorities' workers, and a request for every call."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import httpx

from libs.common.auth import Issuer
from libs.common.school_day import london_day, utc_now
from libs.common.settings import ServiceSettings
from tests.conftest import until

URN, URN2 = "100000", "100001"
ADA = "B801200005001"
_NOW = london_day(utc_now())
TODAY, DAY = str(_NOW), str(_NOW - timedelta(days=max(0, _NOW.weekday() - 4)))
"""And the latest weekday: on others the school whose calendar is sent is closed."""
REGISTER = f"/ingest/v1/schools/{URN}/registers/{DAY}/am"
MARKS = {"marks": [{"upn": ADA, "code": "N"}]}
PUPIL = {
    "upn": ADA, "given_name": "Ada", "family_name": "Example", "date_of_birth": "2014-02-03",
    "year_group": "7", "entered_on": "2020-09-01", "identifiers": {"social_care": "LCS-81"},
    "home_la": "801",
}  # fmt: skip
WORKS = {"role": "social_worker", "footing": "child_in_need", "from": "2020-01-01", "to": None}
INVOLVED = {"involvements": [{"practitioner": who, **WORKS} for who in ("sam", "amy")]}
METHODS = ("get", "put", "post", "patch", "delete")

CLAIMS: dict[str, dict[str, Any]] = {
    "school": {"urns": [URN]},
    "school2": {"urns": [URN2]},
    "sam": {"practitioner": "sam"},
    "eve": {"practitioner": "eve"},
    "care": {"agency": "care"},
    "care2": {"agency": "care2"},
    "area": {"las": ["801"]},
    "area2": {"las": ["330"]},
    "bare": {},
}
"""Whose the token is, by the table's columns; its scopes are those that the call needs."""


class Call(NamedTuple):
    """An operation of an OpenAPI document, filled in."""

    service: str
    method: str
    template: str
    path: str
    scopes: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.service} {self.method.upper()} {self.template}"


class Body(NamedTuple):
    """A body that the call takes."""

    content: bytes
    type: str = "application/json"


def as_json(value: Any) -> Body:
    return Body(json.dumps(value).encode())


LINE = as_json({"urn": URN, "date": DAY, "session": "am", **MARKS})
BODIES: dict[str, Body] = {
    "ingest POST /v1/registers": LINE._replace(type="application/x-ndjson"),
    "ingest POST /v1/schools/{urn}/registers.csv": Body(
        f"date,session,upn,code\n{DAY},am,{ADA},N\n".encode(), "text/csv"
    ),
    "ingest PUT /v1/schools/{urn}/registers/{date}/{session}": as_json(MARKS),
    "ingest PUT /v1/schools/{urn}/roll": as_json({"pupils": [PUPIL]}),
    "ingest PUT /v1/schools/{urn}/calendar/{academic_year}": as_json(
        {"terms": [{"starts_on": "2026-09-01", "ends_on": "2026-12-18"}], "closed": []}
    ),
    "risk PUT /v1/schools/{urn}": as_json({"la": "801", "phase": "secondary"}),
    "notify PUT /v1/agencies/{id}": as_json({"name": "Care", "kind": "social_care", "la": "801"}),
    "notify PUT /v1/practitioners/{id}": as_json(
        {"name": "Sam", "agency": "care", "roles": ["social_worker"]}
    ),
    "notify PUT /v1/children/{upn}/involvements": as_json(INVOLVED),
    "notify POST /v1/involvements.csv": Body(
        f"upn,practitioner,role,footing,from,to\n{ADA},sam,social_worker,child_in_need,2020-01-01,\n"
        .encode(), "text/csv",
    ),
    "notify PUT /v1/children/{upn}/restrictions": as_json({"restrictions": []}),
    "notify POST /v1/endpoints": as_json({"practitioner": "sam", "url": "http://127.0.0.1:9/"}),
    "notify POST /v1/endpoints/{id}/verify": as_json({"challenge": "none was sent"}),
    "notify POST /v1/endpoints/{id}/replay": as_json({"since": f"{TODAY}T00:00:00Z"}),
    "notify POST /v1/alerts/{id}/actions": as_json({"action": "visited"}),
    "notify POST /v1/alerts/{id}/close": as_json({"outcome": "returned"}),
    "notify POST /v1/alerts/{id}/approve": as_json({"decision": "release"}),
    "notify POST /v1/alerts/{id}/silence": as_json({"until": TODAY, "reason": "known"}),
    "notify POST /v1/silences": as_json(
        {"until": TODAY, "reason": "known", "upn": ADA, "kind": "lateness"}
    ),
    "notify PUT /v1/practitioners/{id}/cover": as_json({"by": "amy", "from": TODAY, "to": TODAY}),
    "notify PUT /v1/practitioners/{id}/preferences": as_json({"digest": "daily"}),
    "notify POST /v1/alerts/{id}/hand-over": as_json({"to": "amy"}),
}  # fmt: skip
"""Bodies of the calls that have one."""

COVER = "/v1/practitioners/{id}/cover"
PREFERENCES = "/v1/practitioners/{id}/preferences"
BEFORE = {
    f"notify {method} {path}": f"notify PUT {path}"
    for method, path in (("GET", COVER), ("DELETE", COVER), ("GET", PREFERENCES))
}
"""What the operator calls before each of these: there must be something to read or to end."""


def calls(documents: Mapping[str, Mapping[str, Any]], ids: Mapping[str, str]) -> Iterator[Call]:
    """Yield every operation of every document.

    Args:
        ids: what stands for a path's part, by service and the path's noun, or for any path.
    """
    for service, document in documents.items():
        for template, operations in document["paths"].items():
            for method in METHODS:
                if method in operations:
                    security = operations[method].get("security", ())
                    scopes = tuple(scope for one in security for scope in one["bearer"])
                    path = f"/{service}" + _filled(template, ids)
                    yield Call(service, method, template, path, scopes)


def _filled(template: str, ids: Mapping[str, str]) -> str:
    parts = template.split("/")
    for place, part in enumerate(parts):
        if part.startswith("{"):
            name, rest = part[1:].split("}")
            key = f"{parts[place - 1]}/{name}"
            parts[place] = ids.get(key, ids.get(name, "")) + rest
    return "/".join(parts)


class Installation:
    """All three services in one app, and who calls them."""

    def __init__(self, client: httpx.AsyncClient, settings: ServiceSettings) -> None:
        self.client = client
        self._issuer = Issuer(settings.data_dir, settings.token_issuer, settings.token_audience)
        self.operator = self.header(scope="admin")

    def header(self, **claims: Any) -> dict[str, str]:
        token = self._issuer.token("matrix", timedelta(hours=1), **claims)
        return {"authorization": f"Bearer {token}"}

    def caller(self, column: str, scopes: tuple[str, ...]) -> dict[str, str]:
        """Return the header of a column's token, which bears the scopes that a call needs."""
        if column == "admin":
            return self.operator
        scope = " ".join([*scopes, *(["area"] if column.startswith("area") else [])])
        return self.header(scope=scope, **CLAIMS.get(column, {}))

    async def send(
        self, call: Call, header: Mapping[str, str], path: str | None = None
    ) -> httpx.Response:
        body = BODIES.get(call.name, Body(b""))
        headers = {**header, "content-type": body.type}
        method = call.method.upper()
        return await self.client.request(
            method, path or call.path, content=body.content, headers=headers
        )

    async def settle(self) -> dict[str, str]:
        """Fill it; return what stands for each path's part."""
        people = {"sam": "care", "amy": "care", "eve": "care2"}
        for id, la in (("care", "801"), ("care2", "330")):
            await self._put(f"/notify/v1/agencies/{id}", name=id, kind="social_care", la=la)
        for id, agency in people.items():
            roles = ["social_worker"]
            await self._put(f"/notify/v1/practitioners/{id}", name=id, agency=agency, roles=roles)
        await self._put(f"/notify/v1/children/{ADA}/involvements", **INVOLVED)
        await self._put(f"/notify/v1/children/{ADA}/restrictions", restrictions=[])
        await self._put(f"/ingest/v1/schools/{URN}/roll", pupils=[PUPIL])
        calendar = json.loads(
            BODIES["ingest PUT /v1/schools/{urn}/calendar/{academic_year}"].content
        )
        await self._put(f"/ingest/v1/schools/{URN}/calendar/2026", **calendar)
        trust = {"id": "TR1", "name": "Trust"}
        await self._put(f"/risk/v1/schools/{URN}", la="801", phase="secondary", trust=trust)
        receipt = (await self._put(REGISTER, **MARKS))["receipt"]
        alerts = await until(self._alerts)
        endpoint = await self._post(
            "/notify/v1/endpoints", practitioner="sam", url="http://127.0.0.1:9/"
        )
        test = await self._post(f"/notify/v1/endpoints/{endpoint['id']}/test")
        return {
            "urn": URN, "upn": ADA, "date": DAY, "session": "am", "academic_year": "2026",
            "receipt": receipt, "la": "801", "trust": "TR1", "bell": alerts["sam"]["bell"],
            "agencies/id": "care", "practitioners/id": "sam", "alerts/id": alerts["sam"]["id"],
            "endpoints/id": endpoint["id"], "deliveries/id": test["id"],
            "silences/id": await self._silence(),
            "hand-overs/id": await self._hand_over(alerts["amy"]["id"]), "answer": "accept",
        }  # fmt: skip

    async def _alerts(self) -> dict[str, Any] | None:
        answer = await self.client.get("/notify/v1/alerts", headers=self.operator)
        of = {}
        for who in ("sam", "amy"):
            header = self.header(scope="alerts:read", practitioner=who)
            answer = await self.client.get("/notify/v1/alerts", headers=header)
            items = answer.json()["items"]
            if not items:
                return None
            of[who] = items[0]
        return of

    async def _silence(self) -> str:
        body = json.loads(BODIES["notify POST /v1/silences"].content)
        made = await self._post("/notify/v1/silences", as_="sam", **body)
        return str(made["id"])

    async def _hand_over(self, alert: str) -> str:
        made = await self._post(f"/notify/v1/alerts/{alert}/hand-over", as_="amy", to="sam")
        return str(made["id"])

    async def _put(self, path: str, **body: Any) -> Any:
        answer = await self.client.put(path, json=body, headers=self.operator)
        assert answer.is_success, answer.text
        return answer.json()

    async def _post(self, path: str, as_: str | None = None, **body: Any) -> Any:
        header = self.operator
        if as_ is not None:
            header = self.header(scope="alerts:read alerts:write", practitioner=as_)
        answer = await self.client.post(path, json=body, headers=header)
        assert answer.is_success, answer.text
        return answer.json()
