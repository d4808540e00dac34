"""A running installation that was told a few weeks of a made-up authority."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from libs.common.auth import ADMIN, Issuer
from tests.system.leaks import LA, WORKERS, Data
from tests.system.readers import Reader
from tests.system.receiver import Receiver
from tests.system.stack import Stack, wait_for

SERVICES = ("ingest", "risk", "notify")
SCOPES = "bells:read alerts:read endpoints:write roll:read registers:read directory:read"


class Talkative(Stack):
    """A stack that logs all there is to log, traces everything, and has secrets to keep."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self.env |= {
            "FIRSTBELL_LOG_LEVEL": "DEBUG",
            "FIRSTBELL_LEDGER_CHECKPOINT_S": "0.5",
            "FIRSTBELL_TRACE_FILE": str(data / "spans"),
            "PYTHONASYNCIODEBUG": "1",
        }


class Demo:
    """A running installation that was told a few weeks of a made-up authority."""

    def __init__(self, stack: Stack, receiver: Receiver) -> None:
        self.data = Data(schools=2)
        self.receiver = receiver
        self.open = ExitStack()
        self.issuer = Issuer(stack.data, "firstbell", "firstbell")
        self.stack = stack
        self.secrets: set[str] = set()
        """Every token and webhook secret of this run, and whatever else must never be told."""
        self.operator = self.client()
        self.readers: dict[tuple[str, str], Reader] = {}
        self.receipts: list[str] = []
        self.endpoints: dict[str, str] = {}
        """Id by the agency whose it is."""
        self.works_with: dict[str, set[str]] = {f"worker-{n}": set() for n in range(WORKERS)}
        self.works_with["contact"] = set()

    def client(self, **claims: Any) -> httpx.Client:
        """Return a client whose token bears these claims; without any, the operator's."""
        claims = claims or {"scope": ADMIN}
        token = self.issuer.token("scan", timedelta(hours=1), **{"scope": SCOPES, **claims})
        self.secrets.add(token)
        client = httpx.Client(
            base_url="http://127.0.0.1",
            headers={"Authorization": f"Bearer {token}"},
            event_hooks={"request": [self._to_its_service]},
            timeout=120,
        )
        return self.open.enter_context(client)

    def _to_its_service(self, request: httpx.Request) -> None:
        # As an ingress does: by the first part of the path.
        service = request.url.path.split("/")[1]
        port = self.stack.ports.get(service, self.stack.ports["notify"])
        request.url = request.url.copy_with(port=port)
        request.headers["host"] = f"127.0.0.1:{port}"

    def put(self, path: str, body: Any) -> None:
        answer = self.operator.put(path, json=body)
        assert answer.is_success, answer.text

    def agency(self, id: str, kind: str, urns: tuple[str, ...] = (), **more: Any) -> None:
        body = {"name": id, "kind": kind, "urns": list(urns), **more}
        self.put(f"/notify/v1/agencies/{id}", body)
        self.readers["agency", id] = Reader(id, kind, frozenset(urns))
        url = self.receiver.url(f"/{id}")
        made = self.operator.post("/notify/v1/endpoints", json={"agency": id, "url": url}).json()
        rotated = self.operator.post(f"/notify/v1/endpoints/{made['id']}/rotate-secret").json()
        self.endpoints[id] = made["id"]
        self.receiver.secrets[f"/{id}"] = rotated["secret"]
        self.secrets |= {made["secret"], rotated["secret"]}

    def practitioner(self, id: str, agency: str, *roles: str) -> None:
        self.put(
            f"/notify/v1/practitioners/{id}",
            {"name": id, "agency": agency, "roles": list(roles), "email": f"{id}@example.org"},
        )
        self.readers["practitioner", id] = self.readers["agency", agency]._replace(name=id)

    def settle(self) -> None:
        """Fill the directory and the rolls."""
        self.agency("care", "social_care")
        self.agency("police", "police")
        self.agency("authority", "local_authority", la=LA)
        self.practitioner("officer", "authority", "attendance_officer", "virtual_school_head")
        self.practitioner("contact", "police", "police_contact")
        for n in range(WORKERS):
            self.practitioner(f"worker-{n}", "care", "social_worker")
        for school in self.data.authority.schools:
            urn = school.urn
            self.agency(f"school-{urn}", "school", (urn,))
            roles = ("attendance_lead", "safeguarding_lead")
            self.practitioner(f"lead-{urn}", f"school-{urn}", *roles)
            self.put(f"/ingest/v1/schools/{urn}/roll", {"pupils": self.data.roll(school)})
        for n, upn in enumerate(self.data.authority.involvements):
            self.involve(upn, n)
        for (kind, id), reader in self.readers.items():
            upns = self.works_with.get(id, set())
            if kind == "agency":
                own = [u for u in self.works_with if reader.kind == self.kind_of(u)]
                upns = set().union(*(self.works_with[u] for u in own))
            self.readers[kind, id] = reader._replace(upns=frozenset(upns))

    def kind_of(self, practitioner: str) -> str:
        return self.readers["practitioner", practitioner].kind

    def involve(self, upn: str, n: int) -> None:
        worker = f"worker-{n % WORKERS}"
        since = {"from": "2020-01-01", "to": None}
        involved = [
            {"practitioner": worker, "role": "social_worker", "footing": "child_in_need", **since}
        ]
        if n % 3 == 0:
            footing = {"role": "police_contact", "footing": "missing_or_exploitation_risk"}
            involved.append({"practitioner": "contact", **footing, **since})
            self.works_with["contact"].add(upn)
        self.works_with[worker].add(upn)
        self.put(f"/notify/v1/children/{upn}/involvements", {"involvements": involved})

    def push(self) -> None:
        lines = [json.dumps(line).encode() for line in self.data.lines()]
        for start in range(0, len(lines), 100):
            answer = self.operator.post(
                "/ingest/v1/registers",
                content=b"\n".join(lines[start : start + 100]),
                headers={"content-type": "application/x-ndjson"},
                timeout=120,
            )
            told = [json.loads(one) for one in answer.text.splitlines()]
            assert not any("status" in one for one in told)
            self.receipts += [one["receipt"] for one in told]
        wait_for(lambda: not self.waiting(), patience_s=400)

    def waiting(self) -> float:
        told = "".join(self.operator.get(f"/{name}/metrics").text for name in SERVICES)
        lag = {"firstbell_outbox_waiting_events", "firstbell_consumer_lag_records"}
        waiting = sum(
            sample.value
            for family in text_string_to_metric_families(told)
            if family.name in lag
            for sample in family.samples
        )
        return waiting or self.undelivered()

    def undelivered(self) -> int:
        states = [
            one["state"]
            for endpoint in self.endpoints.values()
            for page in all_of(self.operator, f"/notify/v1/endpoints/{endpoint}/deliveries")
            for one in json.loads(page)["items"]
        ]
        return states.count("pending")


def all_of(client: httpx.Client, path: str) -> Iterator[str]:
    """Yield every page of a list."""
    cursor: str | None = ""
    while cursor is not None:
        answer = client.get(path, params={"limit": 500} | ({"cursor": cursor} if cursor else {}))
        assert answer.is_success, answer.text
        yield answer.text
        cursor = answer.json()["next"]
