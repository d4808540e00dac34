"""The demo: a real stack, a term of made-up registers over HTTP, and a receiver that verifies."""

import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from standardwebhooks import Webhook, WebhookVerificationError

from libs.common.auth import ADMIN, Issuer
from libs.common.school_day import academic_year_of, london_day, utc_now
from libs.common.settings import embedded
from libs.simulator import Authority, simulate
from services.simulate import lines_of

SCHOOL_DAYS_MIN = 40
QUIET_S = 3.0
"""The demo is over when no event waits and no webhook has come for this long."""


class Inbox:
    """A case system's webhook receiver on 127.0.0.1: keeps what it could verify."""

    def __init__(self) -> None:
        self.secret = ""
        self.ids: set[str] = set()
        self.refused = 0
        self.bodies: list[dict[str, Any]] = []
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(204 if inbox.take(raw, headers) else 400)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server.server_port}/firstbell"

    def take(self, raw: bytes, headers: dict[str, str]) -> bool:
        """Keep a message whose signature holds; a repeat is known by its id."""
        try:
            Webhook(self.secret).verify(raw, headers)
        except WebhookVerificationError:
            self.refused += 1
            return False
        if headers["webhook-id"] not in self.ids:
            self.ids.add(headers["webhook-id"])
            self.bodies.append(json.loads(raw))
        return True


def run(schools: int, seed: int, console: Console, *, stay: bool) -> None:
    """Run the demo in a folder of its own; with `stay` leave the stack up until interrupted."""
    with tempfile.TemporaryDirectory(prefix="firstbell-demo-") as folder:
        data = Path(folder)
        with _stack(data) as client:
            inbox = Inbox()
            authority, last = _authority(schools, seed)
            with console.status("Setting up schools, pupils and the people who work with them"):
                _set_up(client, authority, inbox)
            pushed = _push(client, authority, last, console)
            with console.status("Waiting for the last bells and webhooks"):
                _settle(client, inbox)
            _sum_up(client, inbox, pushed, console)
            if stay:
                _stay(data, client, console)


@contextmanager
def _stack(data: Path) -> Iterator[httpx.Client]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    firstbell = Path(sys.executable).with_name("firstbell")
    command = [str(firstbell), "up", "--data", str(data), "--port", str(port)]
    with (
        (data / "up.out").open("wb") as out,
        subprocess.Popen(command, stdout=out, stderr=out) as up,
    ):
        try:
            settings = embedded(data)
            issuer = Issuer(data, settings.token_issuer, settings.token_audience)
            token = issuer.token("demo", timedelta(hours=12), scope=ADMIN)
            headers = {"Authorization": f"Bearer {token}"}
            base = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=base, headers=headers, timeout=60) as client:
                _wait_ready(client, up)
                yield client
        finally:
            up.terminate()


def _wait_ready(client: httpx.Client, up: subprocess.Popen[bytes]) -> None:
    for service in ("ingest", "risk", "notify"):
        end = time.monotonic() + 60
        while True:
            try:
                if client.get(f"/{service}/readyz").is_success:
                    break
            except httpx.HTTPError:
                pass
            if up.poll() is not None or time.monotonic() > end:
                raise SystemExit("The stack did not start: see up.out in the data folder.")
            time.sleep(0.1)


def _authority(schools: int, seed: int) -> tuple[Authority, date]:
    """Return a made-up authority and the last day to push: an autumn term up to today."""
    today = london_day(utc_now())
    year = academic_year_of(today)
    if today < date(year, 11, 1):
        year -= 1
    return simulate(seed=seed, academic_year=year, schools=schools, la="330"), min(
        today, date(year, 12, 31)
    )


def _put(client: httpx.Client, path: str, body: Any) -> None:
    answer = client.put(path, json=body)
    if not answer.is_success:
        raise SystemExit(f"PUT {path.split('/children/')[0]}: {answer.status_code}")


def _set_up(client: httpx.Client, authority: Authority, inbox: Inbox) -> None:
    notify = "/notify/v1"
    _put(client, f"{notify}/agencies/care", {"name": "Children's services", "kind": "social_care"})
    for number in range(5):
        body = {"name": f"Worker {number}", "agency": "care", "roles": ["social_worker"]}
        _put(client, f"{notify}/practitioners/worker-{number}", body)
    made = client.post(f"{notify}/endpoints", json={"agency": "care", "url": inbox.url})
    inbox.secret = made.json()["secret"]
    for school in authority.schools:
        agency = {"name": school.name, "kind": "school", "urns": [school.urn]}
        _put(client, f"{notify}/agencies/school-{school.urn}", agency)
        lead = {
            "name": f"Lead of {school.name}",
            "agency": f"school-{school.urn}",
            "roles": ["attendance_lead", "safeguarding_lead"],
        }
        _put(client, f"{notify}/practitioners/lead-{school.urn}", lead)
        _put(client, f"/ingest/v1/schools/{school.urn}/roll", {"pupils": list(school.roll)})
        year = academic_year_of(date.fromisoformat(school.calendar["terms"][0]["starts_on"]))
        _put(client, f"/ingest/v1/schools/{school.urn}/calendar/{year}", school.calendar)
    for number, (upn, involvements) in enumerate(authority.involvements.items()):
        rows = [
            {**one, "practitioner": f"worker-{number % 5}", "role": "social_worker"}
            for one in involvements
        ]
        _put(client, f"{notify}/children/{upn}/involvements", {"involvements": rows})


def _push(client: httpx.Client, authority: Authority, last: date, console: Console) -> Counter[str]:
    first = last - timedelta(days=200)
    columns = (TextColumn("Registers"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    total: Counter[str] = Counter()
    with Progress(*columns, console=console) as progress:
        lines = list(lines_of(iter(authority.schools), first, last))
        task = progress.add_task("", total=len(lines))
        for start in range(0, len(lines), 200):
            part = lines[start : start + 200]
            answer = client.post(
                "/ingest/v1/registers",
                content=b"".join(part),
                headers={"content-type": "application/x-ndjson"},
            )
            for receipt in map(json.loads, answer.text.splitlines()):
                total["registers"] += 1
                total["marks"] += receipt.get("accepted", 0)
                total["corrected"] += receipt.get("corrected", 0)
                total["rejected"] += len(receipt.get("rejected", ()))
                total["problems"] += "status" in receipt
            progress.advance(task, len(part))
    return total


def _settle(client: httpx.Client, inbox: Inbox) -> None:
    """Wait until no event waits anywhere, and no webhook has come for a while."""
    seen, since, end = -1, time.monotonic(), time.monotonic() + 900
    while time.monotonic() < end:
        if _waiting(client) or len(inbox.bodies) != seen:
            seen, since = len(inbox.bodies), time.monotonic()
        elif time.monotonic() - since > QUIET_S:
            return
        time.sleep(0.5)


def _waiting(client: httpx.Client) -> float:
    """Return how many events wait in outboxes and before consumers, as the metrics tell."""
    told = "".join(client.get(f"/{name}/metrics").text for name in ("ingest", "risk", "notify"))
    return sum(
        sample.value
        for family in text_string_to_metric_families(told)
        if family.name in {"firstbell_outbox_waiting_events", "firstbell_consumer_lag_records"}
        for sample in family.samples
    )


def _all(client: httpx.Client, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = None
    while True:
        query = {"limit": 500} | ({"cursor": cursor} if cursor else {})
        page = client.get(path, params=query).json()
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            return items


def _sum_up(client: httpx.Client, inbox: Inbox, pushed: Counter[str], console: Console) -> None:
    bells = _all(client, "/risk/v1/bells")
    kinds = Counter((bell["kind"], bell["status"]) for bell in bells)
    table = Table("kind", "ringing", "cleared", "withdrawn", title="Bells")
    for kind in sorted({kind for kind, _ in kinds}):
        row = (str(kinds[kind, status]) for status in ("ringing", "cleared", "withdrawn"))
        table.add_row(kind, *row)
    console.print(table)
    decided = _all(client, "/notify/v1/disclosures")
    table = Table("who was told", "fields shared", "fields withheld", "decisions", title="Why")
    reasons = Counter(
        (one["policies"][0] if one["policies"] else "no policy permits it",
         ", ".join(one["fields"]), ", ".join(one["withheld"]))
        for one in decided
    )  # fmt: skip
    for (policy, fields, withheld), count in reasons.most_common():
        table.add_row(policy, fields, withheld, str(count))
    console.print(table)
    if inbox.bodies:
        latest = next(b for b in reversed(inbox.bodies) if b["type"] == "alert.raised")
        console.print(f"[bold]One alert's words:[/] {latest['data'].get('explanation')}")
    whole = client.get("/notify/v1/disclosures/verify").json()["ok"]
    types = ", ".join(
        f"{n} {t}" for t, n in sorted(Counter(b["type"] for b in inbox.bodies).items())
    )
    console.print(
        f"[bold]{pushed['registers']}[/] registers, [bold]{pushed['marks']}[/] marks, "
        f"{pushed['corrected']} corrected, {pushed['rejected']} rejected, "
        f"{pushed['problems']} problems. [bold]{len(bells)}[/] bells, {len(decided)} decisions "
        f"(ledger {'whole' if whole else 'BROKEN'}). Webhooks received and verified: "
        f"[bold]{len(inbox.bodies)}[/] ({types}); refused: {inbox.refused}."
    )
    if pushed["problems"] or inbox.refused or not whole or not inbox.bodies:
        raise SystemExit("The demo did not go as it should.")


def _stay(data: Path, client: httpx.Client, console: Console) -> None:
    console.print(
        f"The stack stays up on [bold]{client.base_url}[/] (data in {data}). Ctrl-C ends it."
    )
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return
