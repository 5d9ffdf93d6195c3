"""A primary that does not take mail, and a fallback that does: once, on the record, and only what surely did not go."""

from __future__ import annotations

import pytest

from storage.provider_settings import resume
from tests.line.harness import Line, eventually
from tests.line.two_providers import API_KEY, attempts, both, operator, resend, waiting_for
from tests.wires.resend import Refuse, ResendWire
from tests.wires.smtp import Answer, Drop, SmtpWire, Step

__all__ = ["resend"]

CREDENTIALS = {"EMAIL_USERNAME": "relay-user", "EMAIL_PASSWORD": "wrong-password"}


@pytest.mark.parametrize(
    ("step", "fault", "outcome", "more"),
    [
        (None, None, "not_sent", {"EMAIL_PORT": "1"}),
        (Step.GREETING, Answer("554 5.3.2 no service here"), "not_sent", {}),
        (Step.GREETING, Drop(), "not_sent", {}),
        (Step.MAIL, Answer("421 4.3.2 shutting down"), "not_sent", {}),
        (Step.RCPT, Drop(), "not_sent", {}),
        (Step.DATA, Drop(), "not_sent", {}),
        (Step.AUTH, Answer("535 5.7.8 authentication failed"), "misconfigured", CREDENTIALS),
    ],
)
async def test_what_the_primary_surely_did_not_take_goes_through_the_fallback_once(
    line: Line,
    wire: SmtpWire,
    resend: ResendWire,
    step: Step | None,
    fault: Answer | Drop | None,
    outcome: str,
    more: dict[str, str],
) -> None:
    if step is not None and fault is not None:
        wire.at(step, fault)

    async with line.worker(**both(resend, **more)):
        await line.publish(line.ticket())
        [row] = await line.settled(1)

    assert (row["status"], row["reason"]) == ("accepted", None)
    assert [step["status"] for step in row["trail"]] == ["sending", "sending", "accepted"]
    assert await attempts(line) == [(1, "smtp", outcome), (2, "resend", "accepted")]
    assert (len(wire.accepted), len(resend.accepted), len(resend.requests)) == (0, 1, 1)
    assert resend.accepted[0].idempotency_key == str(row["id"])


async def test_what_the_primary_may_have_taken_is_never_given_to_the_fallback(
    line: Line, wire: SmtpWire, resend: ResendWire
) -> None:
    wire.once(Step.DOT, Drop(accepted=True))

    async with line.worker(**both(resend)):
        await line.publish(line.ticket())
        [row] = await line.settled(1)

    assert row["status"] == "accepted"
    assert await attempts(line) == [(1, "smtp", "unknown"), (2, "smtp", "accepted")]
    assert len({mail.content for mail in wire.accepted}) == 1
    assert resend.requests == []


async def test_what_is_in_doubt_stays_with_its_provider_also_while_that_is_away(
    line: Line, wire: SmtpWire, resend: ResendWire
) -> None:
    wire.once(Step.DOT, Drop())

    async with line.worker(**both(resend)):
        await line.publish(line.ticket())
        await eventually(lambda: _told(line, "uncertain"))
        wire.at(Step.GREETING, Answer("421 4.3.2 shutting down"))
        wire.drop_all()
        await eventually(lambda: _told(line, "queued"))
        wire.heal()
        [row] = await line.settled(1)

    made = await attempts(line)
    assert row["status"] == "accepted"
    assert [outcome for *_, outcome in made][:2] == ["unknown", "not_sent"]
    assert {provider for _, provider, _ in made} == {"smtp"}
    assert (len(wire.accepted), resend.requests) == (1, [])


async def _told(line: Line, status: str) -> bool:
    return any(step["status"] == status for row in await line.notifications() for step in row["trail"])


async def test_a_mail_that_has_failed_over_is_retried_at_the_fallback(
    line: Line, wire: SmtpWire, resend: ResendWire
) -> None:
    wire.once(Step.GREETING, Answer("421 4.3.2 shutting down"))
    resend.once(Refuse(401, "restricted_api_key"))

    async with line.worker(**both(resend)):
        await line.publish(line.ticket())
        [row] = await line.settled(1)

    assert row["status"] == "accepted"
    assert await attempts(line) == [(1, "smtp", "not_sent"), (2, "resend", "misconfigured"), (3, "resend", "accepted")]
    assert wire.accepted == []


@pytest.mark.parametrize("keeps", [False, True])
async def test_where_the_fallback_may_not_use_the_address_the_tenant_decides(
    line: Line, wire: SmtpWire, resend: ResendWire, keeps: bool
) -> None:
    await line.change(
        "insert into tenant_email_settings (tenant_id, failover_from) values ($1, $2)",
        line.tenant,
        "keep" if keeps else "rewrite",
    )
    wire.at(Step.GREETING, Answer("421 4.3.2 shutting down"))
    domains = {"RESEND_VERIFIED_DOMAINS": "", "RESEND_DEFAULT_DOMAIN": "mail.platform.example"}

    async with line.worker(**both(resend, **domains, OUTBOUND_RETRY_BASE_SECONDS="60")):
        await line.publish(line.ticket())
        if keeps:
            await waiting_for(line, "retry")
        else:
            await line.settled(1)

    froms = [one["mail_from"] for one in await line.sql("select mail_from from delivery_attempts order by n")]
    assert froms[0].endswith("@outbound.example")
    if keeps:
        assert (len(froms), resend.requests) == (1, [])
    else:
        assert froms[1].endswith("@mail.platform.example")
        assert resend.accepted[0].mail["from"].endswith("@mail.platform.example>")


async def test_a_used_up_quota_sends_through_the_fallback_until_the_operator_ends_it(
    line: Line, wire: SmtpWire, resend: ResendWire
) -> None:
    resend.team(API_KEY).daily_quota = 2
    environment = both(resend, EMAIL_PROVIDER="resend", EMAIL_FALLBACK_PROVIDER="smtp")

    async with line.worker(**environment):
        await line.publish(*(line.ticket(f"T-{number}") for number in range(5)))
        await line.settled(5)
        [rest] = await eventually(lambda: line.sql("select * from provider_settings where paused_until is not null"))
        before = len(resend.requests)
        await line.publish(line.ticket("T-5"))
        await line.settled(6)
        during = len(resend.requests)
        resend.team(API_KEY).daily_quota = None
        async with operator(line) as connection:
            assert await resume(connection, "resend", "cli:olga")
        await eventually(lambda: _goes_to_resend(line, resend, during))

    errors = await line.sql("select error from delivery_attempts where outcome <> 'accepted'")
    assert {row["error"] for row in errors} == {"quota"}
    assert (rest["provider"], rest["pause_reason"]) == ("resend", "quota")
    assert (rest["paused_until"].hour, rest["paused_until"].minute) == (0, 0)
    assert before == during
    assert len(wire.accepted) >= 4
    rows = await line.notifications()
    assert {row["status"] for row in rows} == {"accepted"}
    assert len(rows) == len(wire.accepted) + len(resend.accepted)


async def _goes_to_resend(line: Line, resend: ResendWire, before: int) -> bool:
    """Publish one more mail and tell whether it went to Resend."""
    count = len(await line.notifications())
    await line.publish(line.ticket(f"T-{count}"))
    await line.settled(count + 1)
    return len(resend.requests) > before
