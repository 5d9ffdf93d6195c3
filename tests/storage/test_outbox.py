"""The outbox: what is deleted was published, and one process at a time does it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from notifications.ports import UnavailableError
from storage.outbox import Outbox
from storage.session import Database
from tests.storage.rows import Superuser


@pytest.fixture
def outbox(db: Database) -> Outbox:
    return Outbox(db)


@pytest.fixture
async def told(superuser: Superuser) -> None:
    await superuser.sql(
        "insert into outbox (stream, body) select case n when 3 then 'events' else 'deliveries' end,"
        " jsonb_build_object('n', n) from generate_series(1, 5) n"
    )


class Published(list[tuple[str, str]]):
    async def __call__(self, rows: Sequence[tuple[str, str]]) -> None:
        self += rows


async def refuse(_: Sequence[tuple[str, str]]) -> None:
    raise UnavailableError("Redis: ConnectionError")


async def test_rows_are_moved_in_order_and_in_portions(outbox: Outbox, told: None, superuser: Superuser) -> None:
    published = Published()

    moved = [await outbox.move(published, 3) for _ in range(3)]

    assert moved == [3, 2, 0]
    assert published == [
        ("deliveries", '{"n": 1}'),
        ("deliveries", '{"n": 2}'),
        ("events", '{"n": 3}'),
        ("deliveries", '{"n": 4}'),
        ("deliveries", '{"n": 5}'),
    ]
    assert await superuser.count("outbox") == 0


async def test_what_was_not_published_stays(outbox: Outbox, told: None, superuser: Superuser) -> None:
    with pytest.raises(UnavailableError):
        await outbox.move(refuse, 3)

    assert await superuser.count("outbox") == 5
    assert await outbox.move(Published(), 10) == 5


async def test_only_one_relay_moves_at_a_time(outbox: Outbox, told: None) -> None:
    inside, may_end = asyncio.Event(), asyncio.Event()
    published = Published()

    async def slowly(rows: Sequence[tuple[str, str]]) -> None:
        inside.set()
        await may_end.wait()
        await published(rows)

    first = asyncio.create_task(outbox.move(slowly, 2))
    await inside.wait()
    second = await outbox.move(published, 2)
    may_end.set()

    assert (second, await first) == (None, 2)
    assert len(published) == 2
