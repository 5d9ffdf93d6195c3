"""Worker epochs: who is alive on the database's clock, and what the dead leave behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from notifications.adoption import Adopted, OwnedRow
from notifications.transition import Fence
from storage.columns import columns
from storage.roles import Role
from storage.session import Connection, Database

LIFE_SECONDS = 10
"""How long a heartbeat keeps an epoch alive."""

_REGISTER = """
insert into workers (name, host, pid, redis_run_id, alive_until)
values ($1, $2, $3, $4, now() + make_interval(secs => $5)) returning id"""

_BEAT = """
update workers set alive_until = now() + make_interval(secs => $2) where id = $1 and alive_until > now() returning id"""

# A newer epoch of this very process is one whose registration was answered to nobody: it owns nothing.
_IS_REPLACED = "select exists (select from workers where name = $1 and id > $2 and (host, pid) <> ($3, $4))"

_ALL = "select id, name, host, pid, redis_run_id, alive_until > now() as is_alive, alive_until from workers"

_LOCK = """
select id from workers
where id = $1 and (alive_until <= now() or name = $2) for update skip locked"""

_OWNED = """
select notification_id, tenant_id, attempt, provider, opened_at, pinned, reason, due_at from send_queue
where owner = $1 order by notification_id for update"""

_RELEASE = """
update send_queue q set owner = null, due_at = k.due_at, reason = k.reason, pinned = k.pinned
from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::boolean[]) k (id, due_at, reason, pinned)
where q.notification_id = k.id"""

_DEREGISTER = """
delete from workers where id = $1 and not exists (select from send_queue where owner = $1) returning id"""

_REMOVE = "delete from workers where id = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One epoch of one worker, as registered: `id` is the epoch, and rises with every registration of any name."""

    id: int
    name: str
    host: str
    pid: int
    redis_run_id: str
    is_alive: bool = True
    alive_until: datetime | None = None


class Beat(StrEnum):
    """What a heartbeat found."""

    ALIVE = "alive"
    """The life was extended."""
    DEAD = "dead"
    """The life had ended: a new epoch must begin."""
    REPLACED = "replaced"
    """Another process runs under this name: this one must stop."""


ReadMarks = Callable[[Worker], Awaitable[frozenset[tuple[UUID, int]] | None]]
"""Closes a dead epoch's flight hash and returns its marks (notification, attempt); None when they count as lost."""

Adopt = Callable[[Sequence[OwnedRow], frozenset[tuple[UUID, int]] | None], Sequence[Adopted]]


class Workers:
    """The `workers` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def lost_answers(self) -> int:
        """How many commits of this process ended without an answer."""
        return self._database.lost_answers

    async def register(self, name: str, *, host: str, pid: int, redis_run_id: str) -> Worker:
        """Begin a new epoch of a name."""
        async with self._database.everyone(Role.DISPATCHER) as connection:
            epoch = await connection.fetchval(_REGISTER, name, host, pid, redis_run_id, LIFE_SECONDS)
        return Worker(id=epoch, name=name, host=host, pid=pid, redis_run_id=redis_run_id)

    async def beat(self, worker: Worker) -> Beat:
        """Extend a life that has not ended, unless a newer epoch has taken the name."""
        async with self._database.tenants(Role.WORKER, ()) as connection:
            if await connection.fetchval(_IS_REPLACED, worker.name, worker.id, worker.host, worker.pid):
                return Beat.REPLACED
            return Beat.DEAD if await connection.fetchval(_BEAT, worker.id, LIFE_SECONDS) is None else Beat.ALIVE

    async def all(self) -> Sequence[Worker]:
        """Return every epoch that is registered, alive or not yet adopted."""
        async with self._database.everyone(Role.DISPATCHER) as connection:
            return [Worker(**dict(row)) for row in await connection.fetch(_ALL)]

    async def adopt(self, dead: Worker, by: str, read_marks: ReadMarks, decide: Adopt) -> int | None:
        """Free the rows of a dead epoch and forget it; None when it is alive after all, or another is at it.

        Repeatable: whatever happens in between, the marks stay until the rows are free.
        """
        async with self._database.everyone(Role.DISPATCHER) as connection:
            if await connection.fetchrow(_LOCK, dead.id, by) is None:
                return None
            marks = await read_marks(dead)
            rows = [_owned(row) for row in await connection.fetch(_OWNED, dead.id)]
            await _release(connection, decide(rows, marks))
            await connection.execute(_REMOVE, dead.id)
        return len(rows)

    async def deregister(self, worker: Worker) -> bool:
        """Forget an epoch, unless it still owns rows: those wait for somebody to adopt them."""
        async with self._database.everyone(Role.DISPATCHER) as connection:
            return await connection.fetchval(_DEREGISTER, worker.id) is not None


async def _release(connection: Connection, adopted: Sequence[Adopted]) -> None:
    if adopted:
        rows = [(row.id, row.due_at, row.reason, row.is_pinned) for row in adopted]
        await connection.execute(_RELEASE, *columns(rows, 4))


def _owned(row: Any) -> OwnedRow:
    return OwnedRow(
        id=row["notification_id"],
        fence=Fence(owner=0, attempt=row["attempt"]),
        provider=row["provider"],
        was_opened=row["opened_at"] is not None,
        is_pinned=row["pinned"],
        reason=row["reason"],
        due_at=row["due_at"],
    )
