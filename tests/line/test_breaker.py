"""A provider that fails for everybody: who has a fallback goes there, who has none waits, and nobody is lost."""

from __future__ import annotations

from tests.line.harness import Line, eventually
from tests.line.two_providers import attempts, both, resend, waiting_for
from tests.wires.resend import ResendWire
from tests.wires.smtp import Answer, SmtpWire, Step

__all__ = ["resend"]

CLOSED = Answer("421 4.3.2 no service here")
LONG = {"OUTBOUND_BREAKER_PAUSE_SECONDS": "600", "OUTBOUND_RETRY_BASE_SECONDS": "0.2"}


async def hurry(line: Line) -> None:
    """Let everything that waits be due: time passes."""
    await line._as("outbound_dispatcher", "update send_queue set due_at = now() where owner is null")


async def open_breaker(line: Line, wire: SmtpWire, mails: int = 8) -> None:
    """Publish mail that fails until nobody tries any more."""
    wire.at(Step.GREETING, CLOSED)
    await line.publish(*(line.ticket(f"T-{number}") for number in range(mails)))
    await waiting_for(line, "breaker", mails)


async def test_without_a_fallback_mail_waits_while_the_breaker_is_open_and_is_sent_when_it_closes(
    line: Line, wire: SmtpWire
) -> None:
    async with line.worker(OUTBOUND_BREAKER_PAUSE_SECONDS="0.5", OUTBOUND_RETRY_BASE_SECONDS="0.2"):
        await open_breaker(line, wire)
        wire.heal()

        async def all_sent() -> bool:
            await hurry(line)
            return {row["status"] for row in await line.notifications()} == {"accepted"}

        await eventually(all_sent, seconds=20)

    made = await attempts(line)
    assert sum(outcome == "accepted" for *_, outcome in made) == 8
    assert {outcome for *_, outcome in made} == {"accepted", "not_sent"}
    assert len(wire.accepted) == len({mail.content for mail in wire.accepted}) == 8


async def test_while_it_is_open_no_attempt_is_made_and_none_is_counted_however_often_mail_comes_again(
    line: Line, wire: SmtpWire
) -> None:
    async with line.worker(**LONG):
        await open_breaker(line, wire)
        before = (wire.connections, await attempts(line))
        for _ in range(10):
            await hurry(line)
            await line.publish(line.ticket())
        await waiting_for(line, "breaker", 18)

        assert (wire.connections, await attempts(line)) == before

    assert len(before[1]) < 8 * 8  # OUTBOUND_MAX_ATTEMPTS each would be a retry storm, and an exhausted mail
    assert {row["status"] for row in await line.notifications()} == {"queued"}


async def test_a_redis_that_forgot_everything_changes_nothing_about_it(line: Line, wire: SmtpWire) -> None:
    async with line.worker(**LONG) as worker:
        await open_breaker(line, wire)
        before, epoch = wire.connections, worker.identity.owner
        async with line.redis() as client:
            await client.flushdb()

        async def began_anew() -> bool:
            return worker.identity.owner != epoch

        await eventually(began_anew)
        await hurry(line)
        await line.publish(line.ticket("T-8"))
        await waiting_for(line, "breaker", 9)

        assert wire.connections == before


async def test_with_a_fallback_new_mail_goes_there_and_the_primary_is_not_asked(
    line: Line, wire: SmtpWire, resend: ResendWire
) -> None:
    wire.at(Step.GREETING, CLOSED)
    async with line.worker(**both(resend, **LONG)):
        await line.publish(*(line.ticket(f"T-{number}") for number in range(8)))
        await line.settled(8)
        before = wire.connections
        await line.publish(*(line.ticket(f"T-{number}") for number in range(8, 20)))
        rows = await line.settled(20)

    assert {row["status"] for row in rows} == {"accepted"}
    assert (wire.connections, len(resend.accepted), len(resend.requests)) == (before, 20, 20)
    later_ones = [row["id"] for row in rows][8:]
    made = await line.sql("select provider from delivery_attempts where notification_id = any($1)", later_ones)
    assert [row["provider"] for row in made] == ["resend"] * 12
