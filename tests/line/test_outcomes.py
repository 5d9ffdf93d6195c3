"""What the far end does, and what becomes of the mail."""

from __future__ import annotations

import pytest

from tests.line.harness import Line, eventually
from tests.wires.smtp import Answer, Drop, SmtpWire, Step


async def queued(line: Line, reason: str) -> dict[str, object]:
    async def look() -> dict[str, object] | None:
        rows = [row for row in await line.notifications() if row["reason"] == reason]
        return rows[0] if rows else None

    return await eventually(look)


async def test_greylisting_is_retried_durably_and_then_accepted(line: Line, wire: SmtpWire) -> None:
    wire.once(Step.RCPT, Answer("450 4.2.0 greylisted, come back later"))

    async with line.worker(OUTBOUND_RETRY_BASE_SECONDS="0.5"):
        await line.publish(line.ticket())
        [row] = await line.settled(1)

    assert [(step["status"], step["reason"]) for step in row["trail"]] == [
        ("sending", None),
        ("queued", "retry"),
        ("sending", None),
        ("accepted", None),
    ]
    attempts = await line.sql("select n, outcome, reply from delivery_attempts order by n")
    assert [attempt["outcome"] for attempt in attempts] == ["temporary", "accepted"]


async def test_a_refused_mailbox_has_bounced_and_nothing_more_is_sent_to_it(line: Line, wire: SmtpWire) -> None:
    wire.at(Step.RCPT, Answer("550 5.1.1 no such user"))

    async with line.worker():
        await line.publish(line.ticket(id="evt-1"))
        await line.settled(1)
        steps = len(wire.steps)
        await line.publish(line.ticket(id="evt-2"))
        await line.settled(2)

    [suppression] = await line.sql("select reason from suppressions")
    told = [(row["event_id"], row["status"], row["reason"]) for row in await line.notifications()]
    assert suppression["reason"] == "hard_bounce"
    assert told == [("evt-1", "bounced", "hard_bounce"), ("evt-2", "suppressed", "suppressed")]
    assert Step.RCPT not in wire.steps[steps:]


async def test_retries_end_in_failed_exhausted(line: Line, wire: SmtpWire) -> None:
    wire.at(Step.RCPT, Answer("451 4.3.0 try again"))

    async with line.worker(OUTBOUND_RETRY_BASE_SECONDS="0.05", OUTBOUND_MAX_ATTEMPTS="3"):
        await line.publish(line.ticket())
        [row] = await line.settled(1)

    assert (row["status"], row["reason"]) == ("failed", "exhausted")
    assert len(await line.sql("select 1 from delivery_attempts")) == 3


@pytest.mark.parametrize("was_accepted", [True, False])
async def test_a_lost_reply_is_uncertain_and_repeated_under_the_same_message_id(
    line: Line, wire: SmtpWire, *, was_accepted: bool
) -> None:
    wire.once(Step.DOT, Drop(accepted=was_accepted))

    async with line.worker(OUTBOUND_UNCERTAIN_DELAY_SECONDS="0.5"):
        await line.publish(line.ticket())
        [row] = await line.settled(1)

    statuses = [step["status"] for step in row["trail"]]
    assert statuses == ["sending", "uncertain", "sending", "accepted"]
    assert len(wire.accepted) == 1 + was_accepted
    assert len({mail.content for mail in wire.accepted}) == 1


async def test_at_most_once_does_not_repeat_an_uncertain_mail(line: Line, wire: SmtpWire) -> None:
    await line.change(
        "insert into notification_subtypes (tenant_id, slug, category, uncertain_policy)"
        " values ($1, 'ticket-updated-client', 'tickets', 'at_most_once')",
        line.tenant,
    )
    wire.once(Step.DOT, Drop(accepted=True))

    async with line.worker(OUTBOUND_UNCERTAIN_DELAY_SECONDS="0.2"):
        await line.publish(line.ticket())
        [row] = await line.settled(1)

    assert (row["status"], row["reason"]) == ("failed", "unconfirmed")
    assert len(wire.accepted) == 1


async def test_a_provider_that_is_away_leaves_the_mail_waiting(line: Line) -> None:
    async with line.worker(EMAIL_PORT="1"):
        await line.publish(line.ticket())
        row = await queued(line, "retry")

    [attempt] = await line.sql("select outcome, error from delivery_attempts")
    assert row["status"] == "queued"
    assert attempt["outcome"] == "not_sent"


async def test_every_delivery_event_has_its_own_id_and_the_last_status_the_highest_version(
    line: Line, wire: SmtpWire
) -> None:
    wire.once(Step.RCPT, Answer("450 4.2.0 later"))

    async with line.worker(OUTBOUND_RETRY_BASE_SECONDS="0.2"):
        await line.publish(line.ticket())
        await line.settled(1)
        deliveries = await line.deliveries(2)

    assert [event["type"] for event in deliveries] == ["email.queued.v1", "email.accepted.v1"]
    assert len({event["id"] for event in deliveries}) == 2
    assert [event["data"]["version"] for event in deliveries] == [2, 4]
