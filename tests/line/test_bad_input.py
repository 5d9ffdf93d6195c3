"""Bad input gets a clear reason, and nothing is lost."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from tests.line.harness import Line
from tests.wires.smtp import SmtpWire


async def dead_letter_of(line: Line, fields: dict[str, str | bytes]) -> dict[str, object]:
    """Put one bad entry on the stream with a good one behind it, and return what became of the bad one."""
    async with line.worker():
        entry_id = await line.xadd(fields)
        await line.publish(line.ticket())
        [letter] = await line.dead_letters(1)
        [good] = await line.settled(1)
        await line.deliveries(2)

    assert good["status"] == "accepted"
    assert letter["entry_id"] == entry_id
    async with line.redis() as client:
        assert await client.xlen("outbound:events") == 0
    return letter


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"specversion": "0.3"}, "unsupported_specversion"),
        ({"tenantid": None}, "missing_tenant"),
        ({"tenantid": str(uuid4())}, "unknown_tenant"),
        ({"type": "ticket.exploded.v1"}, "unknown_type"),
        ({"data": {"ticket_id": "T-1", "title": ["not", "text"]}}, "invalid_data"),
        ({"id": ""}, "invalid_envelope"),
    ],
)
async def test_a_bad_event_is_dead_lettered_with_its_reason(line: Line, change: dict[str, object], reason: str) -> None:
    event = line.ticket(id="evt-bad") | change
    event = {name: value for name, value in event.items() if value is not None}

    letter = await dead_letter_of(line, {"data": json.dumps(event)})

    assert letter["reason"] == reason
    assert letter["detail"]


async def test_what_is_not_json_is_dead_lettered_whole(line: Line) -> None:
    letter = await dead_letter_of(line, {"data": b"\xff\x00 not json"})

    assert letter["reason"] == "undecodable"
    assert "base64" in json.loads(letter["fields"])["data"]


async def test_ten_megabytes_are_refused_unparsed_and_kept_in_part(line: Line) -> None:
    letter = await dead_letter_of(line, {"data": b"x" * 10_000_000})

    assert letter["reason"] == "too_large"
    assert letter["is_truncated"]
    assert len(letter["fields"]) < 100_000


@pytest.mark.parametrize(
    "address", ["alice@example.com\r\nBcc: eve@example.com", "no-at-sign", "a@b@c.example.com", "bücher@example.com"]
)
async def test_an_address_that_is_none_is_skipped_with_its_reason(line: Line, wire: SmtpWire, address: str) -> None:
    person = {"role": "requester", "user_id": "u-1", "email": address}

    async with line.worker():
        await line.publish(line.ticket(person=person))
        [notification] = await line.settled(1)

    assert (notification["status"], notification["reason"]) == ("skipped", "invalid_address")
    assert wire.accepted == []


async def test_a_display_name_that_is_an_address_does_not_become_a_second_recipient(line: Line, wire: SmtpWire) -> None:
    person = {"role": "requester", "email": "alice@example.com", "name": "ceo@bank.example, pad " + "x" * 80}

    async with line.worker():
        await line.publish(line.ticket(person=person))
        await line.settled(1)

    [mail] = wire.accepted
    [to] = [row for row in mail.content.split(b"\r\n") if row.lower().startswith(b"to:")]
    assert mail.rcpt_to == "alice@example.com"
    assert to.count(b"@") == 1


async def test_a_template_that_fails_to_render_fails_its_own_mail_only(line: Line, wire: SmtpWire) -> None:
    await line.change(
        "insert into tenant_email_templates (tenant_id, name, locale, version, subject, html, text, layout_html,"
        " layout_text, created_by) values ($1, 'ticket-updated-client', 'en', 'v1', '{{ ticket.number }}',"
        " '{{ ticket.no_such_thing }}', 'x', '{% block content %}{% endblock %}', '{% block content %}{% endblock %}',"
        " 'test')",
        line.tenant,
    )
    other = await line.add_tenant()

    async with line.worker():
        await line.publish(line.ticket(id="broken"), line.ticket(id="fine", tenant=other))
        await line.settled(2)

    [broken] = await line.notifications("broken")
    [fine] = await line.notifications("fine")
    assert (broken["status"], broken["reason"]) == ("failed", "rendering")
    assert fine["status"] == "accepted"
    assert len(wire.accepted) == 1


async def test_an_event_for_nobody_says_so(line: Line) -> None:
    async with line.worker():
        await line.publish(line.ticket(id="evt-1", person=[]))
        [delivery] = await line.deliveries(1)

    [event] = await line.sql("select outcome from consumed_events")
    assert (delivery["type"], delivery["data"]["reason"]) == ("event.skipped.v1", "no_recipients")
    assert event["outcome"] == "no_recipients"


@pytest.mark.parametrize(
    "moment", ["9999-12-31T23:59:59", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "99999999999999"]
)
async def test_a_wished_moment_at_the_calendar_s_end_is_a_dead_letter(line: Line, wire: SmtpWire, moment: str) -> None:
    event = line.ticket(id="late")
    event["data"]["send_at"] = moment

    async with line.worker():
        await line.publish(event, line.ticket(id="neighbour"))
        [letter] = await line.dead_letters()
        await line.settled(1)

    assert (letter["reason"], letter["event_id"]) == ("invalid_data", "late")
    assert len(wire.accepted) == 1
