"""Digests on the line: what is collected is told exactly once, whatever happens between."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.line.harness import Line, eventually
from tests.line.test_queue_invariant import broken
from tests.outbound.command import Cli
from tests.wires.smtp import SmtpWire

WINDOW = "insert into notification_subtypes (tenant_id, slug, category, digest_window) values ($1, $2, 'tickets', $3)"


@pytest.fixture
async def windowed(line: Line) -> Line:
    """A tenant whose ticket updates are gathered for two seconds."""
    for slug in ("ticket-updated", "ticket-updated-client"):
        await line.change(WINDOW, line.tenant, slug, timedelta(seconds=2))
    return line


async def wants(line: Line, frequency: str) -> None:
    await line.change(
        "insert into users (tenant_id, user_id, email, timezone) values ($1, 'u-1', 'alice@example.com', 'UTC')",
        line.tenant,
    )
    await line.change(
        "insert into user_notification_preferences (tenant_id, user_id, scope, slug, frequency)"
        " values ($1, 'u-1', 'category', 'tickets', $2)",
        line.tenant,
        frequency,
    )


async def close_all(line: Line) -> None:
    """Let every open digest be due."""
    await line._as("outbound_worker", "update digests set closes_at = now() - interval '1 second'", tenant=line.tenant)


async def collected(line: Line, count: int) -> list[dict[str, Any]]:
    async def found() -> list[dict[str, Any]] | None:
        rows = [row for row in await line.notifications() if row["status"] == "collected"]
        return rows if len(rows) == count else None

    return await eventually(found)


async def ended(line: Line, statuses: dict[str, int]) -> list[dict[str, Any]]:
    async def found() -> list[dict[str, Any]] | None:
        rows = await line.notifications()
        counts = {status: sum(row["status"] == status for row in rows) for status in {row["status"] for row in rows}}
        return rows if counts == statuses else None

    return await eventually(found, seconds=15)


def text(wire: SmtpWire, position: int = -1) -> str:
    return wire.accepted[position].content.decode()


async def test_the_first_goes_at_once_and_the_rest_as_one_mail(windowed: Line, wire: SmtpWire) -> None:
    async with windowed.worker():
        await windowed.publish(*(windowed.ticket(id=f"evt-{number}") for number in range(8)))
        rows = await ended(windowed, {"accepted": 2, "digested": 7})

    [digest] = [row for row in rows if row["subtype"] == "digest"]
    assert "Subject: [T-42] 7 updates" in text(wire)
    assert {row["trail"][-1].get("into") for row in rows if row["status"] == "digested"} == {str(digest["id"])}
    assert len(wire.accepted) == 2
    assert await broken(windowed) == []


async def test_one_that_was_collected_alone_goes_in_its_own_words(windowed: Line, wire: SmtpWire) -> None:
    async with windowed.worker():
        await windowed.publish(windowed.ticket(id="evt-1"), windowed.ticket(id="evt-2"))
        rows = await ended(windowed, {"accepted": 2})

    assert {row["subtype"] for row in rows} <= {"ticket-updated", "ticket-updated-client"}
    assert len(wire.accepted) == 2


async def test_another_ticket_and_another_person_are_another_digest(windowed: Line, wire: SmtpWire) -> None:
    bob = {"role": "requester", "user_id": "u-2", "email": "bob@example.com"}
    async with windowed.worker():
        await windowed.publish(windowed.ticket("T-1"), windowed.ticket("T-2"), windowed.ticket("T-1", person=bob))
        await ended(windowed, {"accepted": 3})

    assert len(wire.accepted) == 3


async def test_a_window_without_more_closes_without_a_word(windowed: Line, wire: SmtpWire) -> None:
    async with windowed.worker():
        await windowed.publish(windowed.ticket())
        await windowed.settled(1)

        async def closed() -> bool:
            return bool(await windowed.sql("select 1 from digests where closed_at is not null"))

        await eventually(closed)

    assert len(wire.accepted) == 1


@pytest.mark.parametrize("frequency", ["hourly", "daily", "weekly"])
async def test_what_somebody_wants_gathered_waits_for_their_hour(line: Line, wire: SmtpWire, frequency: str) -> None:
    await wants(line, frequency)

    async with line.worker():
        await line.publish(line.ticket("T-1"), line.ticket("T-2"))
        await collected(line, 2)
        [digest] = await line.sql("select key, closes_at from digests")
        assert wire.accepted == []
        await close_all(line)
        await ended(line, {"accepted": 1, "digested": 2})

    assert digest["key"] == frequency
    assert digest["closes_at"] > datetime.now(UTC)
    assert "T-1" in text(wire)
    assert "T-2" in text(wire)


async def test_the_upstream_hears_what_was_gathered_into_what(line: Line, wire: SmtpWire) -> None:
    await wants(line, "daily")

    async with line.worker():
        await line.publish(line.ticket("T-1", id="a"), line.ticket("T-2", id="b"))
        await collected(line, 2)
        await close_all(line)
        deliveries = await line.deliveries(4)

    kinds = sorted((event["type"], event.get("causationid", "")) for event in deliveries)
    assert [kind for kind, _ in kinds] == [
        "email.accepted.v1",
        "email.digested.v1",
        "email.digested.v1",
        "email.queued.v1",
    ]
    assert [cause for kind, cause in kinds if kind == "email.digested.v1"] == ["a", "b"]


async def test_what_expired_while_it_lay_there_is_said_to_have(line: Line, wire: SmtpWire) -> None:
    await wants(line, "daily")
    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()

    async with line.worker():
        await line.publish(line.ticket("T-1") | {"expirytime": soon}, line.ticket("T-2"))
        await collected(line, 2)
        await asyncio.sleep(2.1)
        await close_all(line)
        rows = await ended(line, {"accepted": 1, "failed": 1})

    assert [row["reason"] for row in rows if row["status"] == "failed"] == ["expired"]
    assert "T-2" in text(wire)


async def test_mandatory_mail_is_never_gathered(line: Line, wire: SmtpWire) -> None:
    await wants(line, "weekly")
    event = line.ticket() | {
        "type": "user.verified.v1",
        "data": {"user_id": "u-1", "email": "alice@example.com", "name": "Alice"},
    }

    async with line.worker():
        await line.publish(event)
        await line.settled(1)

    assert len(wire.accepted) == 1


async def test_two_workers_close_a_digest_once(line: Line, wire: SmtpWire) -> None:
    await wants(line, "hourly")

    async with line.worker(OUTBOUND_WORKER_NAME="one"), line.worker(OUTBOUND_WORKER_NAME="two"):
        for turn in range(1, 4):
            await line.publish(*(line.ticket(f"T-{uuid4().hex[:6]}") for _ in range(3)))
            await collected(line, 3)
            await close_all(line)
            await ended(line, {"accepted": turn, "digested": 3 * turn})

    assert len(wire.accepted) == 3


async def test_a_crash_before_the_commit_leaves_everything_where_it_lay(line: Line, wire: SmtpWire) -> None:
    await wants(line, "hourly")
    async with line.worker():
        await line.publish(line.ticket("T-1"), line.ticket("T-2"))
        await collected(line, 2)
    # What a process does that dies after it closed the digest and before it committed.
    connection = await _worker_connection(line)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(f"set local outbound.tenants = '{line.tenant}'")
    await connection.execute("update digests set closed_at = now()")
    await connection.execute("update notification_logs set status = 'digested', version = version + 1")
    connection.terminate()

    async with line.worker():
        await collected(line, 2)
        await close_all(line)
        await ended(line, {"accepted": 1, "digested": 2})

    assert len(wire.accepted) == 1


async def test_who_opts_out_before_it_closes_is_not_told(line: Line, wire: SmtpWire) -> None:
    await wants(line, "daily")

    async with line.worker():
        await line.publish(line.ticket("T-1"), line.ticket("T-2"))
        await collected(line, 2)
        await line.change(
            "update user_notification_preferences set is_enabled = false where tenant_id = $1", line.tenant
        )
        await close_all(line)
        rows = await ended(line, {"skipped": 2})

    assert {row["reason"] for row in rows} == {"opted_out"}
    assert wire.accepted == []


async def test_what_is_withdrawn_is_not_in_the_digest(line: Line, wire: SmtpWire) -> None:
    await wants(line, "daily")

    async with line.worker():
        await line.publish(*(line.ticket(f"T-{number}") for number in range(1, 4)))
        [first, *_] = await collected(line, 3)
        await asyncio.to_thread(
            Cli(line.environment).json, "notifications", "cancel", str(first["id"]), "--tenant", str(line.tenant)
        )
        await close_all(line)
        await ended(line, {"accepted": 1, "digested": 2, "cancelled": 1})

    assert "2 updates" in text(wire)


async def _worker_connection(line: Line) -> Any:
    import asyncpg  # noqa: PLC0415 - the one test that plays a process

    connection = await asyncpg.connect(line.database, server_settings={"search_path": "outbound"})
    await connection.execute("set role outbound_worker")
    return connection


def test_a_reader_without_a_user_id_is_known_by_address() -> None:
    from notifications.draft import recipient_key  # noqa: PLC0415 - beside its only use
    from tests.notifications.builders import a_request, an_entry, plan_of  # noqa: PLC0415 - the same

    [event] = plan_of(an_entry(), effects=[a_request(user_id=None, email="a@example.com")]).events
    [planned] = event.notifications

    key = recipient_key(event, planned)

    assert (key.reader, isinstance(key.tenant_id, UUID)) == ("a@example.com", True)
