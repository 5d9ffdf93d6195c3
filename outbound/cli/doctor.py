"""`outbound doctor`: check everything that is reachable, and say what to do."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from dataclasses import asdict
from typing import Annotated

import typer

from outbound.cli.answer import FAILED, put_json, put_table, say
from outbound.cli.reach import hint
from outbound.doctor.bus import check_redis
from outbound.doctor.check import Check, State, failure, good
from outbound.doctor.email import check_email
from outbound.doctor.postgres import check_postgres
from outbound.doctor.tracing import check_tracing
from outbound.settings import UNSET, Settings, SettingsError, load
from storage.schema_version import head_revision


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False) -> None:
    """Check the configuration, Postgres, Redis, the providers and tracing, changing nothing and sending nothing.

    One row for each check: ok, warn or fail, and what to do. Ends with 1 if one of them fails. Shows no secret.
    """
    checks = asyncio.run(_check_all())
    states = Counter(check.state for check in checks)
    if as_json:
        put_json({"ok": not states[State.FAIL], "checks": [asdict(check) for check in checks]})
    else:
        put_table(
            ("check", "state", "found", "what to do"),
            ((check.name, check.state, check.found, check.advice) for check in checks),
        )
        say(", ".join(f"{states[state]} {state}" for state in State))
    if states[State.FAIL]:
        raise typer.Exit(FAILED)


async def _check_all() -> list[Check]:
    try:
        settings = load()
    except SettingsError as error:
        # Without settings there is nothing to reach.
        return [failure("settings", str(error), "correct the variable")]
    postgres, redis, email, tracing = await asyncio.gather(
        _postgres(settings), _redis(settings), check_email(settings), check_tracing(os.environ)
    )
    return [good("settings", "can be read"), *postgres, *redis, *email, tracing]


async def _postgres(settings: Settings) -> list[Check]:
    if settings.database_url == UNSET:
        return [
            failure("postgres", "DATABASE_URL is not set", f"set it to postgresql://…{hint('DATABASE_URL', UNSET)}")
        ]
    return await check_postgres(settings.database_url.get_secret_value(), head_revision())


async def _redis(settings: Settings) -> list[Check]:
    if settings.redis_url == UNSET:
        return [failure("redis", "REDIS_URL is not set", f"set it to redis://…{hint('REDIS_URL', UNSET)}")]
    return await check_redis(settings)
