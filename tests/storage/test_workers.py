"""Worker epochs: who is alive, who was replaced, and what the dead leave behind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from notifications.adoption import Adopted, OwnedRow
from notifications.ports import UnavailableError
from notifications.status import Reason
from storage.workers import Beat, Worker, Workers
from tests.notifications.builders import NOW, later
from tests.storage.rows import Superuser

Marks = frozenset[tuple[UUID, int]] | None


class Successor:
    """Reads the marks it is given and frees every row, taking note of what it saw."""

    def __init__(self, marks: Marks = None) -> None:
        self.marks = marks
        self.rows: list[OwnedRow] = []

    async def read_marks(self, _: Worker) -> Marks:
        return self.marks

    def decide(self, rows: Sequence[OwnedRow], marks: Marks) -> list[Adopted]:
        assert marks == self.marks
        self.rows = list(rows)
        return [Adopted(id=row.id, due_at=NOW, reason=Reason.IN_DOUBT, is_pinned=True) for row in rows]

    async def adopt(self, workers: Workers, dead: Worker, by: str = "worker-2") -> int | None:
        return await workers.adopt(dead, by, self.read_marks, self.decide)


async def ended(superuser: Superuser, worker: Worker) -> None:
    await superuser.sql("update workers set alive_until = now() - interval '1 second' where id = $1", worker.id)


async def test_a_heartbeat_extends_a_life(workers: Workers, superuser: Superuser, worker: Worker) -> None:
    await superuser.sql("update workers set alive_until = now() + interval '1 second'")

    beat = await workers.beat(worker)

    [row] = await superuser.sql("select alive_until - now() > interval '8 seconds' from workers")
    assert (beat, row[0]) == (Beat.ALIVE, True)
    [known] = await workers.all()
    assert (known.id, known.name, known.is_alive) == (worker.id, "worker-1", True)


async def test_a_life_that_ended_is_not_extended(workers: Workers, superuser: Superuser, worker: Worker) -> None:
    await ended(superuser, worker)

    assert await workers.beat(worker) is Beat.DEAD
    [known] = await workers.all()
    assert not known.is_alive


async def test_who_was_adopted_is_dead(workers: Workers, superuser: Superuser, worker: Worker) -> None:
    await ended(superuser, worker)
    await Successor().adopt(workers, worker)

    assert await workers.beat(worker) is Beat.DEAD


async def test_the_older_of_two_of_one_name_is_replaced(workers: Workers, worker: Worker) -> None:
    newer = await workers.register("worker-1", host="host", pid=2, redis_run_id="run-1")

    assert newer.id > worker.id
    assert await workers.beat(worker) is Beat.REPLACED
    assert await workers.beat(newer) is Beat.ALIVE


async def test_the_dead_one_s_rows_go_back_as_decided_and_it_is_forgotten(
    workers: Workers, superuser: Superuser, worker: Worker, tenant: UUID
) -> None:
    mine = await superuser.enqueue(
        tenant, 1, owner=worker.id, attempt=3, reason=None, provider="smtp", opened_at=later(hours=-1)
    )
    taken = await superuser.enqueue(tenant, 2, owner=worker.id, attempt=1, reason=Reason.RATE)
    await superuser.enqueue(tenant, 3, owner=worker.id + 1)
    await ended(superuser, worker)
    successor = Successor(frozenset({(mine, 3)}))

    assert await successor.adopt(workers, worker) == 2

    seen = {row.id: row for row in successor.rows}
    assert (seen[mine].fence.attempt, seen[mine].was_opened, seen[mine].reason) == (3, True, None)
    assert (seen[taken].was_opened, seen[taken].reason, seen[taken].provider) == (False, Reason.RATE, None)
    rows = await superuser.sql("select owner, reason, pinned, attempt from send_queue order by attempt desc")
    assert [tuple(row) for row in rows] == [
        (None, "in_doubt", True, 3),
        (None, "in_doubt", True, 1),
        (worker.id + 1, "rate", False, 0),
    ]
    assert await workers.all() == []
    assert await successor.adopt(workers, worker) is None


async def test_who_is_alive_is_adopted_by_nobody_but_its_own_successor(
    workers: Workers, superuser: Superuser, worker: Worker, tenant: UUID
) -> None:
    await superuser.enqueue(tenant, 1, owner=worker.id)

    assert await Successor().adopt(workers, worker, by="worker-2") is None
    assert await Successor().adopt(workers, worker, by="worker-1") == 1


async def test_of_two_adopters_at_once_one_does_it(
    workers: Workers, superuser: Superuser, worker: Worker, tenant: UUID
) -> None:
    await superuser.enqueue(tenant, 1, owner=worker.id)
    await ended(superuser, worker)

    results = await asyncio.gather(*(Successor().adopt(workers, worker) for _ in range(3)))

    assert sorted(results, key=str) == [1, None, None]


async def test_without_the_marks_nothing_is_adopted(
    workers: Workers, superuser: Superuser, worker: Worker, tenant: UUID
) -> None:
    await superuser.enqueue(tenant, 1, owner=worker.id)
    await ended(superuser, worker)

    async def away(_: Worker) -> Marks:
        raise UnavailableError("Redis: ConnectionError")

    with pytest.raises(UnavailableError):
        await workers.adopt(worker, "worker-2", away, Successor().decide)

    assert [row["owner"] for row in await superuser.sql("select owner from send_queue")] == [worker.id]
    assert len(await workers.all()) == 1


async def test_who_leaves_is_forgotten_unless_it_owns_something(
    workers: Workers, superuser: Superuser, worker: Worker, tenant: UUID
) -> None:
    await superuser.enqueue(tenant, 1, owner=worker.id)
    with_rows = await workers.deregister(worker)
    await superuser.sql("delete from send_queue")

    assert (with_rows, await workers.deregister(worker)) == (False, True)
    assert await workers.all() == []
