"""`outbound doctor`: a row for everything, advice for what is wrong, and never a secret."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg
import pytest
import redis

from tests.conftest import Postgres
from tests.outbound.command import SECRET, Cli
from tests.wires.smtp import smtp_wire

PASSWORD = "planted-password"


@pytest.fixture
def cli(database: str, redis_url: str) -> Cli:
    return Cli(
        {
            "DATABASE_URL": database,
            "REDIS_URL": redis_url,
            "OUTBOUND_SECRET_KEY": SECRET,
            "EMAIL_ENABLE": "true",
            "EMAIL_PROVIDER": "recording",
            "OUTBOUND_RECORDING": "true",
            "EMAIL_FROM": "noreply@outbound.example",
        }
    )


def checks(cli: Cli, **more: str) -> dict[str, tuple[str, str]]:
    """Run it and return state and text by name, whatever the exit code."""
    result = cli("doctor", "--json", **more)
    return {check["name"]: (check["state"], check["found"]) for check in _parsed(result.stdout)["checks"]}


def _parsed(text: str) -> Any:
    return json.loads(text)


def test_everything_in_order_has_no_failure(cli: Cli, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        for stream in ("outbound:events", "outbound:events:urgent"):
            client.xgroup_create(stream, "outbound", id="0", mkstream=True)

    result = cli("doctor", "--json")

    assert result.exit_code == 0, result.stdout
    answer = _parsed(result.stdout)
    assert answer["ok"] is True
    states = {check["name"]: check["state"] for check in answer["checks"]}
    # The embedded server of the tests keeps nothing on disk.
    assert states.pop("redis durability") == "warn"
    assert set(states.values()) == {"ok"}
    assert set(states) == {
        "settings",
        "postgres",
        "postgres login",
        "postgres roles",
        "postgres schema",
        "row-level security",
        "redis",
        "redis eviction",
        "stream outbound:events",
        "stream outbound:events:urgent",
        "EMAIL_ENABLE",
        "OUTBOUND_SECRET_KEY",
        "provider recording",
        "sender through recording",
        "tracing",
    }


def test_people_get_a_table_and_a_count(cli: Cli) -> None:
    result = cli("doctor")

    assert "row-level security" in result.stdout
    assert "start `outbound worker`, which makes it" in result.stdout
    assert result.stderr.endswith("warn, 0 fail\n")


def test_nothing_set_fails_with_what_to_set() -> None:
    result = Cli({"DATABASE_URL": "", "REDIS_URL": "", "OUTBOUND_SECRET_KEY": ""})("doctor", "--json")

    assert result.exit_code == 1
    found = {check["name"]: check for check in _parsed(result.stdout)["checks"]}
    assert found["postgres"]["found"] == "DATABASE_URL is not set"
    assert found["redis"]["found"] == "REDIS_URL is not set"
    assert found["OUTBOUND_SECRET_KEY"]["state"] == "fail"
    assert found["EMAIL_ENABLE"]["state"] == "warn"
    # Without email to send, a provider that cannot is no failure.
    assert found["provider smtp"]["state"] == "warn"


def test_a_setting_that_cannot_be_read_ends_it(cli: Cli) -> None:
    found = checks(cli, EMAIL_PORT="many")

    assert list(found) == ["settings"]
    assert found["settings"][0] == "fail"
    assert "EMAIL_PORT" in found["settings"][1]


def test_what_is_away_fails_without_its_password(cli: Cli) -> None:
    result = cli(
        "doctor",
        DATABASE_URL=f"postgresql://someone:{PASSWORD}@127.0.0.1:1/outbound",
        REDIS_URL=f"redis://:{PASSWORD}@127.0.0.1:1",
        EMAIL_PROVIDER="smtp",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT="1",
        EMAIL_TLS="none",
        EMAIL_USERNAME="someone",
        EMAIL_PASSWORD=PASSWORD,
        OUTBOUND_SECRET_KEY=PASSWORD,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://someone:{PASSWORD}@127.0.0.1:1",
    )

    assert result.exit_code == 1
    assert "nobody listens at 127.0.0.1, port 1" in result.stdout
    assert PASSWORD not in result.output


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", f"postgresql://someone:{PASSWORD}@127.0.0.1:{PASSWORD}/outbound"),
        ("DATABASE_URL", f"postgresql://someone@{PASSWORD}@[x/outbound"),
        ("REDIS_URL", f"redis://:{PASSWORD}@127.0.0.1:{PASSWORD}/0"),
        ("REDIS_URL", f"redis://127.0.0.1:1/0?socket_timeout={PASSWORD}"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{PASSWORD}/"),
        ("RESEND_API_URL", f"http://:{PASSWORD}@["),
        ("EMAIL_FROM", f"{PASSWORD}@@"),
    ],
)
def test_a_broken_address_is_not_repeated(cli: Cli, variable: str, value: str) -> None:
    result = cli("doctor", **{variable: value})

    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert PASSWORD not in result.output


def test_a_wrong_password_is_the_servers_own_word(cli: Cli, database: str) -> None:
    scheme, _, rest = database.partition("://")
    user, _, where = rest.rpartition("@")
    wrong = f"{scheme}://{user.partition(':')[0]}:{PASSWORD}@{where}"

    state, found = checks(cli, DATABASE_URL=wrong)["postgres"]

    assert (state, found) == ("fail", 'password authentication failed for user "outbound"')


def test_an_empty_database_is_to_be_migrated(cli: Cli, empty_database: str) -> None:
    assert checks(cli, DATABASE_URL=empty_database)["postgres schema"] == ("fail", "never migrated")


def test_a_superuser_is_warned_of(cli: Cli, postgres: Postgres, database: str) -> None:
    name = database.rpartition("/")[2]
    superuser = f"{postgres.admin_url.rpartition('/')[0]}/{name}"

    assert checks(cli, DATABASE_URL=superuser)["postgres login"][0] == "warn"


def test_a_table_whose_row_security_is_not_forced_is_named(cli: Cli, database: str) -> None:
    async def loosen() -> None:
        connection = await asyncpg.connect(database)
        try:
            await connection.execute("set role outbound_owner; alter table outbound.users no force row level security")
        finally:
            await connection.close()

    asyncio.run(loosen())

    assert checks(cli)["row-level security"] == ("fail", "not forced on users")


async def test_a_relay_that_lets_us_in_is_healthy(cli: Cli) -> None:
    async with smtp_wire() as wire:
        more = {
            "EMAIL_PROVIDER": "smtp",
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(wire.port),
            "EMAIL_TLS": "none",
            "EMAIL_TENANT_FROM_PATTERN": "{tenant}@mail.outbound.example",
            "OUTBOUND_SMTP_DOMAINS": "mail.outbound.example",
        }
        found = await asyncio.to_thread(checks, cli, **more)

    assert found["provider smtp"] == ("ok", "answers and lets us in")
    assert found["sender through smtp"] == (
        "ok",
        "a tenant named example sends from example@mail.outbound.example",
    )


def test_a_provider_that_may_not_use_any_address_fails(cli: Cli) -> None:
    more = {"RESEND_API_KEY": "re_planted", "RESEND_VERIFIED_DOMAINS": "other.example"}
    found = checks(cli, EMAIL_FALLBACK_PROVIDER="resend", RESEND_API_URL="http://127.0.0.1:1", **more)

    assert found["provider resend"][0] == "fail"
    assert found["sender through resend"] == ("fail", "resend may send from none of the configured addresses")


def test_a_short_key_is_warned_of(cli: Cli) -> None:
    assert checks(cli, OUTBOUND_SECRET_KEY="short")["OUTBOUND_SECRET_KEY"][0] == "warn"


def test_a_stream_of_another_kind_fails(cli: Cli, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set("outbound:events", "x")
        client.xadd("outbound:events:urgent", {"data": "{}"})

    found = checks(cli)

    assert found["stream outbound:events"][0] == "fail"
    assert found["stream outbound:events:urgent"] == ("warn", "has no group outbound yet")
