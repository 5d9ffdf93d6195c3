"""The send queue as the dispatcher sees it: ids, due times and owners of every tenant, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from notifications.content import FORMAT
from notifications.ports import FencedError
from notifications.status import Reason
from notifications.transition import Fence, Taken
from storage.columns import columns
from storage.roles import Role
from storage.session import Connection, Database

URGENT = 0
NORMAL = 1

_NIL = UUID(int=0)

_ME = "select from workers where id = $1 for key share"

_DUE_TENANTS = "select due_tenants($1::smallint, $2, $3, $4)"

_TAKE = """
with picked as (
  select q.notification_id from unnest($1::uuid[]) t (tenant_id)
  cross join lateral (
    select s.notification_id from send_queue s
    where s.tenant_id = t.tenant_id and s.lane = $2 and s.owner is null and s.due_at <= $3 and s.format <= $4
    order by s.due_at limit $5 for update skip locked) q)
update send_queue s set owner = $6, attempt = s.attempt + 1 from picked p where s.notification_id = p.notification_id
returning s.notification_id, s.tenant_id, s.lane, s.due_at, s.attempt, s.reason, s.provider, s.mail_from,
  s.opened_at, s.pinned"""

_GIVE_BACK = """
update send_queue q set owner = null, due_at = $4, reason = coalesce(q.reason, 'handed_back')
from unnest($1::uuid[], $2::bigint[], $3::integer[]) k (id, owner, attempt)
where (q.notification_id, q.owner, q.attempt) = (k.id, k.owner, k.attempt)"""

# What waits for a provider, and not only for a moment: a switch or a resumed account may let it go now. Over a while,
# so that it is not all due at once.
_WAKE = """
update send_queue set due_at = $1::timestamptz + random() * interval '15 seconds'
where owner is null and not pinned and reason in ('breaker', 'throttled')
  and due_at > $1::timestamptz + interval '15 seconds'"""

_FORGET = "delete from send_queue where notification_id = any($1::uuid[])"

_DEPTH = """
select count(*) filter (where owner is null) as waiting, count(*) filter (where owner is not null) as sending,
  extract(epoch from $1 - min(due_at) filter (where owner is null and due_at <= $1))::float8 as oldest_due_seconds
from send_queue"""


class SendQueue:
    """Takes what is due: urgent rows first, then an equal share for every tenant that has something due."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cursor = {URGENT: _NIL, NORMAL: _NIL}

    async def take(self, owner: int, room: int, now: datetime) -> Sequence[Taken]:
        """Make at most `room` due rows mine, each with its attempt counted up, in order of their due time.

        Raises:
            FencedError: when the owner has been declared dead.
        """
        taken: list[Taken] = []
        async with self._database.everyone(Role.DISPATCHER) as connection:
            if await connection.fetchrow(_ME, owner) is None:
                raise FencedError("this worker's epoch was adopted by another")
            for lane in (URGENT, NORMAL):
                taken += await self._take_lane(connection, lane, owner, room - len(taken), now)
        return taken

    async def _take_lane(self, connection: Connection, lane: int, owner: int, room: int, now: datetime) -> list[Taken]:
        """Share the room out, and what some tenants leave of their share again, until it or the lane is used up."""
        rows: list[Any] = []
        while len(rows) < room:
            tenants = await self._next_tenants(connection, lane, room - len(rows), now)
            if not tenants:
                break
            share = (room - len(rows)) // len(tenants)
            more = await connection.fetch(_TAKE, tenants, lane, now, FORMAT, share, owner)
            if not more:
                break
            rows += more
        return [_taken(row, owner) for row in sorted(rows, key=lambda row: (row["due_at"], row["notification_id"]))]

    async def _next_tenants(self, connection: Connection, lane: int, room: int, now: datetime) -> list[UUID]:
        """Go round: the tenants behind the cursor, and from the start once the end is reached."""
        found = [row[0] for row in await connection.fetch(_DUE_TENANTS, lane, self._cursor[lane], now, room)]
        if len(found) < room and self._cursor[lane] != _NIL:
            again = await connection.fetch(_DUE_TENANTS, lane, _NIL, now, room - len(found))
            found = list(dict.fromkeys([*found, *(row[0] for row in again)]))
        self._cursor[lane] = found[-1] if found else _NIL
        return found

    async def give_back(self, taken: Sequence[Taken], due_at: datetime) -> None:
        """Return rows that could not be opened to the queue; what has moved on meanwhile stays as it is."""
        rows = sorted((row.id, row.fence.owner, row.fence.attempt) for row in taken)
        async with self._database.everyone(Role.DISPATCHER) as connection:
            await connection.execute(_GIVE_BACK, *columns(rows, 3), due_at)

    async def forget(self, taken: Sequence[Taken]) -> None:
        """Delete rows whose notification is gone: nothing is left to send or to tell of."""
        async with self._database.everyone(Role.DISPATCHER) as connection:
            await connection.execute(_FORGET, [row.id for row in taken])

    async def wake(self, now: datetime) -> None:
        """Let what waits for a provider be due within seconds: who may carry it has changed."""
        async with self._database.everyone(Role.DISPATCHER) as connection:
            await connection.execute(_WAKE, now)

    async def depth(self, now: datetime) -> tuple[int, int, float]:
        """Return how many rows wait, how many are being sent, and the age in seconds of the oldest that is due."""
        async with self._database.everyone(Role.DISPATCHER) as connection:
            row = await connection.fetchrow(_DEPTH, now)
        return row["waiting"], row["sending"], row["oldest_due_seconds"] or 0.0


def _taken(row: Any, owner: int) -> Taken:
    return Taken(
        id=row["notification_id"],
        tenant_id=row["tenant_id"],
        lane=row["lane"],
        fence=Fence(owner=owner, attempt=row["attempt"]),
        reason=Reason(row["reason"]) if row["reason"] else None,
        provider=row["provider"],
        mail_from=row["mail_from"],
        opened_at=row["opened_at"],
        is_pinned=row["pinned"],
    )
