"""What comes out of an installation: alerts, webhooks, bells, errors, the operator's pages."""

from collections.abc import Iterator
from typing import Any

import httpx

from tests.bad_tokens import bad_tokens
from tests.system.attacks import attacks
from tests.system.readers import NOBODY, Output, Reader
from tests.system.told_demo import SERVICES, Demo, all_of


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
