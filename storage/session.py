"""Connections: one pool per Postgres role, and transactions that name the tenants they may see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from notifications.ports import FencedError, UnavailableError
from storage.roles import Role

Connection = Any
"""An asyncpg connection; asyncpg ships no types."""

_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what a connection says that ended at the wrong moment
    asyncpg.exceptions.AdminShutdownError,
    asyncpg.exceptions.CrashShutdownError,
    asyncpg.exceptions.CannotConnectNowError,
    asyncpg.exceptions.TooManyConnectionsError,
    asyncpg.exceptions.ReadOnlySQLTransactionError,  # a standby, in the middle of a failover
    asyncpg.exceptions.DeadlockDetectedError,
    asyncpg.exceptions.SerializationError,
    asyncpg.exceptions.QueryCanceledError,
    asyncpg.exceptions.InsufficientResourcesError,
    OSError,
    TimeoutError,
)
"""What says "not now" rather than "never": the work is repeated as it is."""

_COMMAND_TIMEOUT_SECONDS = 30


class _PlainConnection(asyncpg.Connection):  # type: ignore[misc] # asyncpg ships no types
    """A connection that is not reset on release: every setting of ours is local to its transaction."""

    def get_reset_query(self) -> str:
        return ""


@dataclass(slots=True, kw_only=True)
class Database:
    """The pools of one process. A role that was not asked for has no pool."""

    pools: dict[Role, asyncpg.Pool]
    lost_answers: int = 0
    """How many commits ended without an answer: each of them may have happened."""

    @asynccontextmanager
    async def tenants(
        self, role: Role, tenant_ids: Collection[UUID], *, read_only: bool = False, owner: int | None = None
    ) -> AsyncGenerator[Connection, None]:
        """Open a transaction that sees the rows of exactly these tenants.

        With `owner`, the worker's own row is locked against adoption for the length of the transaction.

        Raises:
            FencedError: when `owner` has been declared dead.
            UnavailableError: when Postgres is away.
        """
        names = ",".join(sorted(str(tenant_id) for tenant_id in tenant_ids))
        begin = f"begin{' read only' if read_only else ''}; set local outbound.tenants = '{names}'"
        if owner is not None:
            begin += f"; select from workers where id = {owner:d} for key share"
        async with self._transaction(role, begin) as (connection, answer):
            if owner is not None and answer != "SELECT 1":
                raise FencedError("this worker's epoch was adopted by another")
            yield connection

    @asynccontextmanager
    async def everyone(self, role: Role) -> AsyncGenerator[Connection, None]:
        """Open a transaction of a role that works across tenants: the dispatcher or the operator."""
        async with self._transaction(role, "begin") as (connection, _):
            yield connection

    @asynccontextmanager
    async def _transaction(self, role: Role, begin: str) -> AsyncGenerator[tuple[Connection, str], None]:
        try:
            async with self._connection(role) as connection:
                # BEGIN and SET share a round trip; every value in the text is a UUID or an integer of ours.
                answer = await connection.execute(begin)
                try:
                    yield connection, answer
                    await self._commit(connection)
                except BaseException:
                    await _roll_back(connection)
                    raise
        except _AWAY as error:
            raise UnavailableError(f"Postgres: {type(error).__name__}") from error

    @asynccontextmanager
    async def _connection(self, role: Role) -> AsyncGenerator[Connection, None]:
        try:
            connection = await self.pools[role].acquire()
        except asyncpg.PostgresError as error:
            # Whatever a server says to somebody who connects (no such database, wrong password) may be mended there.
            raise UnavailableError(f"Postgres: {type(error).__name__}") from error
        try:
            yield connection
        finally:
            await self.pools[role].release(connection)

    async def _commit(self, connection: Connection) -> None:
        try:
            await connection.execute("commit")
        except _AWAY:
            self.lost_answers += 1
            raise

    async def is_up(self) -> bool:
        """Tell whether a trivial transaction works."""
        try:
            async with self._transaction(next(iter(self.pools)), "begin") as (connection, _):
                return await connection.fetchval("select true") is True
        except UnavailableError:
            return False


async def _roll_back(connection: Connection) -> None:
    try:
        async with asyncio.timeout(5):
            await connection.execute("rollback")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError):
        # The connection is broken: the server rolls back by itself, and the pool must not hand it out again.
        connection.terminate()


@asynccontextmanager
async def open_database(dsn: str, pool_sizes: dict[Role, int]) -> AsyncGenerator[Database, None]:
    """Open a pool for each role; connections are made when first needed.

    Raises:
        UnavailableError: when Postgres cannot be reached now.
    """
    async with AsyncExitStack() as stack:
        pools: dict[Role, asyncpg.Pool] = {}
        for role, size in pool_sizes.items():
            try:
                pools[role] = await asyncpg.create_pool(
                    dsn,
                    min_size=1,
                    max_size=size,
                    connection_class=_PlainConnection,
                    command_timeout=_COMMAND_TIMEOUT_SECONDS,
                    init=_decode_json,
                    server_settings={
                        "role": role.value,
                        "search_path": "outbound, pg_temp",
                        # Five custom plans per statement and connection cost 3 ms each on the decide query.
                        "plan_cache_mode": "force_generic_plan",
                        "application_name": f"outbound {role.value.removeprefix('outbound_')}",
                        # A frozen process holds its locks, among them those that keep its rows from being adopted. The
                        # longest of ours that waits for something else is two commands to Redis, 5 s each at most.
                        "idle_in_transaction_session_timeout": "15s",
                        "timezone": "UTC",
                        # Compiling costs more than any query of ours runs.
                        "jit": "off",
                        # All of ours are look-ups by key. A plan that was made while a table was empty would
                        # read it whole for as long as the connection keeps the plan.
                        "enable_seqscan": "off",
                    },
                )
            except _AWAY as error:
                raise UnavailableError(f"Postgres: {type(error).__name__}: {error}") from error
            except asyncpg.PostgresError as error:
                raise UnavailableError(f"Postgres: {error}; `outbound doctor` says what to do") from error
            stack.push_async_callback(_close, pools[role])
        yield Database(pools=pools)


async def _close(pool: asyncpg.Pool) -> None:
    try:
        async with asyncio.timeout(5):
            await pool.close()
    except TimeoutError:
        pool.terminate()


async def _decode_json(connection: Any) -> None:
    """Pass JSON through as text both ways: the hot path writes what it has already serialised."""
    await connection.set_type_codec("jsonb", encoder=str, decoder=str, schema="pg_catalog")
