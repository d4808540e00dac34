"""Schools' systems: each register is sent until it is answered; the ledger has each attempt."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from tests.torture.journal import Journal
from tests.torture.world import Request

THREADS = 8
PATIENCE_S = 10.0
"""What a school's system waits for one answer."""
AGAIN_S = 0.2
GIVES_UP_S = 240.0


class Senders:
    """Sends registers over `over_s` seconds: a school's one after another, schools side by side.

    Whatever is no answer (a reset, a timeout, a 5xx) is sent again, as a school's system must.
    """

    def __init__(self, client_of: Callable[[], httpx.Client], folder: Path) -> None:
        self._client_of = client_of
        self.journal = Journal(folder / "sent.jsonl")

    def send(self, requests: Sequence[Request], over_s: float) -> None:
        """Return when every register has been answered for good."""
        start = time.monotonic()
        due = {r.number: start + over_s * n / len(requests) for n, r in enumerate(requests)}
        urns = sorted({request.urn for request in requests})
        shares = [set(urns[n::THREADS]) for n in range(THREADS)]
        with ThreadPoolExecutor(THREADS) as pool:
            lots = [[r for r in requests if r.urn in share] for share in shares if share]
            for done in [pool.submit(self._send_all, lot, due) for lot in lots]:
                done.result()

    def _send_all(self, requests: Sequence[Request], due: dict[int, float]) -> None:
        with self._client_of() as client:
            for request in requests:
                time.sleep(max(0.0, due[request.number] - time.monotonic()))
                self._send_until_answered(client, request)

    def _send_until_answered(self, client: httpx.Client, request: Request) -> None:
        path = f"/ingest/v1/schools/{request.urn}/registers/{request.day}/{request.session}"
        end = time.monotonic() + GIVES_UP_S
        while time.monotonic() < end:
            self.journal.add(n=request.number, at=time.time(), what="sent")
            began = time.monotonic()
            answer = _answer(client, path, request.body)
            took_s = round(time.monotonic() - began, 4)
            self.journal.add(n=request.number, at=time.time(), what="answer", s=took_s, **answer)
            if answer["status"] is not None and answer["status"] < 500:
                return
            time.sleep(AGAIN_S)


def _answer(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    try:
        answer = client.put(path, json=body)
    except httpx.HTTPError as error:
        return {"status": None, "why": type(error).__name__}
    rejected = answer.json().get("rejected") if answer.status_code == 202 else None
    return {
        "status": answer.status_code,
        "retry_after": answer.headers.get("retry-after"),
        "rejected": len(rejected or ()),
    }
