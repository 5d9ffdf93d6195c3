"""What is kept, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

OLD = datetime.now(UTC) - timedelta(days=40)
TENANT = uuid4()


def an_id(at: datetime) -> UUID:
    return UUID(int=int(at.timestamp() * 1000) << 80 | 8 << 76 | 2 << 62 | 7)


async def as_role(database: str, role: str, *statements: tuple[str, tuple[object, ...]]) -> list[list[object]]:
    connection = await asyncpg.connect(database, server_settings={"search_path": "outbound"})
    try:
        await connection.execute(f"set role {role}")
        async with connection.transaction():
            await connection.execute(f"set local outbound.tenants = '{TENANT}'")
            return [[tuple(row) for row in await connection.fetch(sql, *values)] for sql, values in statements]
    finally:
        await connection.close()


@pytest.fixture
async def old_database(database: str) -> str:
    """A database with a day of 40 days ago in it: one content, one body, one event of the inbox."""
    day = OLD.date()
    await as_role(
        database, "outbound_dispatcher", ("select ensure_partitions($1)", (day,)), ("select ensure_partitions()", ())
    )
    await as_role(
        database,
        "outbound_worker",
        (
            (
                "insert into message_contents (notification_id, kind, tenant_id, message, sha256)"
                " values ($1, 'rendered', $2, 'x', 'y')"
            ),
            (an_id(OLD), TENANT),
        ),
        (
            "insert into event_bodies (tenant_id, source, event_id, received_at, body) values ($1, '/a', 'e', $2, 'x')",
            (TENANT, OLD),
        ),
        (
            (
                "insert into consumed_events (tenant_id, source, event_id, stream, entry_id, type, outcome,"
                " received_at) values ($1, '/a', 'e', 's', '1-0', 't', 'notifications', $2)"
            ),
            (TENANT, OLD),
        ),
    )
    return database


async def what_is_left(database: str) -> tuple[object, ...]:
    [[contents], [bodies], [events]] = await as_role(
        database,
        "outbound_worker",
        ("select count(*) from message_contents", ()),
        ("select count(*) from event_bodies", ()),
        ("select count(*) from consumed_events", ()),
    )
    return contents[0], bodies[0], events[0]


async def test_what_is_older_than_it_is_kept_goes(old_database: str) -> None:
    assert await what_is_left(old_database) == (1, 1, 1)

    [[(dropped,)]] = await as_role(old_database, "outbound_dispatcher", ("select apply_retention()", ()))

    assert dropped >= 2
    assert await what_is_left(old_database) == (0, 0, 0)


async def test_the_content_of_what_still_waits_stays(old_database: str) -> None:
    await as_role(
        old_database,
        "outbound_worker",
        (
            "insert into send_queue (notification_id, tenant_id, lane, due_at) values ($1, $2, 1, now())",
            (an_id(OLD), TENANT),
        ),
    )

    await as_role(old_database, "outbound_dispatcher", ("select apply_retention()", ()))

    assert await what_is_left(old_database) == (1, 0, 0)
