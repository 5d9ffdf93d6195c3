"""What people wish of their mail, on the line: another address, quiet hours, a moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.line.harness import Line, eventually
from tests.wires.smtp import SmtpWire

QUIET = "update users set quiet_begins = $2, quiet_ends = $3 where tenant_id = $1 and user_id = 'u-1'"


async def add_user(line: Line) -> None:
    await line.change(
        "insert into users (tenant_id, user_id, email, timezone) values ($1, 'u-1', 'alice@example.com', 'UTC')",
        line.tenant,
    )


async def test_a_mail_waits_through_quiet_hours_and_goes_when_they_are_over(line: Line, wire: SmtpWire) -> None:
    await add_user(line)
    now = datetime.now(UTC)
    await line.change(QUIET, line.tenant, (now - timedelta(hours=1)).time(), (now + timedelta(seconds=4)).time())

    async with line.worker():
        await line.publish(line.ticket())

        async def waiting() -> bool:
            return [(row["status"], row["reason"]) for row in await line.notifications()] == [("queued", "quiet_hours")]

        await eventually(waiting)
        assert wire.accepted == []
        [row] = await line.settled(1)

    assert [step["reason"] for step in row["trail"]] == ["quiet_hours", None, None]
    assert len(wire.accepted) == 1


async def test_a_mail_goes_to_the_address_somebody_would_rather_have_it_at(line: Line, wire: SmtpWire) -> None:
    await add_user(line)
    await line.change(
        "insert into user_notification_preferences (tenant_id, user_id, scope, slug, email)"
        " values ($1, 'u-1', 'category', 'tickets', 'home@example.com')",
        line.tenant,
    )

    async with line.worker():
        await line.publish(line.ticket())
        [row] = await line.settled(1)

    [received] = wire.accepted
    assert (received.rcpt_to, row["status"]) == ("home@example.com", "accepted")


async def test_a_suppressed_address_does_not_stop_mail_to_the_other_one(line: Line, wire: SmtpWire) -> None:
    await add_user(line)
    await line.suppress("home@example.com")
    await line.change(
        "insert into user_notification_preferences (tenant_id, user_id, scope, slug, email)"
        " values ($1, 'u-1', 'subtype', 'ticket-updated-client', 'home@example.com')",
        line.tenant,
    )

    async with line.worker():
        await line.publish(line.ticket())
        [row] = await line.settled(1)

    assert (row["status"], wire.accepted) == ("suppressed", [])


async def test_a_wished_moment_is_kept(line: Line, wire: SmtpWire) -> None:
    event = line.ticket()
    event["data"]["send_at"] = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()

    async with line.worker():
        await line.publish(event)
        [row] = await line.settled(1)

    assert [step["reason"] for step in row["trail"]] == ["scheduled", None, None]
    assert len(wire.accepted) == 1
