"""The real notify app over ASGI, on real SQLite and the embedded log, and a real case system."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, NamedTuple

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from libs.common.auth import Issuer
from libs.common.event_records import message_of
from libs.common.events import Bell, BellChanged, Event, RollChanged, RollPupil
from libs.common.identifiers import id_of
from libs.common.school_day import london_day, utc_now
from libs.common.settings import ServiceSettings
from services.notify.main import create_app
from services.notify.sharing import Policies
from tests.conftest import serving, until
from tests.listening import HttpServer, QuietHandler

URN = "100000"
ADA, BEN = "B801200005001", "P207000016049"
RANG_AT = datetime(2026, 9, 14, 8, 50, tzinfo=UTC)
TODAY = london_day(utc_now())
Change = Literal["raised", "escalated", "cleared", "withdrawn"]
PRACTITIONER = "alerts:read alerts:write endpoints:write"
AGENCIES: dict[str, dict[str, Any]] = {
    "elm": {"name": "Elm School", "kind": "school", "urns": [URN]},
    "care": {"name": "Care", "kind": "social_care", "la": "801"},
}
PRACTITIONERS: dict[str, dict[str, Any]] = {
    "sam": {"name": "Sam Worker", "agency": "care", "roles": ["social_worker"]},
    "eve": {"name": "Eve Worker", "agency": "care", "roles": ["social_worker"]},
    "sue": {"name": "Sue Lead", "agency": "elm", "roles": ["safeguarding_lead"]},
    "lea": {"name": "Lea Lead", "agency": "elm", "roles": ["attendance_lead"]},
}


def bell(
    change: Change = "raised",
    sequence: int = 1,
    *,
    kind: str = "unexplained-absence",
    upn: str | None = ADA,
    number: int = 1,
    severity: Literal["notice", "warning", "urgent"] = "urgent",
    quiet: bool = False,
) -> BellChanged:
    """Return a child's nth bell of a kind, changed for the `sequence`th time."""
    ended: Any = {"cleared": "cleared", "withdrawn": "withdrawn"}
    return BellChanged(
        occurred_at=RANG_AT,
        change=change,
        sequence=sequence,
        quiet=quiet,
        bell=Bell(
            id=id_of("test bell", kind, upn, number),
            urn=URN,
            upn=upn,
            kind=kind,
            severity=severity,
            status=ended.get(change, "ringing"),
            raised_on=RANG_AT.date(),
            raised_at=RANG_AT + timedelta(minutes=number),
            explanation="Absent this morning, and nobody has said why.",
            evidence={"sessions": [{"date": "2026-09-14", "session": "am", "code": "N"}]},
            rule={"name": kind, "version": "1", "source": "guidance"},
        ),
    )


def roll(*upns: str, **more: Any) -> RollChanged:
    """Return a roll of pupils named Ada Example, Ben Example."""
    names = {ADA: "Ada", BEN: "Ben"}
    pupils = [
        RollPupil(
            upn=upn,
            given_name=names[upn],
            family_name="Example",
            date_of_birth=date(2014, 2, 3),
            year_group="7",
            entered_on=date(2020, 9, 1),
            **{"identifiers": {"social_care": "LCS-81", "health": "NHS-5"}, **more},
        )
        for upn in upns
    ]
    return RollChanged(occurred_at=RANG_AT, urn=URN, revision=1, pupils=pupils)


def works(practitioner: str = "sam", role: str = "social_worker", **more: Any) -> dict[str, Any]:
    """Return an involvement, from long ago and without an end."""
    involvement = {"practitioner": practitioner, "role": role, "footing": "child_in_need"}
    return {**involvement, "from": "2020-01-01", "to": None, **more}


class House:
    """The running service, an operator's client, and what tests ask of it."""

    def __init__(self, app: FastAPI, client: httpx.AsyncClient, issuer: Issuer) -> None:
        self.app, self.client, self._issuer = app, client, issuer

    def bearer(self, **claims: Any) -> dict[str, str]:
        """Return the header of a token with these claims; without any, an operator's."""
        token = self._issuer.token("test", timedelta(hours=1), **(claims or {"scope": "admin"}))
        return {"authorization": f"Bearer {token}"}

    def of(self, practitioner: str) -> dict[str, str]:
        """Return the header of a practitioner's token."""
        return self.bearer(scope=PRACTITIONER, practitioner=practitioner)

    async def put(self, path: str, body: Any) -> httpx.Response:
        """Put as the operator, who must succeed."""
        answer = await self.client.put(path, json=body, headers=self.bearer())
        assert answer.status_code == 200, answer.text
        return answer

    async def settle(
        self,
        agencies: Mapping[str, dict[str, Any]] = AGENCIES,
        practitioners: Mapping[str, dict[str, Any]] = PRACTITIONERS,
    ) -> None:
        """Fill the directory; Sam works with Ada, who is on the roll."""
        for name, body in agencies.items():
            await self.put(f"/v1/agencies/{name}", body)
        for name, body in practitioners.items():
            await self.put(f"/v1/practitioners/{name}", body)
        await self.involve(works())
        await self.tell(roll(ADA, BEN))

    async def involve(self, *involvements: dict[str, Any], upn: str = ADA) -> None:
        """Set who works with a child."""
        await self.put(f"/v1/children/{upn}/involvements", {"involvements": list(involvements)})

    async def tell(self, *events: Event) -> None:
        """Put events into the log and wait until they are handled."""
        log = self.app.state.log
        places = await log.publish([message_of(event, "test") for event in events])
        last = {event.topic: place[1] for event, place in zip(events, places, strict=True)}

        async def handled() -> bool:
            return all([await log.handled("notify", t, 0) > offset for t, offset in last.items()])

        await until(handled)

    async def get(self, path: str, **claims: Any) -> Any:
        """Return the body that the path has for these claims."""
        answer = await self.client.get(path, headers=self.bearer(**claims))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def alerts_of(self, practitioner: str) -> list[dict[str, Any]]:
        """Return a practitioner's alerts, as they themselves see them."""
        answer = await self.client.get("/v1/alerts", headers=self.of(practitioner))
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    async def records(self) -> list[dict[str, Any]]:
        """Return every record of the ledger."""
        return list((await self.get("/v1/disclosures"))["items"])

    async def ledger(self) -> list[dict[str, Any]]:
        """Return every decision on a bell."""
        on_bells = {"shared", "withheld", "awaiting_approval"}
        return [one for one in await self.records() if one["decision"] in on_bells]

    def by_policies(self, text: str) -> None:
        """Let these policies decide from now on."""
        notifier = self.app.state.notifier
        notifier.rules = replace(notifier.rules, policies=Policies(text))

    async def execute(self, statement: str, **values: Any) -> None:
        """Change the database behind the service's back."""
        async with self.app.state.database.transaction() as db:
            await db.execute(text(statement), values)

    async def endpoint(self, url: str, **owner: str) -> dict[str, Any]:
        """Add an endpoint, Sam's unless said otherwise; return it with its secret."""
        body = {**(owner or {"practitioner": "sam"}), "url": url}
        answer = await self.client.post("/v1/endpoints", json=body, headers=self.bearer())
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def deliveries(self, endpoint: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return an endpoint's deliveries, newest first."""
        return list((await self.get(f"/v1/endpoints/{endpoint['id']}/deliveries"))["items"])


@asynccontextmanager
async def running(settings: ServiceSettings) -> AsyncIterator[House]:
    """Run the app; its directory is empty."""
    issuer = Issuer(settings.data_dir, settings.token_issuer, settings.token_audience)
    app = create_app(settings)
    async with serving(app, "notify", settings=settings) as client:
        yield House(app, client, issuer)


class Got(NamedTuple):
    """One request as it came over the socket."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float


class Answer(NamedTuple):
    """What to answer, and how long to wait before it."""

    status: int = 204
    headers: Mapping[str, str] = {}
    wait_s: float = 0.0


class CaseSystem(HttpServer):
    """Listens on a free port of 127.0.0.1; answers as told, then with 204."""

    def __init__(self, *answers: Answer | int) -> None:
        super().__init__(_handler(self))
        self.got: list[Got] = []
        self.answers = [a if isinstance(a, Answer) else Answer(a) for a in answers]

    def url(self, path: str = "/hook") -> str:
        """Return its address."""
        return super().url(path)

    async def has(self, count: int) -> list[Got]:
        """Wait for so many requests; return them."""

        async def came() -> bool:
            return len(self.got) >= count

        await until(came)
        return self.got


def _handler(system: CaseSystem) -> type[QuietHandler]:
    class Handler(QuietHandler):
        def do_POST(self) -> None:
            body = self.body()
            headers = {name.lower(): value for name, value in self.headers.items()}
            system.got.append(Got(self.path, headers, body, time.monotonic()))
            answer = system.answers.pop(0) if system.answers else Answer()
            system.closing.wait(answer.wait_s)
            if not system.closing.is_set() or not answer.wait_s:
                self.answer(answer.status, **answer.headers)

    return Handler
