"""Mail that waits can be withdrawn; what is on its way cannot."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.line.harness import Line, eventually
from tests.line.test_queue_invariant import broken
from tests.outbound.command import Cli
from tests.wires.smtp import Answer, SmtpWire, Step


def later(line: Line, number: str) -> dict[str, Any]:
    event = line.ticket(number)
    event["data"]["send_at"] = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    return event


async def statuses(line: Line, count: int, status: str) -> list[dict[str, Any]]:
    async def found() -> list[dict[str, Any]] | None:
        rows = [row for row in await line.notifications() if row["status"] == status]
        return rows if len(rows) == count else None

    return await eventually(found)


async def cancel(line: Line, *arguments: str) -> list[str]:
    """Return what was cancelled; where that is nothing, the command ends with 1 and says so."""
    result = await asyncio.to_thread(Cli(line.environment), "notifications", "cancel", *arguments, "--json")
    cancelled: list[str] = json.loads(result.stdout.splitlines()[0])["cancelled"]
    assert result.exit_code == (0 if cancelled else 1), result.output
    return cancelled


async def test_everything_about_one_thing_is_withdrawn_and_told(line: Line, wire: SmtpWire) -> None:
    async with line.worker():
        await line.publish(later(line, "T-1"), later(line, "T-1"), later(line, "T-2"))
        await statuses(line, 3, "queued")

        cancelled = await cancel(line, "--tenant", str(line.tenant), "--subject", "ticket/T-1")
        deliveries = await line.deliveries(5)

    rows = await line.notifications()
    assert sorted(str(row["id"]) for row in rows if row["status"] == "cancelled") == sorted(cancelled)
    assert len(cancelled) == 2
    assert sorted(event["type"] for event in deliveries).count("email.cancelled.v1") == 2
    assert [row["action"] for row in await line.sql("select action from audit_log")] == ["notifications.cancelled"]
    assert wire.accepted == []
    assert await broken(line) == []


async def test_another_tenant_s_mail_is_not_touched(line: Line) -> None:
    async with line.worker():
        await line.publish(later(line, "T-1"))
        [row] = await statuses(line, 1, "queued")

        cancelled = await cancel(line, str(row["id"]), "--tenant", str(uuid4()))

    assert cancelled == []
    assert [row["status"] for row in await line.notifications()] == ["queued"]


async def test_what_was_accepted_is_left_alone(line: Line, wire: SmtpWire) -> None:
    async with line.worker():
        await line.publish(line.ticket("T-1"))
        [row] = await line.settled(1)

        cancelled = await cancel(line, str(row["id"]), "--tenant", str(line.tenant), "--subject", "ticket/T-1")

    assert (cancelled, len(wire.accepted)) == ([], 1)


async def test_a_retry_that_waits_can_be_withdrawn(line: Line, wire: SmtpWire) -> None:
    wire.at(Step.RCPT, Answer("450 4.2.0 later"))
    async with line.worker(OUTBOUND_RETRY_BASE_SECONDS="300"):
        await line.publish(line.ticket("T-1"))
        await statuses(line, 1, "queued")

        cancelled = await cancel(line, "--tenant", str(line.tenant), "--subject", "ticket/T-1")

    assert len(cancelled) == 1
    assert await line.sql("select 1 from send_queue") == []
