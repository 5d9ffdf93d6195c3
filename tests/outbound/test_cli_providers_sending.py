"""`outbound providers test` and `drill`: one real mail, and the provider's real answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from typing import Any

import pytest

from tests.outbound.command import Cli, Sql
from tests.wires.resend import Refuse, ResendWire, resend_wire
from tests.wires.smtp import Answer, SmtpWire, Step, smtp_wire

SINK = "sink@drill.example"


@pytest.fixture
def sql(database: str) -> Sql:
    return Sql(database)


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpWire]:
    async with smtp_wire() as wire:
        yield wire


@pytest.fixture
async def resend() -> AsyncIterator[ResendWire]:
    async with resend_wire() as wire:
        yield wire


@pytest.fixture
def cli(database: str, smtp: SmtpWire, resend: ResendWire) -> Cli:
    return Cli(
        {
            "DATABASE_URL": database,
            "EMAIL_PROVIDER": "smtp",
            "EMAIL_FALLBACK_PROVIDER": "resend",
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(smtp.port),
            "EMAIL_TLS": "none",
            "EMAIL_FROM": "Acme <noreply@acme.example>",
            "EMAIL_TENANT_SUBDOMAIN_PATTERN": "{tenant}.acme.example",
            "RESEND_API_KEY": "re_test",
            "RESEND_API_URL": resend.base_url,
            "RESEND_VERIFIED_DOMAINS": "acme.example",
            "OUTBOUND_DRILL_ADDRESS": SINK,
        }
    )


async def audited(sql: Sql) -> list[tuple[str, Any]]:
    rows = await asyncio.to_thread(sql, "select action, detail from audit_log where actor like 'cli:%' order by id")
    return [(row["action"], json.loads(row["detail"])) for row in rows]


async def drilled(sql: Sql) -> list[tuple[str, bool, str | None]]:
    rows = await asyncio.to_thread(sql, "select provider, drilled_at is not null, drill_outcome from provider_settings")
    return [tuple(row) for row in rows]


async def test_a_test_sends_one_mail_and_shows_the_answer(cli: Cli, sql: Sql, smtp: SmtpWire) -> None:
    answer = await asyncio.to_thread(cli.json, "providers", "test", "me@b.example", "--via", "smtp")

    [mail] = smtp.accepted
    parsed = message_from_bytes(mail.content, policy=policy.default)
    assert (mail.mail_from, mail.rcpt_to) == ("noreply@acme.example", "me@b.example")
    assert (parsed["subject"], parsed["from"]) == ("outbound test of smtp", "outbound <noreply@acme.example>")
    assert answer["outcome"] == "accepted"
    assert (answer["reply"], answer["reply_code"]) == ("250 2.0.0 Ok: queued as 4711", 250)
    assert answer["provider_message_id"] == parsed["message-id"]
    [(action, detail)] = await audited(sql)
    assert action == "providers.tested"
    assert (detail["provider"], detail["to"], detail["outcome"]) == ("smtp", "me@b.example", "accepted")
    assert (await asyncio.to_thread(sql, "select count(*) from delivery_attempts"))[0][0] == 0


async def test_a_test_that_is_refused_shows_what_the_relay_said_and_fails(cli: Cli, sql: Sql, smtp: SmtpWire) -> None:
    smtp.at(Step.RCPT, Answer("550-5.1.1 nobody of that name\r\n550 5.1.1 <me@b.example>: unknown"))

    result = await asyncio.to_thread(cli, "providers", "test", "me@b.example", "--via", "smtp")

    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert "reply                 550 5.1.1 nobody of that name" in lines
    assert "reply                 5.1.1 <me@b.example>: unknown" in lines
    assert "enhanced status code  5.1.1" in lines
    assert "outcome               permanent" in lines
    assert result.stderr == "outbound: smtp did not accept it: permanent\n"
    assert [detail["outcome"] for _, detail in (await audited(sql))] == ["permanent"]


async def test_a_test_through_an_api_shows_its_error_by_name(cli: Cli, resend: ResendWire) -> None:
    resend.always(Refuse(403, "invalid_api_key"))

    result = await asyncio.to_thread(cli, "providers", "test", "me@b.example", "--via", "resend", "--json")

    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert (answer["outcome"], answer["reply_code"], answer["error"]) == ("misconfigured", 403, "invalid_api_key")


async def test_a_test_may_choose_its_sender(cli: Cli, smtp: SmtpWire) -> None:
    words = ("providers", "test", "me@b.example", "--via", "smtp", "--from", "new@other.example")
    answer = await asyncio.to_thread(cli.json, *words)

    assert answer["from"] == "new@other.example"
    assert [mail.mail_from for mail in smtp.accepted] == ["new@other.example"]


async def test_a_provider_without_a_sender_address_says_so(cli: Cli, resend: ResendWire) -> None:
    words = ("providers", "test", "me@b.example", "--via", "resend")
    result = await asyncio.to_thread(cli, *words, RESEND_VERIFIED_DOMAINS="other.example")
    by_pattern = await asyncio.to_thread(cli.json, *words, RESEND_VERIFIED_DOMAINS="outbound.acme.example")

    assert result.exit_code == 1
    assert "resend may send from none of the configured addresses" in result.stderr
    assert by_pattern["from"] == "noreply@outbound.acme.example"
    assert len(resend.accepted) == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("not an address", "--via", "smtp"), 2, "invalid address"),
        (("me@b.example",), 2, "--via"),
        (("me@b.example", "--via", "pigeon"), 1, "nothing was sent: pigeon is not configured here"),
        (("me@b.example", "--via", "smtp", "--from", "nobody"), 2, "invalid address"),
    ],
)
async def test_a_test_that_cannot_be_made_sends_nothing(
    cli: Cli, smtp: SmtpWire, words: tuple[str, ...], code: int, said: str
) -> None:
    result = await asyncio.to_thread(cli, "providers", "test", *words)

    assert (result.exit_code, smtp.connections) == (code, 0)
    assert said in result.stderr


async def test_a_drill_proves_the_fallback_in_use(cli: Cli, sql: Sql, smtp: SmtpWire, resend: ResendWire) -> None:
    answer = await asyncio.to_thread(cli.json, "providers", "drill")

    [mail] = resend.accepted
    assert mail.mail["to"] == [SINK]
    assert (answer["provider"], answer["outcome"]) == ("resend", "accepted")
    assert smtp.accepted == []
    assert (await drilled(sql)) == [("resend", True, "accepted")]
    [(action, detail)] = await audited(sql)
    assert (action, detail["provider"], detail["outcome"]) == ("providers.drilled", "resend", "accepted")


async def test_after_a_switch_the_drill_is_of_the_other_one(cli: Cli, sql: Sql, smtp: SmtpWire) -> None:
    await asyncio.to_thread(cli, "providers", "switch", "resend")

    answer = await asyncio.to_thread(cli.json, "providers", "drill")

    assert (answer["provider"], len(smtp.accepted)) == ("smtp", 1)


async def test_a_drill_that_fails_is_remembered_as_one(cli: Cli, sql: Sql, smtp: SmtpWire) -> None:
    smtp.at(Step.MAIL, Answer("454 4.7.0 not now"))

    result = await asyncio.to_thread(cli, "providers", "drill", "--via", "smtp")
    listed = await asyncio.to_thread(cli.json, "providers", "list", "--no-check")

    assert result.exit_code == 1
    [row] = [row for row in listed["providers"] if row["name"] == "smtp"]
    assert row["drill"]["outcome"] == (await drilled(sql))[0][2] != "accepted"
    assert [action for action, _ in await audited(sql)] == ["providers.drilled"]


async def test_a_drill_without_an_address_or_a_fallback_is_refused_with_one_line(
    cli: Cli, sql: Sql, resend: ResendWire
) -> None:
    homeless = await asyncio.to_thread(cli, "providers", "drill", OUTBOUND_DRILL_ADDRESS="")
    wrong = await asyncio.to_thread(cli, "providers", "drill", OUTBOUND_DRILL_ADDRESS="sink at drill")
    alone = await asyncio.to_thread(cli, "providers", "drill", EMAIL_FALLBACK_PROVIDER="")

    assert (homeless.exit_code, wrong.exit_code, alone.exit_code) == (2, 2, 1)
    assert homeless.stderr.startswith("outbound: OUTBOUND_DRILL_ADDRESS is not set")
    assert wrong.stderr == "outbound: OUTBOUND_DRILL_ADDRESS is not an address\n"
    assert alone.stderr == "outbound: nothing was sent: no fallback is in use; --via names a provider\n"
    assert (resend.accepted, (await drilled(sql))) == ([], [])
