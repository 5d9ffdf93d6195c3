"""A real worker process in its surroundings: a database, a Redis, an SMTP wire with a login, one tenant."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.line.harness import SECRET, Line
from tests.observability.process import Workers
from tests.wires.smtp import SmtpWire, smtp_wire


@pytest.fixture
async def wire() -> AsyncIterator[SmtpWire]:
    async with smtp_wire() as wire:
        yield wire


@pytest.fixture
async def line(database: str, redis_url: str, wire: SmtpWire) -> Line:
    line = Line(database=database, redis_url=redis_url, environment=environment(database, redis_url, wire.port))
    line.tenant = await line.add_tenant()
    return line


@pytest.fixture
def workers(line: Line, tmp_path: Path) -> Workers:
    return Workers(line.environment, tmp_path)


def environment(database: str, redis_url: str, smtp_port: int) -> dict[str, str]:
    """Return what a worker has to be told."""
    return {
        "DATABASE_URL": database,
        "REDIS_URL": redis_url,
        "OUTBOUND_SECRET_KEY": SECRET,
        "EMAIL_ENABLE": "true",
        "EMAIL_PROVIDER": "smtp",
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(smtp_port),
        "EMAIL_TLS": "none",
        "EMAIL_FROM": "noreply@outbound.example",
        "EMAIL_TENANT_FROM_PATTERN": "{tenant}@outbound.example",
        "OUTBOUND_CONNECTIONS": "4",
        "OUTBOUND_DRAIN_SECONDS": "5",
    }
