"""A backlog that waits for a provider: it loses nothing, a switch lets it go, and it holds up nobody else."""

from __future__ import annotations

from typing import Any

from providers.choice import Choice
from storage.provider_settings import switch
from tests.line.harness import Line, eventually
from tests.line.two_providers import both, operator, resend
from tests.wires.resend import Refuse, ResendWire
from tests.wires.smtp import SmtpWire

__all__ = ["resend"]


def only_resend(wire: ResendWire, **more: str) -> dict[str, str]:
    """Resend alone; SMTP is configured, and is not in use."""
    environment = both(wire, EMAIL_PROVIDER="resend", **more)
    del environment["EMAIL_FALLBACK_PROVIDER"]
    return environment


async def with_reason(line: Line, reason: str, count: int) -> list[dict[str, Any]]:
    async def found() -> list[dict[str, Any]] | None:
        rows = [row for row in await line.notifications() if row["reason"] == reason]
        return rows if len(rows) >= count else None

    return await eventually(found, seconds=20)


async def use_smtp(line: Line) -> None:
    async with operator(line) as connection:
        await switch(connection, Choice("smtp"), Choice("resend"), "cli:olga")


async def test_a_month_s_quota_costs_no_mail_and_a_switch_lets_the_backlog_go(
    line: Line, wire: SmtpWire, resend: ResendWire
) -> None:
    resend.always(Refuse(429, "monthly_quota_exceeded"))

    async with line.worker(**only_resend(resend)):
        await line.publish(*(line.ticket(f"T-{number}") for number in range(20)))
        await with_reason(line, "breaker", 20)
        await use_smtp(line)
        rows = await line.settled(20, seconds=30)

    assert {row["status"] for row in rows} == {"accepted"}
    assert len(wire.accepted) == 20


async def test_an_account_s_backlog_goes_on_at_the_provider_that_was_switched_to(
    line: Line, wire: SmtpWire, resend: ResendWire
) -> None:
    resend.team("re_test_key").requests_per_second = 2
    many = await line.add_tenant(rate=10_000, burst=1000)

    async with line.worker(**only_resend(resend, RESEND_RATE_PER_SECOND="2")):
        await line.publish(*(line.ticket(f"T-{number}", tenant=many) for number in range(120)))
        await with_reason(line, "throttled", 90)
        await use_smtp(line)
        rows = await line.settled(120, seconds=30)

    assert {row["status"] for row in rows} == {"accepted"}
    assert len(wire.accepted) + len(resend.accepted) == 120


async def test_one_tenant_s_backlog_at_an_account_holds_up_nobody_else(line: Line, resend: ResendWire) -> None:
    resend.team("re_test_key").requests_per_second = 2
    many = await line.add_tenant(rate=10_000, burst=1000)

    async with line.worker(**only_resend(resend, RESEND_RATE_PER_SECOND="2")):
        await line.publish(*(line.ticket(f"T-{number}", tenant=many) for number in range(120)))
        await with_reason(line, "throttled", 90)
        await line.publish(line.ticket("T-1", id="other"))

        async def accepted() -> bool:
            return [row["status"] for row in await line.notifications("other")] == ["accepted"]

        await eventually(accepted, seconds=15)
        waiting = [row for row in await line.notifications() if row["reason"] == "throttled"]

    assert len(waiting) > 20
