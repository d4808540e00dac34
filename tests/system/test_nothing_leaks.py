"""Every output of a running installation, scanned for every name, UPN and comment in its data.

Who may see what is told here by hand (`may_see`), and not by the policies.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from libs.common.auth import ADMIN, Issuer
from tests.bad_tokens import bad_tokens
from tests.system.attacks import attacks
from tests.system.leaks import LA, WORKERS, Data, Word
from tests.system.receiver import Receiver
from tests.system.stack import FIRSTBELL, Stack, free_port, wait_for

pytestmark = pytest.mark.timeout(300)

SERVICES = ("ingest", "risk", "notify")
SCOPES = "bells:read alerts:read endpoints:write roll:read registers:read directory:read"
NAMES = {"given_name", "family_name"}


class Reader(NamedTuple):
    """Who reads an output: a practitioner or agency, its kind, its schools or children."""

    name: str
    kind: str
    urns: frozenset[str] = frozenset()
    upns: frozenset[str] = frozenset()
    """Of the children with whom they work."""


NOBODY = Reader("nobody in particular", "none")


class Output(NamedTuple):
    """A text that came out, where, and who reads it."""

    where: str
    reader: Reader
    text: str


def may_see(reader: Reader, word: Word, school: str) -> bool:
    """Whether a reader may see this part of this child's data, at this school."""
    if reader.kind == "school":
        return school in reader.urns and word.field in {*NAMES, "upn"}
    if reader.kind == "local_authority":
        return word.field in {*NAMES, "upn"}
    if reader.kind in {"social_care", "police"}:
        return word.upn in reader.upns and word.field in {*NAMES, reader.kind}
    return False


class Scan(NamedTuple):
    """What came out, and what must not have."""

    data: Data
    found: list[Output]
    secrets: set[str]


class Demo:
    """A running installation that was told a few weeks of a made-up authority."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.data = Data(schools=2)
        self.receiver = receiver
        self.open = ExitStack()
        self.issuer = Issuer(folder, "firstbell", "firstbell")
        self.stack = Stack(folder)
        port = free_port()
        self.stack.env["FIRSTBELL_LOG_LEVEL"] = "DEBUG"
        self.stack.env["FIRSTBELL_LEDGER_CHECKPOINT_S"] = "0.5"
        self.stack.env["FIRSTBELL_TRACE_FILE"] = str(folder / "spans")
        self.secrets: set[str] = set()
        """Every token and webhook secret of this run, and whatever else must never be told."""
        self.stack.ports = dict.fromkeys(SERVICES, port)
        self.stack.commands["up"] = [FIRSTBELL, "up", "--data", str(folder), "--port", str(port)]
        self.operator = self.client()
        self.readers: dict[tuple[str, str], Reader] = {}
        self.works_with: dict[str, set[str]] = {f"worker-{n}": set() for n in range(WORKERS)}
        self.works_with["contact"] = set()

    def client(self, **claims: Any) -> httpx.Client:
        """Return a client whose token bears these claims; without any, the operator's."""
        claims = claims or {"scope": ADMIN}
        token = self.issuer.token("scan", timedelta(hours=1), **{"scope": SCOPES, **claims})
        base = f"http://127.0.0.1:{self.stack.ports['notify']}"
        self.secrets.add(token)
        headers = {"Authorization": f"Bearer {token}"}
        client = httpx.Client(base_url=base, headers=headers, timeout=60)
        return self.open.enter_context(client)

    def is_ready(self) -> bool:
        try:
            return all(self.operator.get(f"/{name}/readyz").is_success for name in SERVICES)
        except httpx.HTTPError:
            return False

    def put(self, path: str, body: Any) -> None:
        answer = self.operator.put(path, json=body)
        assert answer.is_success, answer.text

    def agency(self, id: str, kind: str, urns: tuple[str, ...] = (), **more: Any) -> None:
        body = {"name": id, "kind": kind, "urns": list(urns), **more}
        self.put(f"/notify/v1/agencies/{id}", body)
        self.readers["agency", id] = Reader(id, kind, frozenset(urns))
        url = self.receiver.url(f"/{id}")
        made = self.operator.post("/notify/v1/endpoints", json={"agency": id, "url": url}).json()
        self.receiver.secrets[f"/{id}"] = made["secret"]
        self.secrets.add(made["secret"])

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
            assert not any("status" in json.loads(one) for one in answer.text.splitlines())
        wait_for(lambda: not self.waiting(), patience_s=180)

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
        endpoints = self.operator.get("/notify/v1/endpoints").json()["items"]
        states = [
            one["state"]
            for endpoint in endpoints
            for one in self.operator.get(
                f"/notify/v1/endpoints/{endpoint['id']}/deliveries?limit=500"
            ).json()["items"]
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


class Wrong:
    """Requests that no service can take, full of one child's data in every part."""

    def __init__(self, demo: Demo) -> None:
        words = demo.data.words
        self.upn = upn = next(word for word in sorted(words) if words[word].field == "upn")
        self.own = own = [word for word, whose in words.items() if whose.upn == upn]
        self.mistyped = upn[:-1] + ("0" if upn[-1] != "0" else "1")
        self.school = demo.data.school_of[upn]
        self.register = f"/ingest/v1/schools/{self.school}/registers/{demo.data.last}/am"
        self.child = child = {word: {word: [word]} for word in own}
        self.bodies: list[Any] = [
            child, own, {"marks": child}, {"marks": [child]}, {"pupils": child}, {"pupils": []},
            {"pupils": [child]}, {"marks": [], upn: upn}, {"involvements": [child]},
            {"involvements": [{"practitioner": word, "role": word} for word in own]},
            {"bell": upn, "recipient": own[1]}, {"outcome": own[1], "note": own},
        ]  # fmt: skip

    def puts(self) -> list[str]:
        return [
            self.register,
            f"/ingest/v1/schools/{self.school}/roll",
            f"/ingest/v1/schools/{self.upn}/roll",
            f"/ingest/v1/schools/{self.school}/calendar/{self.own[1]}",
            f"/notify/v1/children/{self.upn}/involvements",
            f"/notify/v1/children/{self.mistyped}/involvements",
            f"/notify/v1/practitioners/{self.own[1]}",
            f"/notify/v1/agencies/{self.upn}",
            f"/risk/v1/schools/{self.school}",
        ]

    def posts(self) -> list[str]:
        return [
            "/notify/v1/endpoints",
            "/notify/v1/sharing/decide",
            f"/notify/v1/alerts/{self.upn}/close",
            f"/notify/v1/deliveries/{self.upn}/replay",
            f"/{self.own[1]}",
            f"/notify/v1/{self.upn}",
        ]

    def gets(self) -> Iterator[tuple[str, dict[str, str]]]:
        names = ("upn", "urn", "kind", "status", "cursor", "limit", "raised_from", self.own[1])
        for query in names:
            for path in ("/risk/v1/bells", "/notify/v1/disclosures", "/notify/v1/alerts"):
                yield path, {query: self.mistyped if query == "upn" else self.own[1]}
        yield f"/risk/v1/pupils/{self.mistyped}/attendance", {}
        yield f"/notify/v1/children/{self.own[1]}/record", {}
        yield f"/ingest/v1/receipts/{self.upn}", {}
        yield f"/risk/v1/bells/{self.upn}", {}

    def sent(self, client: httpx.Client) -> Iterator[httpx.Response]:
        """Send them all as the operator, whom no right is wanting."""
        for path in self.puts():
            yield from (client.put(path, json=body) for body in self.bodies)
            as_json, as_name = "application/json", self.own[1]
            yield client.put(path, content=" ".join(self.own), headers={"content-type": as_json})
            yield client.put(path, json=self.child, headers={"content-type": as_name})
        for path in self.posts():
            yield from (client.post(path, json=body) for body in self.bodies)
        yield from (client.get(path, params=query) for path, query in self.gets())
        bearer = {"authorization": f"Bearer {self.own[1]}.{self.upn}"}
        yield client.get("/risk/v1/bells", headers=bearer)


def alerts_of(demo: Demo) -> Iterator[Output]:
    for (kind, id), reader in demo.readers.items():
        for path in ("alerts", "endpoints"):
            for text in all_of(demo.client(**{kind: id}), f"/notify/v1/{path}"):
                yield Output(f"{path} of {kind} {id}", reader, text)


def webhooks_of(demo: Demo) -> Iterator[Output]:
    for got in demo.receiver.received:
        assert got.verified
        reader = demo.readers["agency", got.path.removeprefix("/")]
        yield Output(f"webhook to {got.path}", reader, got.text)


def bells_of(demo: Demo) -> Iterator[Output]:
    for school in demo.data.authority.schools:
        reader = Reader(school.urn, "school", frozenset({school.urn}))
        for text in all_of(demo.client(urns=[school.urn]), "/risk/v1/bells"):
            yield Output(f"bells of {school.urn}", reader, text)


def problems_of(demo: Demo) -> Iterator[Output]:
    wrong = Wrong(demo)
    answers = [*wrong.sent(demo.operator)]
    answers += [demo.client(urns=["999999"]).get(path) for path in wrong.puts()]
    for answer in answers:
        if answer.is_error:
            assert answer.headers["content-type"] == "application/problem+json", answer.text
            yield Output(f"problem {answer.request.method}", NOBODY, answer.text)


def attacks_of(demo: Demo) -> Iterator[Output]:
    wrong, tokens = Wrong(demo), bad_tokens(demo.stack.data)
    demo.secrets |= {token for token in tokens.values() if len(token) > 20}
    for answer in attacks(demo.operator, wrong.register, wrong.own, tokens):
        if answer.is_error:
            yield Output(f"attack {answer.request.method}", NOBODY, answer.text)
            yield Output("attack, headers", NOBODY, str(answer.headers))
        assert answer.status_code < 500, answer.text


def operators_outputs(demo: Demo) -> Iterator[Output]:
    for text in all_of(demo.operator, "/notify/v1/disclosures"):
        yield Output("the ledger's list", NOBODY, text)
    for service in SERVICES:
        for page in ("metrics", "healthz", "readyz", "openapi.json"):
            yield Output(f"{service}/{page}", NOBODY, demo.operator.get(f"/{service}/{page}").text)
    checkpoints = demo.stack.data / "ledger-checkpoints.jsonl"
    yield Output("checkpoints", NOBODY, checkpoints.read_text())


SOURCES = (alerts_of, webhooks_of, bells_of, problems_of, attacks_of, operators_outputs)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scan]:
    folder = tmp_path_factory.mktemp("leaks")
    with Receiver() as receiver:
        demo = Demo(folder, receiver)
        try:
            demo.stack.start("up")
            wait_for(demo.is_ready, patience_s=120)
            demo.settle()
            demo.push()
            found = [output for source in SOURCES for output in source(demo)]
        finally:
            demo.open.close()
            demo.stack.stop()
        found.append(Output("spans", NOBODY, (folder / "spans").read_text()))
        found.append(Output("the log", NOBODY, (folder / "up.out").read_text()))
        yield Scan(demo.data, found, demo.secrets | keys_in(folder))


def keys_in(folder: Path) -> set[str]:
    """Return the keys that are kept in an installation's folder."""
    issuer = json.loads((folder / "issuer.json").read_text())
    files = [folder / "secrets.key", folder / "ledger.key"]
    return {issuer["d"], *(file.read_text().strip() for file in files)}


def test_no_output_holds_what_its_reader_may_not_see(
    outputs: Scan,
) -> None:
    data, found, _ = outputs

    leaks = [
        f"{output.where}: {word.field} (reader {output.reader.name})"
        for output in found
        for word in data.found_in(output.text)
        if not may_see(output.reader, word, data.school_of[word.upn])
    ]

    assert not leaks, f"{len(leaks)} leaks, e.g. {sorted(set(leaks))[:20]}"


def test_no_output_holds_a_token_a_key_or_a_webhooks_secret(outputs: Scan) -> None:
    _, found, secrets = outputs

    told = {output.where for output in found for secret in secrets if secret in output.text}

    assert not told
    assert len(secrets) > 20
    assert min(map(len, secrets)) > 20


def test_nobody_forges_a_line_of_the_log(outputs: Scan) -> None:
    lines = [line for line in outputs.found[-1].text.splitlines() if line.startswith("{")]

    events = {json.loads(line)["event"] for line in lines}

    assert "request answered" in events
    assert not {event for event in events if "forged" in event}


def test_the_scan_is_of_something(outputs: Scan) -> None:
    data, found, _ = outputs
    seen: dict[str, set[str]] = {}
    for output in found:
        fields = {word.field for word in data.found_in(output.text)}
        seen.setdefault(output.reader.kind, set()).update(fields)
    told = {output.where.partition(" ")[0] for output in found}

    assert seen["school"] >= {*NAMES, "upn"}
    assert seen["social_care"] >= {*NAMES, "social_care"}
    assert seen["local_authority"] >= {*NAMES, "upn"}
    assert {
        "alerts",
        "webhook",
        "bells",
        "problem",
        "attack",
        "the",
        "checkpoints",
        "spans",
    } <= told
    assert sum(output.where.startswith("problem") for output in found) > 100
    assert "ledger checkpoint" in found[-1].text
    assert data.found_in(" ".join(data.words)) == set(data.words.values())
