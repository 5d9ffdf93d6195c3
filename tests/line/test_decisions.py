"""Who is told and when: gates, duplicates, limits, expiry, as the whole line decides them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from tests.line.harness import Line
from tests.wires.smtp import SmtpWire


async def test_a_repeat_under_another_entry_is_told_and_sends_nothing(line: Line, wire: SmtpWire) -> None:
    event = line.ticket(id="evt-1")

    async with line.worker():
        await line.publish(event, event)
        await line.settled(1)
        deliveries = await line.deliveries(2)
        await line.publish(event)
        deliveries = await line.deliveries(3)

    [row] = await line.sql("select repeats, entry_id from consumed_events")
    assert len(wire.accepted) == 1
    assert sorted(event["type"] for event in deliveries) == [
        "email.accepted.v1",
        "event.skipped.v1",
        "event.skipped.v1",
    ]
    assert len(json.loads(row["repeats"])) == 2


async def test_over_the_rate_a_mail_waits_for_its_slot_and_then_goes(line: Line, wire: SmtpWire) -> None:
    slow = await line.add_tenant(rate=60, burst=1)
    events = [line.ticket(f"T-{n}", id=f"evt-{n}", tenant=slow) for n in range(3)]

    async with line.worker():
        await line.publish(*events)
        rows = await line.settled(3)
        await line.deliveries(5)

    assert len(wire.accepted) == 3
    trails = {row["event_id"]: [(step["status"], step["reason"]) for step in row["trail"]] for row in rows}
    assert trails["evt-0"] == [("sending", None), ("accepted", None)]
    assert trails["evt-2"] == [("queued", "rate"), ("sending", None), ("accepted", None)]


async def test_who_opted_out_is_skipped_and_mandatory_mail_goes_all_the_same(line: Line, wire: SmtpWire) -> None:
    for slug in ("tickets", "authentication"):
        await line.change(
            "insert into user_notification_preferences (tenant_id, user_id, scope, slug, is_enabled)"
            " values ($1, 'u-1', 'category', $2, false)",
            line.tenant,
            slug,
        )
    verification = {
        "specversion": "1.0",
        "id": "verify-1",
        "source": "/psa/users",
        "type": "user.verification_requested.v1",
        "tenantid": str(line.tenant),
        "data": {
            "user_id": "u-1",
            "email": "alice@example.com",
            "verification_url": "https://psa.example/v/secret-token",
        },
    }

    async with line.worker():
        await line.publish(line.ticket(id="evt-1"))
        await line.publish(verification, stream="outbound:events:urgent")
        await line.settled(2)

    [ticket] = await line.notifications("evt-1")
    [mandatory] = await line.notifications("verify-1")
    assert (ticket["status"], ticket["reason"], ticket["gates"]["gate"]) == ("skipped", "opted_out", "preference")
    assert mandatory["status"] == "accepted"
    [mail] = wire.accepted
    assert b"secret-token" in mail.content.replace(b"=\r\n", b"")
    assert await line.sql("select 1 from message_contents where notification_id = $1", mandatory["id"]) == []
    assert await line.sql("select 1 from event_bodies where event_id = 'verify-1'") == []


async def test_without_email_enable_everything_is_recorded_and_nothing_sent(line: Line, wire: SmtpWire) -> None:
    async with line.worker(EMAIL_ENABLE="false"):
        await line.publish(line.ticket())
        [notification] = await line.settled(1)

    assert (notification["status"], notification["reason"]) == ("skipped", "service_disabled")
    assert wire.accepted == []


async def test_an_expired_event_is_not_sent(line: Line, wire: SmtpWire) -> None:
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()

    async with line.worker():
        await line.publish(line.ticket(expirytime=past))
        [notification] = await line.settled(1)

    assert (notification["status"], notification["reason"]) == ("skipped", "expired")
    assert wire.accepted == []


async def test_a_directory_event_is_in_force_for_the_next_event_of_its_batch(line: Line, wire: SmtpWire) -> None:
    user = {
        "specversion": "1.0",
        "id": "user-1",
        "source": "/psa/users",
        "type": "user.updated.v1",
        "tenantid": str(line.tenant),
        "data": {"user_id": "u-9", "email": "Bob@Example.com", "name": "Bob"},
    }
    ticket = line.ticket(person={"role": "assignee", "user_id": "u-9"})
    await line.publish(user, ticket)

    async with line.worker():
        [notification] = await line.settled(1)

    [mail] = wire.accepted
    assert mail.rcpt_to == "bob@example.com"
    assert notification["recipient"] == "bob@example.com"


async def test_a_suppressed_address_is_not_written_to(line: Line, wire: SmtpWire) -> None:
    await line.suppress("alice@example.com", "hard_bounce")

    async with line.worker():
        await line.publish(line.ticket())
        [notification] = await line.settled(1)

    assert (notification["status"], notification["reason"]) == ("suppressed", "suppressed")
    assert wire.accepted == []


async def test_a_tenant_registers_itself_by_event(line: Line, wire: SmtpWire) -> None:
    tenant = "7d0c1f5e-8d2b-4c57-9a3e-0d2f3c1b9a10"
    registered = {
        "specversion": "1.0",
        "id": "t-1",
        "source": "/psa",
        "type": "tenant.registered.v1",
        "tenantid": tenant,
        "data": {"name": "Looking Glass Ltd"},
    }

    async with line.worker():
        await line.publish(registered, line.ticket(tenant=tenant))
        await line.settled(1)

    [mail] = wire.accepted
    assert b"Looking Glass Ltd" in mail.content


async def test_three_wire_forms_are_one_event(line: Line, wire: SmtpWire) -> None:
    structured = line.ticket(id="same", source="/a")
    binary = {
        "ce_id": "binary",
        "ce_source": "/shell",
        "ce_type": "ticket.updated.v1",
        "ce_tenantid": str(line.tenant),
        "data": json.dumps(structured["data"]),
    }
    legacy = {
        "event": json.dumps(
            {
                "id": "legacy",
                "eventType": "TICKET_UPDATED",
                "timestamp": datetime.now(UTC).isoformat(),
                "payload": {"tenantId": str(line.tenant), "ticketId": "T-42", "people": structured["data"]["people"]},
            }
        ),
        "channel": "internal-notifications",
    }

    async with line.worker():
        await line.publish(structured)
        await line.xadd(binary)
        await line.xadd(legacy)
        rows = await line.settled(3)

    assert {row["event_id"]: row["status"] for row in rows} == dict.fromkeys(("same", "binary", "legacy"), "accepted")
    assert len(wire.accepted) == 3
