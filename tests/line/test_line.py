"""One event in, one mail out, one delivery event back."""

from __future__ import annotations

from tests.line.harness import Line
from tests.wires.smtp import SmtpWire


async def test_an_event_becomes_a_mail_and_a_delivery_event(line: Line, wire: SmtpWire) -> None:
    event = line.ticket(id="evt-1")

    async with line.worker():
        await line.publish(event)
        [notification] = await line.settled(1)
        [delivery] = await line.deliveries(1)

    [accepted] = wire.accepted
    assert accepted.rcpt_to == "alice@example.com"
    assert [step["status"] for step in notification["trail"]] == ["sending", "accepted"]
    assert (delivery["type"], delivery["causationid"]) == ("email.accepted.v1", "evt-1")
