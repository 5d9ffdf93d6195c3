"""The schema on the oldest Postgres we support, where the machine has one."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from outbound.dev.servers import start_postgres
from storage.migrate import pending, upgrade

POSTGRES_15 = Path("/usr/lib/postgresql/15/bin")


@pytest.mark.skipif(not (POSTGRES_15 / "postgres").exists(), reason="Debian's postgresql-15 is not installed")
async def test_the_schema_is_made_on_postgres_15(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTBOUND_PG_BIN", str(POSTGRES_15))
    with TemporaryDirectory(prefix="outbound-pg15-") as folder:
        Path(folder).chmod(0o755)
        with start_postgres(Path(folder) / "data", durable=False) as server:
            assert await pending(server.url)

            await upgrade(server.url)
            await upgrade(server.url)

            assert not await pending(server.url)
            connection = await asyncpg.connect(server.url)
            try:
                await connection.execute("set role outbound_worker")
                assert await connection.fetchval("select count(*) from outbound.notification_logs") == 0
            finally:
                await connection.close()
