"""The fixtures of chaos: a far end in a process of its own, and workers that are processes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.chaos.harness import Field
from tests.line.harness import SECRET
from tests.wires.sink import SinkProcess


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[SinkProcess]:
    """An SMTP far end that answers each final dot after 4 ms, so that there are always mails in flight."""
    with SinkProcess(tmp_path, reply_delay=timedelta(milliseconds=4)) as sink:
        yield sink


def environment(database: str, redis_url: str, smtp_port: int) -> dict[str, str]:
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
        "OUTBOUND_RATE_PER_MINUTE": "10000000",
        "OUTBOUND_RETRY_BASE_SECONDS": "0.5",
        "OUTBOUND_UNCERTAIN_DELAY_SECONDS": "2",
        "OUTBOUND_CONNECTIONS": "8",
    }


@pytest.fixture
def ground(database: str, redis_url: str, sink: SinkProcess, tmp_path: Path) -> Iterator[Field]:
    """A field on the servers that all tests share."""
    ground = Field(
        database=database,
        redis_url=redis_url,
        environment=environment(database, redis_url, sink.port),
        folder=tmp_path,
    )
    try:
        yield ground
    finally:
        ground.end_everything()
