"""A line with SMTP first and Resend behind it, and what became of its attempts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from storage.roles import Role
from storage.session import Connection, open_database
from tests.line.harness import Line, eventually
from tests.wires.resend import ResendWire, resend_wire

API_KEY = "re_test_key"


@pytest.fixture
async def resend() -> AsyncIterator[ResendWire]:
    async with resend_wire() as wire:
        yield wire


def both(resend: ResendWire, **more: str) -> dict[str, str]:
    return {
        "EMAIL_PROVIDER": "smtp",
        "EMAIL_FALLBACK_PROVIDER": "resend",
        "RESEND_API_KEY": API_KEY,
        "RESEND_API_URL": resend.base_url,
        "RESEND_VERIFIED_DOMAINS": "outbound.example",
        "RESEND_RATE_PER_SECOND": "1000",
        "OUTBOUND_RETRY_BASE_SECONDS": "0.3",
        "OUTBOUND_UNCERTAIN_DELAY_SECONDS": "0.3",
    } | more


@asynccontextmanager
async def operator(line: Line) -> AsyncIterator[Connection]:
    """Do something as the operator's commands do."""
    async with (
        open_database(line.database, {Role.PLATFORM: 1}) as database,
        database.everyone(Role.PLATFORM) as connection,
    ):
        yield connection


async def attempts(line: Line) -> list[tuple[int, str, str]]:
    """Return every attempt in its order: number, provider, outcome."""
    rows = await line.sql("select n, provider, outcome from delivery_attempts order by notification_id, n")
    return [tuple(row) for row in rows]


async def waiting_for(line: Line, reason: str, count: int = 1) -> list[dict[str, object]]:
    """Wait until so many notifications are queued for this reason."""

    async def look() -> list[dict[str, object]]:
        rows = [row for row in await line.notifications() if (row["status"], row["reason"]) == ("queued", reason)]
        return rows if len(rows) >= count else []

    return await eventually(look)
