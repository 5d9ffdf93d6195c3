"""Resend on the line, failover between providers, and providers that hang."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.line.harness import Line
from tests.wires.resend import Drop, Refuse, ResendWire, resend_wire
from tests.wires.smtp import Answer, Hang, SmtpWire, Step


@pytest.fixture
async def resend() -> AsyncIterator[ResendWire]:
    async with resend_wire() as wire:
        yield wire


def resend_environment(resend: ResendWire, **more: str) -> dict[str, str]:
    return {
        "EMAIL_PROVIDER": "resend",
        "RESEND_API_KEY": "re_test_key",
        "RESEND_API_URL": resend.base_url,
        "RESEND_VERIFIED_DOMAINS": "outbound.example",
        "OUTBOUND_RETRY_BASE_SECONDS": "0.3",
    } | more


async def test_resend_takes_a_mail_under_the_notification_s_key(line: Line, resend: ResendWire) -> None:
    async with line.worker(**resend_environment(resend)):
        await line.publish(line.ticket())
        [row] = await line.settled(1)
        [delivery] = await line.deliveries(1)

    [received] = resend.accepted
    assert received.idempotency_key == str(row["id"])
    assert received.mail["to"] == ["alice@example.com"]
    assert delivery["data"]["provider"] == "resend"
    assert delivery["data"]["provider_message_id"]
    assert resend.violations == []


async def test_a_lost_reply_of_resend_is_repeated_and_arrives_once(line: Line, resend: ResendWire) -> None:
    resend.once(Drop(accepted=True))

    async with line.worker(**resend_environment(resend)):
        await line.publish(line.ticket())
        [row] = await line.settled(1)

    assert row["status"] == "accepted"
    assert len(resend.requests) == 2
    assert len({request.body for request in resend.requests}) == 1
    assert len(resend.accepted) == 1


async def test_a_refused_credential_fails_over_as_a_committed_change(
    line: Line, resend: ResendWire, wire: SmtpWire
) -> None:
    resend.always(Refuse(401, "restricted_api_key"))

    async with line.worker(**resend_environment(resend, EMAIL_FALLBACK_PROVIDER="smtp")):
        await line.publish(line.ticket())
        [row] = await line.settled(1)

    attempts = await line.sql("select n, provider, outcome from delivery_attempts order by n")
    assert [tuple(attempt) for attempt in attempts] == [(1, "resend", "misconfigured"), (2, "smtp", "accepted")]
    assert row["status"] == "accepted"
    assert len(wire.accepted) == 1


async def test_a_permanent_refusal_is_not_tried_elsewhere(line: Line, resend: ResendWire, wire: SmtpWire) -> None:
    resend.always(Refuse(422, "validation_error"))

    async with line.worker(**resend_environment(resend, EMAIL_FALLBACK_PROVIDER="smtp")):
        await line.publish(line.ticket())
        [row] = await line.settled(1)

    assert (row["status"], row["reason"]) == ("failed", "permanent")
    assert wire.accepted == []


async def test_once_failed_over_a_mail_never_goes_back(line: Line, resend: ResendWire, wire: SmtpWire) -> None:
    resend.always(Refuse(401, "restricted_api_key"))
    wire.once(Step.MAIL, Answer("421 4.3.2 shutting down"))
    wire.once(Step.MAIL, Answer("421 4.3.2 shutting down"))

    async with line.worker(**resend_environment(resend, EMAIL_FALLBACK_PROVIDER="smtp")):
        await line.publish(line.ticket())
        [row] = await line.settled(1)

    attempts = await line.sql("select provider from delivery_attempts order by n")
    assert [attempt["provider"] for attempt in attempts] == ["resend", *["smtp"] * (len(attempts) - 1)]
    assert row["status"] == "accepted"


async def test_a_tenant_s_own_subdomain_that_is_not_verified_sends_from_the_default_domain(
    line: Line, resend: ResendWire
) -> None:
    environment = resend_environment(
        resend, RESEND_VERIFIED_DOMAINS="elsewhere.example", RESEND_DEFAULT_DOMAIN="mail.outbound.example"
    )

    async with line.worker(**environment):
        await line.publish(line.ticket())
        await line.settled(1)

    [received] = resend.accepted
    assert received.mail["from"].endswith("@mail.outbound.example>")


@pytest.mark.parametrize(("step", "status"), [(Step.RCPT, "queued"), (Step.DOT, "uncertain")])
async def test_a_provider_that_hangs_costs_one_attempt(line: Line, wire: SmtpWire, step: Step, status: str) -> None:
    wire.once(step, Hang())

    async with line.worker(
        OUTBOUND_ATTEMPT_TIMEOUT_SECONDS="0.5",
        OUTBOUND_RETRY_BASE_SECONDS="0.2",
        OUTBOUND_UNCERTAIN_DELAY_SECONDS="0.2",
    ):
        await line.publish(line.ticket())
        [row] = await line.settled(1)

    assert [change["status"] for change in row["trail"]] == ["sending", status, "sending", "accepted"]
