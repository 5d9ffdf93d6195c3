"""An entry whose work ends the process each time is found out, and does not take its neighbours along."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

import asyncpg
import pytest

from consumers.source import MAX_DELIVERIES
from tests.chaos.harness import GROUP, STREAMS, Field, arrived_at
from tests.line.harness import eventually
from tests.wires.sink import SinkProcess

NEIGHBOURS = 100


@asynccontextmanager
async def held_up(ground: Field, tenant: UUID, source: str, event_id: str) -> AsyncIterator[None]:
    """Keep whoever claims this event waiting inside its transaction, which makes the moment for a kill."""
    connection = await asyncpg.connect(ground.database, server_settings={"search_path": "outbound"})
    try:
        await connection.execute("set role outbound_worker")
        claiming = connection.transaction()
        await claiming.start()
        await connection.execute(f"set local outbound.tenants = '{tenant}'")
        await connection.execute(
            "insert into consumed_events (tenant_id, source, event_id, stream, entry_id, type, outcome)"
            " values ($1, $2, $3, '-', '-', '-', '-')",
            tenant,
            source,
            event_id,
        )
        yield
        await claiming.rollback()
    finally:
        await connection.close()


@pytest.mark.chaos
async def test_an_entry_that_ends_the_process_each_time_becomes_a_dead_letter(ground: Field, sink: SinkProcess) -> None:
    tenant = await ground.add_tenant()
    event = ground.ticket("T-poison", id="evt-poison", tenant=tenant)
    entry_id = await ground.xadd({"data": json.dumps(event)})
    neighbours = await ground.publish_many(NEIGHBOURS)
    worker = ground.worker_process()

    async def deliveries() -> int:
        async with ground.redis() as client:
            found = await client.xpending_range(STREAMS[1], GROUP, entry_id, entry_id, 1)
        return found[0]["times_delivered"] if found else 0

    async def is_held_up(number: int) -> bool:
        return bool(await ground.waiting_for_locks()) and await deliveries() == number

    async with held_up(ground, tenant, "/psa/tickets", "evt-poison"):
        for number in range(1, MAX_DELIVERIES + 1):
            worker.start()
            await eventually(partial(is_held_up, number), seconds=30)
            worker.kill()
            await ground.end_sessions()
        worker.start()
        [letter] = await ground.dead_letters(seconds=60)
    await ground.quiet()

    tally = await ground.tally(neighbours, arrived_at(sink.log))
    assert (letter["reason"], letter["entry_id"]) == ("poison", entry_id)
    assert await deliveries() == 0
    tally.assert_nothing_lost()
