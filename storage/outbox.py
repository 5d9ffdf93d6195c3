"""The outbox: delivery events written with the change they tell of, moved to the bus by one elected relay."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from storage.columns import columns
from storage.roles import Role
from storage.session import Connection, Database

_LEADER = 0x72656C6179

# A row that the relay before us deleted while we took over from it is passed over: DELETE looks again at what it waits
# for (READ COMMITTED).
_MOVE = """
with lead as materialized (select pg_try_advisory_xact_lock($1) as is_mine),
moved as (delete from outbox where id in (select id from outbox where (select is_mine from lead) order by id limit $2)
  returning id, stream, body)
select l.is_mine, m.id is not null as is_row, m.stream, m.body from lead l left join moved m on true order by m.id"""

_INSERT = "insert into outbox (tenant_id, body) select * from unnest($1::uuid[], $2::jsonb[])"

Publish = Callable[[Sequence[tuple[str, str]]], Awaitable[None]]
"""Puts (stream, CloudEvents JSON) on the bus, in order; raises when that is not certain."""


async def insert_outbox(connection: Connection, rows: Sequence[tuple[UUID | None, str]]) -> None:
    """Write delivery events, each a tenant and its JSON, in the transaction of the change they tell of."""
    if rows:
        await connection.execute(_INSERT, *columns(rows, 2))


class Outbox:
    """Moves rows at least once: deleted only when what was published is committed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def move(self, publish: Publish, limit: int) -> int | None:
        """Publish and delete up to `limit` rows, and return how many; None when another process is the relay now."""
        async with self._database.everyone(Role.DISPATCHER) as connection:
            found = await connection.fetch(_MOVE, _LEADER, limit)
            if not found[0]["is_mine"]:
                return None
            rows = [(row["stream"], row["body"]) for row in found if row["is_row"]]
            if rows:
                await publish(rows)
        return len(rows)

    async def ensure_partitions(self) -> int:
        """Make the partitions of the coming week and months, and return how many were missing."""
        async with self._database.everyone(Role.DISPATCHER) as connection:
            return int(await connection.fetchval("select ensure_partitions()"))

    async def apply_retention(self) -> int:
        """Drop what is older than it is kept, and return how many partitions that were."""
        async with self._database.everyone(Role.DISPATCHER) as connection:
            dropped = int(await connection.fetchval("select apply_retention()"))
            await connection.execute("select forget_files(), forget_digests()")
            return dropped
