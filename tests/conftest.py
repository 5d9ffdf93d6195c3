"""What every test can ask for: a fresh database and an empty Redis, of servers started once a run."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import redis

from outbound.dev.servers import ensure_login, start_postgres, start_valkey

pytest.register_assert_rewrite("tests.chaos.harness", "tests.line.harness")

_REDIS_DATABASES = 16
_FAST_BYTES = 2 * 1024**3
_numbers = count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A server for tests: the superuser's address, and the product's login without a database name at its end."""

    admin_url: str
    login_url: str

    def database(self, name: str) -> str:
        return f"{self.login_url.rpartition('/')[0]}/{name}"


@pytest.fixture(scope="session")
def _servers_folder() -> Iterator[Path]:
    # Not pytest's own folder: it is closed to the user that root becomes for Postgres.
    with TemporaryDirectory(prefix="outbound-tests-", dir=_fast_folder(), ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """A Postgres for the whole run: OUTBOUND_TEST_DATABASE_ADMIN_URL, or an embedded one."""
    given = os.environ.get("OUTBOUND_TEST_DATABASE_ADMIN_URL")
    with ExitStack() as stack:
        if given:
            yield Postgres(admin_url=given, login_url=_run(ensure_login(given, uuid4().hex)))
            return
        folder = request.getfixturevalue("_servers_folder") / "postgres"
        server = stack.enter_context(start_postgres(folder, durable=False))
        yield Postgres(admin_url=server.admin_url, login_url=server.url)


@pytest.fixture(scope="session")
def database_template(postgres: Postgres) -> Iterator[str]:
    """The name of a database in which our migrations have run once."""
    from storage.migrate import upgrade  # noqa: PLC0415 - only the tests that need a database need Alembic

    name = f"template_{uuid4().hex[:12]}"
    _run(_execute(postgres.admin_url, f"create database {name} owner outbound"))
    _run(upgrade(postgres.database(name)))
    yield name
    _run(_execute(postgres.admin_url, f"drop database {name} with (force)"))


@pytest.fixture
async def empty_database(postgres: Postgres) -> AsyncIterator[str]:
    """The address of a database with nothing in it, as the product's login."""
    async for url in _fresh(postgres, "template1"):
        yield url


@pytest.fixture
async def database(postgres: Postgres, database_template: str) -> AsyncIterator[str]:
    """The address of a fresh, migrated database, as the product's login: no superuser, bound by row-level security."""
    async for url in _fresh(postgres, database_template):
        yield url


@pytest.fixture(scope="session")
def _redis_server(request: pytest.FixtureRequest) -> Iterator[str]:
    given = os.environ.get("OUTBOUND_TEST_REDIS_URL")
    if given:
        yield given
        return
    folder = request.getfixturevalue("_servers_folder") / "valkey"
    with start_valkey(folder, durable=False) as server:
        yield server.url


@pytest.fixture
def redis_url(_redis_server: str) -> str:
    """The address of an empty logical database; the sixteen there are take turns."""
    url = f"{_redis_server.rpartition('/')[0]}/{next(_numbers) % _REDIS_DATABASES}"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


def _fast_folder() -> Path | None:
    """Memory where there is some: a database a test is 20 ms there, and up to a second on a slow disk."""
    memory = Path("/dev/shm")
    is_roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _FAST_BYTES
    return memory if is_roomy else None


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end in a thread of its own: asyncio.run here would take pytest-asyncio's loop away unclosed."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()


async def _fresh(postgres: Postgres, template: str) -> AsyncIterator[str]:
    name = f"test_{uuid4().hex[:12]}"
    await _execute(postgres.admin_url, f"create database {name} template {template} owner outbound")
    yield postgres.database(name)
    await _execute(postgres.admin_url, f"drop database {name} with (force)")


async def _execute(url: str, statement: str) -> None:
    connection: Any = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
