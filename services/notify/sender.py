"""The sender: signs messages, posts them, and records each attempt; no transaction is open then."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
from httpx_secure import httpx_ssrf_protection
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection
from standardwebhooks import Webhook

from libs.common.database import Database
from libs.common.school_day import utc_now
from libs.common.settings import ServiceSettings
from services.notify import ledger, store
from services.notify.delivered import records_of
from services.notify.delivery import Outcome, next_attempt_at, outcome_of, seconds_of, wait_after
from services.notify.secrets import Vault

AT_ONCE = 32
"""Messages under way at a time."""
TIMEOUT_S = 15.0
LEASE = timedelta(seconds=20)
"""How long a claimed message is nobody else's; a killed sender's messages come back after it."""
ANSWER_BYTES_MAX = 65_536


class Sender:
    """Delivers what is due. Call `wake` after a commit: it looks at once.

    Args:
        before_retries: run in the transaction that claims messages, for those tried before.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        database: Database,
        vault: Vault,
        before_retries: Callable[[AsyncConnection], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._database = database
        self._vault = vault
        self._before_retries = before_retries
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Say that there may be something to send."""
        self._woken.set()

    async def run(self, poll_s: float = 0.5) -> None:
        """Send until cancelled: whoever answers late holds up its own place alone."""
        sending: set[asyncio.Task[None]] = set()
        async with self._client() as client, asyncio.TaskGroup() as group:
            while True:
                self._woken.clear()
                for row in await self._claim(AT_ONCE - len(sending)):
                    task = group.create_task(self._send(client, row))
                    sending.add(task)
                    task.add_done_callback(sending.discard)
                    task.add_done_callback(lambda _: self.wake())
                try:
                    async with asyncio.timeout(poll_s):
                        await self._woken.wait()
                except TimeoutError:
                    continue

    def _client(self) -> httpx.AsyncClient:
        client = httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)
        if self._settings.allow_private_endpoints:
            return client
        return httpx_ssrf_protection(client)

    async def _claim(self, room: int) -> list[Row[Any]]:
        if room == 0:
            return []
        async with self._database.transaction() as db:
            await self._before_retries(db)
            return await store.claim_due(db, utc_now(), LEASE, room)

    async def _send(self, client: httpx.AsyncClient, row: Row[Any]) -> None:
        status, retry_after_s, fault = await self._post(client, row)
        now = utc_now()
        outcome = outcome_of(status, now - row.created_at)
        values: dict[str, Any] = {"last_outcome": fault or f"{outcome} ({status})"}
        if outcome is Outcome.RETRY:
            base_s = self._settings.retry_base_s
            wait = wait_after(row.attempts + 1, base_s, row.id, retry_after_s)
            values["next_attempt_at"] = next_attempt_at(now, wait, row.created_at)
        elif outcome is Outcome.DELIVERED:
            values |= {"state": "delivered", "delivered_at": now}
        else:
            values["state"] = "dead"
        async with self._database.transaction() as db:
            await store.note_attempt(db, row.number, values)
            if outcome is Outcome.DELIVERED:
                await ledger.append(db, await records_of(db, row, now))
            if outcome is Outcome.GONE:
                await store.disable(db, row.endpoint, now)

    async def _post(
        self, client: httpx.AsyncClient, row: Row[Any]
    ) -> tuple[int | None, float | None, str | None]:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                headers = self._signed(row.id, row.body, row)
                request = client.stream("POST", row.url, content=row.body, headers=headers)
                async with request as answer:
                    await _drain(answer)
                retry_after = answer.headers.get("retry-after")
                return answer.status_code, seconds_of(retry_after, utc_now()), None
        except Exception as error:
            # Whatever one address, answer or secret can do, it holds up no other message.
            return None, None, type(error).__name__

    def _signed(self, webhook_id: UUID, body: str, row: Row[Any]) -> dict[str, str]:
        now = utc_now()
        secrets = [row.secret]
        if row.old_secret is not None and row.old_secret_until > now:
            secrets.append(row.old_secret)
        signatures = [
            Webhook(self._vault.open(s)).sign(str(webhook_id), now, body) for s in secrets
        ]
        return {
            "content-type": "application/json",
            "webhook-id": str(webhook_id),
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }


async def _drain(answer: httpx.Response) -> None:
    read = 0
    async for chunk in answer.aiter_raw():
        read += len(chunk)
        if read > ANSWER_BYTES_MAX:
            return
