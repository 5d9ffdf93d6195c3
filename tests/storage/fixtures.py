"""Fixtures: the database as each role sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest

from storage.address_vault import AddressVault
from storage.ledger import PostgresLedger
from storage.roles import Role
from storage.session import Database, open_database
from storage.settings_cache import SettingsCache
from storage.workers import Worker, Workers
from tests.conftest import Postgres
from tests.storage.rows import Superuser

VAULT = AddressVault([b"secret"])


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    """A pool for each role that a process uses."""
    sizes = {Role.WORKER: 4, Role.DISPATCHER: 4, Role.API: 1, Role.PLATFORM: 1}
    async with open_database(database, sizes) as db:
        yield db


@pytest.fixture
async def superuser(postgres: Postgres, database: str) -> AsyncIterator[Superuser]:
    """Somebody whom row-level security does not bind, to plant rows and to look at what is really there."""
    name = database.rpartition("/")[2]
    url = f"{postgres.admin_url.rpartition('/')[0]}/{name}"
    connection: asyncpg.Connection = await asyncpg.connect(url, server_settings={"search_path": "outbound"})
    try:
        yield Superuser(connection)
    finally:
        await connection.close()


@pytest.fixture
async def tenant(superuser: Superuser) -> UUID:
    return await superuser.add_tenant(uuid4())


@pytest.fixture
async def workers(db: Database) -> Workers:
    return Workers(db)


@pytest.fixture
async def worker(workers: Workers) -> Worker:
    """An epoch that is alive."""
    return await workers.register("worker-1", host="host", pid=1, redis_run_id="run-1")


@pytest.fixture
async def ledger(db: Database) -> PostgresLedger:
    return PostgresLedger(db, SettingsCache(db), VAULT)
