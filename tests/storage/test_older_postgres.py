"""The schema on the oldest Postgres we support, where the machine has one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from outbound.dev.servers import start_postgres
from storage.migrate import upgrade
from storage.schema_version import pending

POSTGRES_15 = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture
def postgres_15(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if not (POSTGRES_15 / "postgres").exists():
        pytest.skip("Debian's postgresql-15 is not installed")
    monkeypatch.setenv("OUTBOUND_PG_BIN", str(POSTGRES_15))
    with TemporaryDirectory(prefix="outbound-pg15-") as folder:
        Path(folder).chmod(0o755)
        with start_postgres(Path(folder) / "data", durable=False) as server:
            yield server.url


async def test_the_schema_is_made_on_postgres_15(postgres_15: str) -> None:
    assert await pending(postgres_15)

    await upgrade(postgres_15)
    await upgrade(postgres_15)

    assert not await pending(postgres_15)
    connection = await asyncpg.connect(postgres_15)
    try:
        await connection.execute("set role outbound_worker")
        assert await connection.fetchval("select count(*) from outbound.notification_logs") == 0
    finally:
        await connection.close()
