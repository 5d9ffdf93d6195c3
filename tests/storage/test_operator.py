"""What an operator can ask, whoever's rows they are."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from notifications.ports import UnavailableError
from storage.operator import (
    Notification,
    attempts_of,
    find_event_of,
    find_events,
    find_notification,
    notifications_of,
    open_for_operator,
    queue_places_of,
)
from storage.roles import Role
from storage.session import Connection

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


class Rows:
    """Writes rows as the line does: role worker, naming the tenant."""

    def __init__(self, database: str) -> None:
        self._database = database

    async def _write(self, tenant: UUID, statement: str, *values: Any) -> None:
        connection = await asyncpg.connect(self._database, server_settings={"search_path": "outbound"})
        try:
            await connection.execute("set role outbound_worker")
            async with connection.transaction():
                await connection.execute(f"set local outbound.tenants = '{tenant}'")
                await connection.execute(statement, *values)
        finally:
            await connection.close()

    async def tenant(self, slug: str) -> UUID:
        tenant = uuid4()
        await self._write(tenant, "insert into tenants (id, slug, name) values ($1, $2, $2)", tenant, slug)
        return tenant

    async def event(self, tenant: UUID, event_id: str, source: str = "/psa") -> None:
        await self._write(
            tenant,
            "insert into consumed_events (tenant_id, source, event_id, entry_id, stream, type, outcome, repeats)"
            " values ($1, $2, $3, '1-0', 'outbound:events', 'ticket.updated.v1', 'notifications', $4)",
            tenant,
            source,
            event_id,
            json.dumps([{"stream": "outbound:events", "entry_id": "2-0", "at": NOW.isoformat()}]),
        )

    async def notification(self, tenant: UUID, event_id: str, *, queued: bool = False) -> UUID:
        notification = uuid4()
        await self._write(
            tenant,
            "insert into notification_logs (id, tenant_id, source, event_id, category, subtype, user_id, recipient,"
            " status, reason, gates, trail) values ($1, $2, '/psa', $3, 'tickets', 'ticket-updated', 'u-1',"
            " 'alice@example.com', 'queued', 'retry', $4, $5)",
            notification,
            tenant,
            event_id,
            json.dumps({"gate": "passed", "reason": None, "evidence": {"preference": True}, "settings_version": 1}),
            json.dumps([{"version": 1, "status": "sending", "reason": None, "at": NOW.isoformat()}]),
        )
        await self._write(
            tenant,
            "insert into delivery_attempts (notification_id, n, tenant_id, provider, mail_from, outcome, error, reply,"
            " worker, started_at, finished_at) values ($1, 1, $2, 'smtp', 'a@b.example', 'temporary', 'server_busy',"
            " '451 later', 'w:1', $3, $3)",
            notification,
            tenant,
            NOW,
        )
        if queued:
            await self._write(
                tenant,
                "insert into send_queue (notification_id, tenant_id, lane, due_at, reason, attempt)"
                " values ($1, $2, 1, $3, 'retry', 1)",
                notification,
                tenant,
                NOW,
            )
        return notification


@pytest.fixture
def rows(database: str) -> Rows:
    return Rows(database)


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    async with open_for_operator(database) as opened, opened.everyone(Role.PLATFORM) as connection:
        yield connection


async def test_an_event_id_is_found_in_every_tenant_and_source(rows: Rows, connection: Connection) -> None:
    first, second = await rows.tenant("first"), await rows.tenant("second")
    await rows.event(first, "evt-1")
    await rows.event(second, "evt-1", "/psa")
    await rows.event(second, "evt-1", "/other")
    await rows.event(second, "evt-2")

    found = await find_events(connection, "evt-1")

    assert {(event.tenant_id, event.tenant_slug, event.source) for event in found} == {
        (first, "first", "/psa"),
        (second, "second", "/psa"),
        (second, "second", "/other"),
    }
    assert found[0].repeats == [{"stream": "outbound:events", "entry_id": "2-0", "at": NOW.isoformat()}]


async def test_an_unknown_event_id_is_nothing(rows: Rows, connection: Connection) -> None:
    assert await find_events(connection, "evt-1") == []
    await rows.event(await rows.tenant("first"), "evt-2")
    assert await find_events(connection, "evt-1") == []


async def test_an_event_is_found_without_reading_all_events(rows: Rows, connection: Connection, database: str) -> None:
    tenant = await rows.tenant("first")
    await rows._write(
        tenant,
        "insert into consumed_events (tenant_id, source, event_id, entry_id, stream, type, outcome)"
        " select $1, '/s' || n % 3, 'evt-' || n, '1-0', 's', 't', 'o' from generate_series(1, 30000) n",
        tenant,
    )
    before = await connection.fetchval("select pg_stat_get_xact_blocks_fetched('outbound.consumed_events'::regclass)")

    [event] = await find_events(connection, "evt-29999")

    after = await connection.fetchval("select pg_stat_get_xact_blocks_fetched('outbound.consumed_events'::regclass)")
    assert event.event_id == "evt-29999"
    assert after - before < 20


async def test_the_notifications_of_an_event_are_its_own(rows: Rows, connection: Connection) -> None:
    tenant, other = await rows.tenant("first"), await rows.tenant("second")
    await rows.event(tenant, "evt-1")
    mine = await rows.notification(tenant, "evt-1")
    await rows.notification(tenant, "evt-2")
    await rows.notification(other, "evt-1")

    [notification] = await notifications_of(connection, await find_events(connection, "evt-1"))

    assert notification.id == mine
    assert notification.gates["evidence"] == {"preference": True}
    assert notification.trail[0]["status"] == "sending"
    assert (await find_event_of(connection, notification)) in await find_events(connection, "evt-1")


async def test_a_notification_is_found_by_its_id(rows: Rows, connection: Connection) -> None:
    stored = await rows.notification(await rows.tenant("first"), "evt-1")

    found = await find_notification(connection, stored)

    assert isinstance(found, Notification)
    assert (found.id, found.recipient) == (stored, "alice@example.com")
    assert await find_event_of(connection, found) is None
    assert await find_notification(connection, uuid4()) is None


async def test_attempts_and_places_belong_to_their_notification(rows: Rows, connection: Connection) -> None:
    tenant = await rows.tenant("first")
    waiting = await rows.notification(tenant, "evt-1", queued=True)
    done = await rows.notification(tenant, "evt-2")

    attempts = await attempts_of(connection, [waiting, done])
    [place] = await queue_places_of(connection, [waiting, done])

    assert {attempt.notification_id for attempt in attempts} == {waiting, done}
    assert (attempts[0].provider, attempts[0].outcome, attempts[0].reply) == ("smtp", "temporary", "451 later")
    assert (place.notification_id, place.reason, place.owner, place.due_at) == (waiting, "retry", None, NOW)


async def test_an_operator_changes_nothing_of_a_tenant(rows: Rows, database: str) -> None:
    await rows.notification(await rows.tenant("first"), "evt-1")

    with pytest.raises(UnavailableError, match="permission denied"):
        async with open_for_operator(database) as opened, opened.everyone(Role.PLATFORM) as connection:
            await connection.execute("update notification_logs set status = 'accepted'")


async def test_a_database_that_does_not_exist_is_said_in_a_sentence(database: str) -> None:
    with pytest.raises(UnavailableError, match="does not exist; `outbound doctor` says what to do"):
        async with open_for_operator(f"{database}_gone"):
            pass
