"""The operator's switch in a running worker: there and back, and what removes it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import structlog

from providers.choice import Choice
from storage.provider_settings import reset, switch
from tests.line.harness import Line, eventually
from tests.line.two_providers import both, operator, resend
from tests.wires.resend import ResendWire
from tests.wires.smtp import SmtpWire

__all__ = ["resend"]

CONFIGURED = Choice("smtp", "resend")
SWITCHED = Choice("resend", "smtp")


async def goes_through(line: Line, provider: str) -> None:
    """Publish one mail after the other until one has gone through this provider at its first attempt."""

    async def one_more() -> bool:
        number = len(await line.notifications())
        await line.publish(line.ticket(f"T-{number}", id=f"evt-{number}"))
        await line.settled(number + 1)
        [row] = await line.notifications(f"evt-{number}")
        [attempt] = await line.sql("select provider from delivery_attempts where notification_id = $1", row["id"])
        return attempt["provider"] == provider

    await eventually(one_more)


async def audited(line: Line) -> list[tuple[str, str]]:
    rows = await line.sql("select actor, action from audit_log where subject = 'providers' order by id")
    return [(row["actor"], row["action"]) for row in rows]


async def test_a_running_worker_follows_a_switch_and_the_way_back(
    line: Line, wire: SmtpWire, resend: ResendWire
) -> None:
    async with line.worker(**both(resend)):
        await goes_through(line, "smtp")
        async with operator(line) as connection:
            await switch(connection, SWITCHED, CONFIGURED, "cli:olga")
        await goes_through(line, "resend")
        async with operator(line) as connection:
            assert await reset(connection, CONFIGURED, "cli:olga")
        await goes_through(line, "smtp")

    rows = await line.notifications()
    assert {row["status"] for row in rows} == {"accepted"}
    assert len(wire.accepted) + len(resend.accepted) == len(rows)
    assert await audited(line) == [("cli:olga", "providers.switched"), ("cli:olga", "providers.switch_removed")]


@pytest.mark.parametrize(
    "environment",
    [
        {"EMAIL_PROVIDER": "smtp", "EMAIL_FALLBACK_PROVIDER": ""},
        {"EMAIL_PROVIDER": "resend", "EMAIL_FALLBACK_PROVIDER": "smtp"},
    ],
)
async def test_a_switch_outlives_a_restart_and_ends_with_another_configuration(
    line: Line, wire: SmtpWire, resend: ResendWire, environment: dict[str, str]
) -> None:
    async with operator(line) as connection:
        await switch(connection, Choice("resend"), CONFIGURED, "cli:olga")
    async with line.worker(**both(resend)):
        await goes_through(line, "resend")
    kept = await line.sql("select primary_provider from provider_choice")

    async with line.worker(**both(resend, **environment)):
        await goes_through(line, environment["EMAIL_PROVIDER"])

    assert [row["primary_provider"] for row in kept] == ["resend"]
    assert await line.sql("select 1 from provider_choice") == []
    [(_, first), (actor, second)] = await audited(line)
    assert (first, second) == ("providers.switched", "providers.switch_removed")
    assert actor.startswith("worker ")
    [row] = await line.sql("select detail from audit_log where action = 'providers.switch_removed'")
    detail: dict[str, Any] = json.loads(row["detail"])
    assert detail["before"]["primary"] == "resend"
    assert detail["primary"] == environment["EMAIL_PROVIDER"]


async def test_a_switch_to_what_is_not_configured_changes_nothing(
    line: Line, wire: SmtpWire, resend: ResendWire
) -> None:
    async with line.worker(**both(resend, RESEND_API_KEY="", EMAIL_FALLBACK_PROVIDER="")):
        with structlog.testing.capture_logs() as logged:
            async with operator(line) as connection:
                await switch(connection, SWITCHED, Choice("smtp"), "cli:olga")

            async def refused() -> list[str]:
                return [line["primary"] for line in logged if line["event"] == "providers.switch_refused"]

            assert await eventually(refused) == ["resend"]
            await goes_through(line, "smtp")

    assert resend.requests == []
    assert len(wire.accepted) == 1


async def test_a_share_goes_to_the_provider_that_is_being_tried(line: Line, wire: SmtpWire, resend: ResendWire) -> None:
    split = Choice("smtp", None, {"resend": 50})
    async with operator(line) as connection:
        await switch(connection, split, CONFIGURED, "cli:olga")
    async with line.worker(**both(resend)):
        await line.publish(*(line.ticket(f"T-{number}") for number in range(30)))
        rows = await line.settled(30)

    chosen = {str(row["id"]): split.order(row["id"])[0] for row in rows}
    made = {str(row[0]): row[1] for row in await line.sql("select notification_id, provider from delivery_attempts")}
    assert made == chosen
    assert set(chosen.values()) == {"smtp", "resend"}


async def test_a_tenant_may_have_a_provider_of_its_own(line: Line, wire: SmtpWire, resend: ResendWire) -> None:
    own = await line.add_tenant("Own")
    await line.change("insert into tenant_email_settings (tenant_id, provider) values ($1, 'resend')", own, tenant=own)

    async with line.worker(**both(resend)):
        await line.publish(line.ticket("T-1"), line.ticket("T-2", tenant=own))
        await line.settled(2)

    made = await line.sql("select tenant_id, provider from delivery_attempts")
    assert {row["tenant_id"]: row["provider"] for row in made} == {line.tenant: "smtp", own: "resend"}
