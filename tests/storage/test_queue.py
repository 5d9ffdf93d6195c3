"""Taking what is due: fair between tenants, urgent first, each row once, never more than there is room for."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import UUID, uuid4

import pytest

from notifications.content import FORMAT
from notifications.ports import FencedError
from notifications.status import Reason
from storage.queue import NORMAL, URGENT, SendQueue
from storage.session import Database
from storage.workers import Worker
from tests.notifications.builders import NOW, later
from tests.storage.rows import Superuser


@pytest.fixture
def queue(db: Database) -> SendQueue:
    return SendQueue(db)


async def tenants_with(superuser: Superuser, *rows: int) -> list[UUID]:
    """Tenants in the order of their ids, each with so many rows due, one a second."""
    tenants = sorted(uuid4() for _ in rows)
    for tenant, count in zip(tenants, rows, strict=True):
        for number in range(count):
            await superuser.enqueue(tenant, number, due_at=later(seconds=number - count))
    return tenants


async def test_what_is_due_becomes_mine_with_its_attempt_counted_in_the_order_of_its_due_time(
    queue: SendQueue, superuser: Superuser, worker: Worker, tenant: UUID
) -> None:
    newer = await superuser.enqueue(tenant, 1, due_at=later(seconds=-1))
    older = await superuser.enqueue(
        tenant, 2, due_at=later(seconds=-2), attempt=4, reason=Reason.RETRY, provider="smtp", pinned=True
    )
    await superuser.enqueue(tenant, 3, due_at=later(seconds=1))
    await superuser.enqueue(tenant, 4, due_at=later(seconds=-9), owner=99)

    taken = await queue.take(worker.id, 10, NOW)

    assert [row.id for row in taken] == [older, newer]
    first = taken[0]
    assert (first.fence.owner, first.fence.attempt) == (worker.id, 5)
    assert (first.reason, first.provider, first.is_pinned, first.tenant_id) == (Reason.RETRY, "smtp", True, tenant)
    assert await queue.take(worker.id, 10, NOW) == []


async def test_urgent_rows_go_first_and_the_room_is_shared_with_nobody(
    queue: SendQueue, superuser: Superuser, worker: Worker, tenant: UUID
) -> None:
    for number in range(4):
        await superuser.enqueue(tenant, number, lane=NORMAL, due_at=later(seconds=-60))
        await superuser.enqueue(tenant, 10 + number, lane=URGENT, due_at=NOW)

    lanes = [[row.lane for row in await queue.take(worker.id, 3, NOW)] for _ in range(3)]

    assert lanes == [[URGENT] * 3, [URGENT, NORMAL, NORMAL], [NORMAL] * 2]


@pytest.mark.parametrize(
    ("rows", "room", "expected"),
    [
        ((9, 9, 9), 9, [3, 3, 3]),
        ((9, 9, 9), 10, [4, 3, 3]),
        ((9, 9, 9), 2, [1, 1, 0]),
        ((20, 1, 1), 12, [10, 1, 1]),
        ((1, 1, 1), 9, [1, 1, 1]),
    ],
)
async def test_the_room_is_shared_out_filled_and_never_exceeded(
    queue: SendQueue, superuser: Superuser, worker: Worker, rows: tuple[int, ...], room: int, expected: list[int]
) -> None:
    tenants = await tenants_with(superuser, *rows)

    shares = Counter(row.tenant_id for row in await queue.take(worker.id, room, NOW))

    assert [shares[tenant] for tenant in tenants] == expected


async def test_a_flood_of_one_tenant_does_not_keep_the_others_waiting(
    queue: SendQueue, superuser: Superuser, worker: Worker
) -> None:
    tenants = await tenants_with(superuser, 40, 3, 3)

    rounds = [Counter(row.tenant_id for row in await queue.take(worker.id, 3, NOW)) for _ in range(3)]

    assert rounds == [Counter(tenants)] * 3


async def test_with_less_room_than_tenants_the_turn_goes_round(
    queue: SendQueue, superuser: Superuser, worker: Worker
) -> None:
    tenants = await tenants_with(superuser, *[4] * 5)

    turns = [row.tenant_id for _ in range(5) for row in await queue.take(worker.id, 2, NOW)]

    assert Counter(turns) == Counter(dict.fromkeys(tenants, 2))
    assert [set(turns[number : number + 2]) for number in range(0, 6, 2)] == [
        {tenants[0], tenants[1]},
        {tenants[2], tenants[3]},
        {tenants[4], tenants[0]},
    ]


async def test_two_takers_at_once_never_have_the_same_row(db: Database, superuser: Superuser, worker: Worker) -> None:
    await tenants_with(superuser, 10, 10, 10)
    queues = [SendQueue(db) for _ in range(3)]

    taken = [
        row
        for _ in range(4)
        for rows in await asyncio.gather(*(queue.take(worker.id, 4, NOW) for queue in queues))
        for row in rows
    ]

    assert len({row.id for row in taken}) == len(taken) == 30
    assert {row.fence.attempt for row in taken} == {1}


async def test_a_row_of_a_newer_format_is_left_to_a_newer_worker(
    queue: SendQueue, superuser: Superuser, worker: Worker, tenant: UUID
) -> None:
    await superuser.enqueue(tenant, 1, due_at=later(seconds=-9), format=FORMAT + 1)
    mine = await superuser.enqueue(tenant, 2)

    assert [row.id for row in await queue.take(worker.id, 10, NOW)] == [mine]


async def test_a_worker_that_was_declared_dead_takes_nothing(
    queue: SendQueue, superuser: Superuser, worker: Worker, tenant: UUID
) -> None:
    await superuser.enqueue(tenant, 1)

    with pytest.raises(FencedError):
        await queue.take(worker.id + 1, 10, NOW)

    assert await queue.depth(NOW) == (1, 0, 0.0)


async def test_what_could_not_be_opened_goes_back_unless_it_has_moved_on(
    queue: SendQueue, superuser: Superuser, worker: Worker, tenant: UUID
) -> None:
    moved = await superuser.enqueue(tenant, 1, due_at=later(seconds=-2))
    unopened = await superuser.enqueue(tenant, 2, due_at=later(seconds=-1))
    taken = await queue.take(worker.id, 10, NOW)
    await superuser.sql("update send_queue set attempt = 9, reason = null where notification_id = $1", moved)

    await queue.give_back(taken, later(minutes=1))

    rows = {row["notification_id"]: row for row in await superuser.sql("select * from send_queue")}
    assert (rows[moved]["owner"], rows[moved]["attempt"]) == (worker.id, 9)
    assert (rows[unopened]["owner"], rows[unopened]["due_at"], rows[unopened]["reason"]) == (
        None,
        later(minutes=1),
        "rate",
    )


async def test_the_depth_counts_what_waits_what_is_sent_and_the_oldest_that_is_due(
    queue: SendQueue, superuser: Superuser, tenant: UUID
) -> None:
    await superuser.enqueue(tenant, 1, due_at=later(seconds=-30))
    await superuser.enqueue(tenant, 2, due_at=later(seconds=30))
    await superuser.enqueue(tenant, 3, due_at=later(seconds=-90), owner=1)

    assert await queue.depth(NOW) == (2, 1, 30.0)
