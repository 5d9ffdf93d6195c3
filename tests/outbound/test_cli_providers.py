"""`outbound providers`: what is in use, how it goes, and switching it, audited."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.outbound.command import Cli, Sql
from tests.wires.resend import ResendWire, resend_wire
from tests.wires.smtp import Answer, SmtpWire, Step, smtp_wire

TENANT = uuid4()


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
            "RESEND_API_KEY": "re_test",
            "RESEND_API_URL": resend.base_url,
            "RESEND_VERIFIED_DOMAINS": "acme.example",
        }
    )


async def attempt(sql: Sql, provider: str, outcome: str, *, minutes_ago: float, error: str | None = None) -> None:
    """Put one attempt into the ledger, at a notification that came then."""
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    id_ = UUID(int=(int(at.timestamp() * 1000) << 80) | (uuid4().int & (1 << 80) - 1))
    await asyncio.to_thread(
        sql,
        "insert into delivery_attempts (notification_id, n, tenant_id, provider, outcome, error, worker, started_at,"
        " finished_at) values ($1, 1, $2, $3, $4, $5, 'w', $6, $6)",
        id_,
        TENANT,
        provider,
        outcome,
        error,
        at,
        role="outbound_worker",
        tenant=TENANT,
    )


async def audited(sql: Sql) -> list[tuple[str, Any]]:
    rows = await asyncio.to_thread(
        sql, "select action, detail from audit_log where actor like 'cli:%' and subject = 'providers' order by id"
    )
    return [(row["action"], json.loads(row["detail"])) for row in rows]


async def listed(cli: Cli, *options: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the whole answer, and its providers by name."""
    found = await asyncio.to_thread(cli.json, "providers", "list", *options)
    return found, {row["name"]: row for row in found["providers"]}


async def test_the_list_shows_what_is_in_use_what_answers_and_how_recent_attempts_went(
    cli: Cli, sql: Sql, smtp: SmtpWire
) -> None:
    for _ in range(3):
        await attempt(sql, "smtp", "accepted", minutes_ago=1)
    await attempt(sql, "smtp", "not_sent", minutes_ago=3, error="refused")
    await attempt(sql, "smtp", "temporary", minutes_ago=2, error="greylisted")
    await attempt(sql, "smtp", "accepted", minutes_ago=20)
    smtp.at(Step.NOOP, Answer("421 4.3.2 shutting down"))

    found, rows = await listed(cli)

    assert (found["primary"], found["fallback"], found["split"], found["switched"]) == ("smtp", "resend", {}, None)
    assert "recording" not in rows
    assert [(rows[name]["role"], rows[name]["is_healthy"]) for name in ("smtp", "resend")] == [
        ("primary", False),
        ("fallback", True),
    ]
    passive = rows["smtp"]["passive"]
    assert (passive["accepted"], passive["failed"], passive["success_rate"]) == (
        3,
        {"not_sent": 1, "temporary": 1},
        0.6,
    )
    assert (passive["last_error"]["outcome"], passive["last_error"]["error"]) == ("temporary", "greylisted")
    assert rows["resend"]["passive"] == {"accepted": 0, "failed": {}, "success_rate": None, "last_error": None}
    assert rows["smtp"]["capabilities"] == ["attachments", "inline_images"]
    assert "idempotency" in rows["resend"]["capabilities"]


async def test_a_list_without_check_asks_nobody(cli: Cli, smtp: SmtpWire) -> None:
    _, rows = await listed(cli, "--no-check")

    assert rows["smtp"]["is_healthy"] is None
    assert smtp.connections == 0


async def test_the_list_says_what_a_provider_lacks(cli: Cli) -> None:
    found = await asyncio.to_thread(cli.json, "providers", "list", EMAIL_HOST="", RESEND_API_URL="http://")
    rows = {row["name"]: row for row in found["providers"]}

    assert rows["smtp"]["problems"] == ["EMAIL_HOST is not set."]
    assert (rows["smtp"]["is_configured"], rows["smtp"]["is_healthy"]) == (False, None)
    assert rows["resend"]["problems"] == ["RESEND_API_URL must be an http or https URL."]


async def test_the_list_counts_tenants_with_a_provider_of_their_own_also_one_that_nobody_registered(
    cli: Cli, sql: Sql
) -> None:
    await asyncio.to_thread(
        sql,
        "insert into tenants (id, slug, name) values ($1, 'acme', 'Acme')",
        TENANT,
        role="outbound_api",
        tenant=TENANT,
    )
    await asyncio.to_thread(
        sql,
        "insert into tenant_email_settings (tenant_id, provider) values ($1, 'pigeon')",
        TENANT,
        role="outbound_api",
        tenant=TENANT,
    )

    _, rows = await listed(cli, "--no-check")
    table = (await asyncio.to_thread(cli, "providers", "list", "--no-check")).stdout

    assert rows["pigeon"]["tenants"] == 1
    assert "no provider is named 'pigeon'" in rows["pigeon"]["problems"][0]
    assert "1 tenant" in table


async def test_the_table_is_for_people(cli: Cli, sql: Sql) -> None:
    await attempt(sql, "smtp", "accepted", minutes_ago=1)
    await attempt(sql, "smtp", "permanent", minutes_ago=1, error="refused")
    await asyncio.to_thread(
        sql,
        "insert into provider_settings (provider, paused_until, pause_reason, drilled_at, drill_outcome)"
        " values ('resend', now() + interval '1 hour', 'quota', now(), 'accepted')",
    )

    shown = await asyncio.to_thread(cli, "providers", "list")

    assert shown.exit_code == 0
    assert "in use       primary smtp, fallback resend\n" in shown.stdout
    [smtp] = [line for line in shown.stdout.splitlines() if line.lstrip().startswith("smtp ")]
    [resend] = [line for line in shown.stdout.splitlines() if line.lstrip().startswith("resend ")]
    assert "1 accepted, 1 permanent (50.0%)" in smtp
    assert "permanent: refused at 20" in smtp
    assert "quota until 20" in resend
    assert "accepted at 20" in resend


async def test_a_switch_turns_the_pair_round_and_one_command_turns_it_back(cli: Cli, sql: Sql) -> None:
    switched = await asyncio.to_thread(cli, "providers", "switch", "resend")
    found, rows = await listed(cli, "--no-check")
    back = await asyncio.to_thread(cli, "providers", "reset")
    restored, _ = await listed(cli, "--no-check")

    assert switched.exit_code == 0, switched.output
    assert "in use: primary resend, fallback smtp; every worker follows within 2 s" in switched.stdout
    assert "back: outbound providers reset" in switched.stdout
    assert (found["primary"], found["fallback"]) == ("resend", "smtp")
    assert found["switched"]["by"].startswith("cli:")
    assert found["environment"] == {"primary": "smtp", "fallback": "resend", "split": {}}
    assert rows["resend"]["role"] == "primary"
    assert "in use: primary smtp, fallback resend" in back.stdout
    assert (restored["primary"], restored["switched"]) == ("smtp", None)
    environment = {"primary": "smtp", "fallback": "resend", "split": {}}
    stored = {"primary": "resend", "fallback": "smtp", "split": {}}
    assert (await audited(sql)) == [
        ("providers.switched", {**stored, "before": environment}),
        ("providers.switch_removed", {**environment, "before": stored}),
    ]


async def test_a_switch_after_a_switch_says_how_to_get_to_the_one_before(cli: Cli) -> None:
    await asyncio.to_thread(cli, "providers", "switch", "smtp", "--split", "resend=10", "--no-fallback")

    second = await asyncio.to_thread(cli, "providers", "switch", "resend")

    assert "in use: primary resend, fallback smtp;" in second.stdout
    assert "back: outbound providers switch smtp --no-fallback --split resend=10\n" in second.stdout


async def test_a_reset_of_nothing_says_so(cli: Cli, sql: Sql) -> None:
    done = await asyncio.to_thread(cli, "providers", "reset")

    assert (done.exit_code, done.stdout) == (0, "nothing was switched; in use: primary smtp, fallback resend\n")
    assert (await audited(sql)) == []


async def test_a_switch_to_a_provider_that_is_ill_is_refused_and_can_be_forced(
    cli: Cli, sql: Sql, resend: ResendWire
) -> None:
    resend.api_keys = {"re_other"}

    refused = await asyncio.to_thread(cli, "providers", "switch", "resend")
    forced = await asyncio.to_thread(cli, "providers", "switch", "resend", "--force")

    assert refused.exit_code == 1
    assert refused.stderr == (
        "outbound: not switched: resend does not answer, or does not let us in; --force switches all the same\n"
    )
    assert forced.exit_code == 0
    assert [action for action, _ in await audited(sql)] == ["providers.switched"]


async def test_a_switch_to_a_provider_that_is_not_configured_here_is_refused(cli: Cli) -> None:
    refused = await asyncio.to_thread(cli, "providers", "switch", "resend", RESEND_API_KEY="")

    assert refused.exit_code == 1
    assert "not switched: resend is not configured here: RESEND_API_KEY is not set; --force" in refused.stderr


async def test_that_the_provider_which_is_left_is_ill_hinders_nobody(cli: Cli, smtp: SmtpWire) -> None:
    smtp.at(Step.GREETING, Answer("421 4.3.2 down"))

    by_default = await asyncio.to_thread(cli, "providers", "switch", "resend")
    by_name = await asyncio.to_thread(cli, "providers", "switch", "resend", "--fallback", "smtp")

    assert by_default.exit_code == 0
    assert by_default.stderr == "note: smtp does not answer, or does not let us in\n"
    assert by_name.exit_code == 1


@pytest.mark.parametrize(
    "words",
    [
        ("pigeon",),
        ("smtp", "--fallback", "smtp"),
        ("smtp", "--fallback", "resend", "--no-fallback"),
        ("smtp", "--split", "resend"),
        ("smtp", "--split", "resend=101"),
        ("smtp", "--split", "smtp=10"),
    ],
)
async def test_a_choice_that_cannot_be_is_wrong_usage(cli: Cli, sql: Sql, words: tuple[str, ...]) -> None:
    result = await asyncio.to_thread(cli, "providers", "switch", *words)

    assert result.exit_code == 2
    assert (await audited(sql)) == []


async def test_a_rest_is_ended_once(cli: Cli, sql: Sql) -> None:
    await asyncio.to_thread(
        sql,
        "insert into provider_settings (provider, paused_until, pause_reason)"
        " values ('resend', now() + interval '1 hour', 'quota')",
    )

    first = await asyncio.to_thread(cli, "providers", "resume", "resend")
    second = await asyncio.to_thread(cli, "providers", "resume", "resend")

    assert (first.exit_code, second.exit_code) == (0, 1)
    assert second.stderr == "outbound: resend does not rest\n"
    assert (await audited(sql)) == [("providers.resumed", {"provider": "resend"})]
