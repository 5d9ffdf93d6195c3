"""From an event's XADD to the sink's acceptance, at a rate that does not wait for anybody (open loop)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.stage import Stage

_MOST_AT_ONCE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """The distribution at one rate, in milliseconds."""

    rate: int
    mails: int
    p50_ms: float
    p99_ms: float
    worst_ms: float


async def measure_latency(stage: Stage, rate: int, seconds: int) -> Latency:
    """Publish `rate` events a second, each at its own moment, and return how long their mails took."""
    events = stage.events(rate * seconds, f"latency-{rate}")
    position = stage.sink.position()
    sent: dict[str, float] = {}
    busy = asyncio.Semaphore(_MOST_AT_ONCE)

    async def publish(event_id: str, body: bytes, due: float) -> None:
        # From when it was due: an event that had to wait for the publisher is late, too.
        sent[event_id] = due
        async with busy:
            await stage.publish_one(body)

    begin = time.time()
    async with asyncio.TaskGroup() as group:
        for number, (event_id, body) in enumerate(events):
            due = begin + number / rate
            if (wait := due - time.time()) > 0:
                await asyncio.sleep(wait)
            group.create_task(publish(event_id, body, due))
    await stage.settled(position, len(events))

    rows = await stage.admin.fetch(
        "select id::text, event_id from outbound.notification_logs where event_id = any($1)", list(sent)
    )
    event_of = {row["id"]: row["event_id"] for row in rows}
    took = sorted(
        mail.at - sent[event_of[mail.message_id.partition("@")[0]]] for mail in stage.sink.accepted_since(position)
    )
    return Latency(
        rate=rate,
        mails=len(took),
        p50_ms=_percentile(took, 0.5),
        p99_ms=_percentile(took, 0.99),
        worst_ms=took[-1] * 1000,
    )


def _percentile(ordered: Sequence[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000
