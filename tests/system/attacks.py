"""What somebody sends who means harm: requests full of one child's words, and bad tokens."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

INJECTIONS = (
    "{0}'; DROP TABLE register; --",
    '{0}" OR ""="',
    "{0}\r\nset-cookie: a=b\r\n\r\n",
    '{0}\n{{"event": "forged line"}}',
    "{0}<script>alert(1)</script>",
    "=cmd|' /C {0}'!A1",
    "${{7*7}}{{{{7*7}}}}{0}",
    "\u202e{0}\u2066",
    "../../../../etc/passwd%00{0}",
)
"""Texts that some reader of them would run, show or split; `{0}` is a word of the child's."""
HEADERS = ("x-request-id", "traceparent", "tracestate", "prefer", "cookie", "user-agent", "referer")


def injected(words: list[str]) -> list[str]:
    """Return every injection, each with one of the words in it."""
    return [text.format(words[n % len(words)]) for n, text in enumerate(INJECTIONS)]


def attacks(
    client: httpx.Client, register: str, words: list[str], tokens: Mapping[str, str]
) -> Iterator[httpx.Response]:
    """Send them; yield the answers. `client` bears the operator's token."""
    yield from _bodies(client, register, words)
    texts = injected(words)
    for text in texts:
        for path in ("/risk/v1/bells", "/notify/v1/alerts", "/notify/v1/disclosures"):
            for name in ("upn", "kind", "cursor", "status"):
                yield client.get(path, params={name: text})
        yield client.put(register, json=_marks(text, text))
    for name in HEADERS:
        sent = {name: f"{words[0]} {words[1]}"}
        yield client.put(register, json={"marks": "none"}, headers=sent)
        yield client.get("/risk/v1/bells", params={"limit": "many"}, headers=sent)
    for token in filter(None, tokens.values()):
        bearer = {"authorization": f"Bearer {token}"}
        yield client.get("/notify/v1/alerts", headers=bearer)
        yield client.get("/notify/v1/alerts", params={"access_token": token}, headers=bearer)


def _bodies(client: httpx.Client, register: str, words: list[str]) -> Iterator[httpx.Response]:
    as_json = {"content-type": "application/json"}
    text = " ".join(words)
    deep = ('{"' + words[0] + '":') * 10_000
    for content in (deep, "[" * 50_000 + text, f'{{"marks": [{text}', text * 50_000):
        yield client.put(register, content=content, headers=as_json)
    many = {f"{words[0]}{n}": words[1] for n in range(2_000)}
    yield client.get("/risk/v1/bells", params={"upn": words[:1] * 200})
    yield client.put(register, json=many)
    yield client.put(register, json=_marks(words[0], words[1] * 1_000))
    line = json.dumps({"urn": words[0], "marks": words}).encode()
    yield client.post(
        "/ingest/v1/registers", content=line, headers={"content-type": "application/x-ndjson"}
    )


def _marks(upn: str, comment: str) -> dict[str, Any]:
    return {"marks": [{"upn": upn, "code": upn, "comment": comment}]}
