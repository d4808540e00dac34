"""Poison: records that no service can take, straight on the topic, among good registers."""

import asyncio
import json
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer

from libs.common.events import REGISTERS
from libs.common.school_day import london_day, utc_now
from tests.torture.house import House
from tests.torture.settling import wait_until
from tests.torture.verdict import Verdict
from tests.torture.world import World

URN = "199999"
"""A school of its own: its good registers ring nothing."""
ROUNDS = 6
DELAY_S_MAX = 1.0


def records(world: World) -> dict[str, bytes]:
    """Return a bad record of each kind; some bear a pupil's words, which no log may repeat."""
    pupil = world.pupils[0]
    good: dict[str, Any] = {
        "occurred_at": utc_now().isoformat(), "urn": pupil.urn, "day": "2026-09-14",
        "session": "am", "group": None, "revision": 10_000, "upns": [pupil.upn], "codes": ["N"],
    }  # fmt: skip
    words = " ".join(pupil.words.values())

    def text(**changed: Any) -> bytes:
        return json.dumps(good | changed).encode()

    return {
        "no JSON": b"{" + words.encode(),
        "empty": b"",
        "not UTF-8": b'{"urn": "\xff\xfe"}',
        "NaN": text(revision=float("nan")),
        "a lone surrogate": text(upns=["\ud800"]),
        "deep": b"[" * 100_000,
        "of another schema": json.dumps({"words": words}).encode(),
        "a field of another type": text(upns=words),
        "no such day": text(day="2026-13-40"),
        "fewer codes than pupils": text(codes=[]),
        "five megabytes": text(upns=words * 100_000),
    }


def poison(house: House, world: World, verdict: Verdict) -> int:
    """Publish bad records while good registers come; return how many must be put aside."""
    bad = records(world)
    with house.client("ingest") as client:
        # Before there is any bad one: what a register takes on this machine, just now.
        usual = statistics.median(_round(house, client, {}, number) for number in range(ROUNDS))
        took = [_round(house, client, bad, number) for number in range(ROUNDS, 2 * ROUNDS)]
    longest = max(took) - usual
    verdict.figures["usual s, before poison"] = round(usual, 2)
    verdict.figures["longest delay s, among poison"] = round(longest, 2)
    within = longest <= DELAY_S_MAX  # false also for what is no number, if none came in time
    verdict.blame("good records wait behind bad ones", [] if within else [longest])
    return ROUNDS * len(bad)


def _round(house: House, client: httpx.Client, bad: dict[str, bytes], number: int) -> float:
    """Return the seconds until a register is evaluated; infinity when it is not in time."""
    asyncio.run(_publish(house.env["FIRSTBELL_KAFKA_SERVERS"], list(bad.values())))
    day = london_day(utc_now()) - timedelta(days=number + 1)
    path = f"/ingest/v1/schools/{URN}/registers/{day}/am"
    began = time.monotonic()
    marks = [{"upn": "B801200005001", "code": "/"}]
    receipt = client.put(path, json={"marks": marks}).raise_for_status().json()["receipt"]
    if wait_until(_evaluated(client, receipt), 30, every_s=0.02) is None:
        return float("inf")
    return time.monotonic() - began


def _evaluated(client: httpx.Client, receipt: str) -> Callable[[], bool]:
    def is_evaluated() -> bool:
        return bool(client.get(f"/ingest/v1/receipts/{receipt}").json()["stage"] == "evaluated")

    return is_evaluated


async def _publish(servers: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=servers, max_request_size=8_000_000)
    await producer.start()
    try:
        for number, value in enumerate(values):
            # In the good school's own partition, in others, and without a key.
            key = (URN.encode(), f"{number}".encode(), None)[number % 3]
            await producer.send_and_wait(REGISTERS, value=value, key=key)
    finally:
        await producer.stop()
