"""The input streams: nothing is read twice by the living, nothing of the dead is lost, nothing unsettled is deleted."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from consumers.bus import RedisBus
from notifications.entry import Entry
from notifications.ports import UnavailableError
from outbound.wiring import connect_redis

URGENT, NORMAL = "outbound:events:urgent", "outbound:events"
STREAMS = [URGENT, NORMAL]
GROUP = "outbound"
PLENTY = 1 << 30


@pytest.fixture
async def bus(redis: Redis) -> RedisBus:
    bus = RedisBus(redis, redis, STREAMS, GROUP)
    await bus.ensure_groups()
    return bus


async def add(redis: Redis, count: int = 1, *, stream: str = NORMAL, size: int = 10) -> list[str]:
    return [(await redis.xadd(stream, {"data": b"x" * size})).decode() for _ in range(count)]


def nothing_held(_stream: str, _entry_id: str) -> bool:
    return False


def ids(entries: list[Entry]) -> list[str]:
    return [entry.entry_id for entry in entries]


async def pending(redis: Redis, consumer: str) -> dict[str, int]:
    found = await redis.xpending_range(NORMAL, GROUP, "-", "+", 1000, consumername=consumer)
    return {item["message_id"].decode(): item["times_delivered"] for item in found}


async def take_over(bus: RedisBus, *dead: str, room: int = 100) -> list[Entry]:
    return await bus.take_over("me", lambda name: name in dead, nothing_held, room)


async def test_what_was_on_the_stream_before_the_group_is_read_and_urgent_first(redis: Redis) -> None:
    [old] = await add(redis)
    [urgent] = await add(redis, stream=URGENT)
    bus = RedisBus(redis, redis, STREAMS, GROUP)
    await bus.ensure_groups()
    await bus.ensure_groups()

    entries = await bus.read("me", 10, PLENTY)

    assert ids(entries) == [urgent, old]
    assert entries[1] == Entry(stream=NORMAL, entry_id=old, fields={b"data": b"x" * 10})


async def test_no_more_is_read_than_there_is_room_for_and_nothing_twice(redis: Redis, bus: RedisBus) -> None:
    added = [*await add(redis, 8, stream=URGENT), *await add(redis, 8)]

    reads = [ids(await bus.read(consumer, 4, PLENTY)) for consumer in ("me", "other") * 3]

    assert all(0 < len(read) <= 4 for read in reads[:4])
    assert sorted(id_ for read in reads for id_ in read) == sorted(added)


async def test_one_stream_s_flood_is_read_within_the_room(redis: Redis, bus: RedisBus) -> None:
    added = await add(redis, 8)

    reads = [ids(await bus.read("me", 6, PLENTY)) for _ in range(4)]

    assert all(len(read) <= 6 for read in reads)
    assert [id_ for read in reads for id_ in read] == added


async def test_huge_entries_are_read_a_few_at_a_time(redis: Redis, bus: RedisBus) -> None:
    await add(redis, 2, size=1_000_000)
    await bus.read("me", 1000, PLENTY)
    await add(redis, 40, size=1_000_000)

    entries = await bus.read("me", 1000, 5_000_000)

    assert 1 <= len(entries) <= 10


async def test_settled_entries_are_gone_where_nobody_else_reads(redis: Redis, bus: RedisBus) -> None:
    await add(redis, 3)
    entries = await bus.read("me", 10, PLENTY)

    await bus.settle(entries[:2])
    await bus.settle(entries[:2])

    assert await redis.xlen(NORMAL) == 1
    assert list(await pending(redis, "me")) == [entries[2].entry_id]


async def test_where_another_group_reads_settling_deletes_nothing_and_trimming_no_more_than_both_settled(
    redis: Redis, bus: RedisBus
) -> None:
    await redis.xgroup_create(NORMAL, "analytics", id="0")
    # Trimming is approximate: whole nodes of the stream, a hundred entries each.
    added = await add(redis, 1000)
    entries = [*await bus.read("me", 1000, PLENTY), *await bus.read("me", 1000, PLENTY)]
    theirs = await redis.xreadgroup("analytics", "them", {NORMAL: ">"}, count=600)
    their_ids = [entry_id for entry_id, _ in theirs[0][1]]
    await redis.xack(NORMAL, "analytics", *their_ids[:450])

    await bus.settle(entries)
    before = await redis.xlen(NORMAL)
    await bus.trim()

    left = [entry_id.decode() for entry_id, _ in await redis.xrange(NORMAL)]
    assert before == 1000
    assert left == added[-len(left) :]
    assert 550 <= len(left) < 700
    assert set(added[450:]) <= set(left)


async def test_a_group_that_never_read_keeps_everything(redis: Redis, bus: RedisBus) -> None:
    await redis.xgroup_create(NORMAL, "asleep", id="0")
    await add(redis, 300)

    await bus.settle(await bus.read("me", 1000, PLENTY))
    await bus.trim()

    assert await redis.xlen(NORMAL) == 300


async def test_what_we_own_and_do_not_hold_is_taken_up_as_often_delivered_as_it_was(
    redis: Redis, bus: RedisBus
) -> None:
    added = await add(redis, 3)
    entries = await bus.read("me", 10, PLENTY)
    await bus.redeliver("me", entries[1])

    taken = await bus.take_over("me", "me".__eq__, lambda _, entry_id: entry_id == added[0], 100)

    assert {entry.entry_id: (entry.deliveries, entry.is_abandoned) for entry in taken} == {
        added[1]: (2, True),
        added[2]: (1, True),
    }
    assert await pending(redis, "me") == {added[0]: 1, added[1]: 2, added[2]: 1}


async def test_the_delivery_of_what_was_abandoned_counts_when_its_work_begins(redis: Redis, bus: RedisBus) -> None:
    [old, new] = await add(redis, 2)
    await bus.read("dead", 1, PLENTY)
    [fresh] = await bus.read("me", 1, PLENTY)
    [abandoned] = await take_over(bus, "dead")

    counted = await bus.count("me", [abandoned, fresh])

    assert [(entry.entry_id, entry.deliveries, entry.is_abandoned) for entry in counted] == [
        (old, 2, False),
        (new, 1, False),
    ]
    assert await pending(redis, "me") == {old: 2, new: 1}


async def test_what_the_dead_had_read_is_taken_over_and_what_the_living_have_is_not(
    redis: Redis, bus: RedisBus
) -> None:
    added = await add(redis, 3)
    for consumer in ("dead", "alive", "me"):
        await bus.read(consumer, 1, PLENTY)

    taken = await take_over(bus, "dead")

    assert ids(taken) == [added[0]]
    assert list(await pending(redis, "me")) == [added[0], added[2]]
    assert list(await pending(redis, "alive")) == [added[1]]
    assert list(await pending(redis, "dead")) == []


async def test_more_than_a_page_is_taken_over_within_the_room(redis: Redis, bus: RedisBus) -> None:
    added = await add(redis, 450)
    await bus.read("dead", 2000, PLENTY)

    first, second = await take_over(bus, "dead", room=420), await take_over(bus, "dead", room=420)

    assert ids(first) == added[:420]
    assert ids(second) == added[420:]


async def test_what_was_deleted_meanwhile_is_not_taken_over(redis: Redis, bus: RedisBus) -> None:
    added = await add(redis, 2)
    await bus.read("dead", 10, PLENTY)
    await redis.xdel(NORMAL, added[0])

    assert ids(await take_over(bus, "dead")) == [added[1]]


async def test_a_redelivery_is_counted_and_none_of_what_is_gone(redis: Redis, bus: RedisBus) -> None:
    [id_] = await add(redis)
    [entry] = await bus.read("me", 1, PLENTY)

    again = await bus.redeliver("me", entry)
    await bus.settle([entry])

    assert again is not None
    assert (again.entry_id, again.deliveries) == (id_, 2)
    assert await bus.redeliver("me", entry) is None


async def test_a_redis_that_lost_everything_gets_its_groups_again(redis: Redis, bus: RedisBus) -> None:
    await redis.flushdb()

    with pytest.raises(UnavailableError):
        await bus.read("me", 10, PLENTY)
    [added] = await add(redis)

    assert ids(await bus.read("me", 10, PLENTY)) == [added]


async def test_the_age_of_the_oldest_unsettled_entry_is_shown_read_or_not(redis: Redis, bus: RedisBus) -> None:
    for milliseconds in (10_000, 20_000, 30_000):
        await redis.xadd(NORMAL, {"data": "x"}, id=f"{milliseconds}-0")

    ages = [(await bus.oldest_unacknowledged(100.0))[NORMAL]]
    for _ in range(3):
        entries = await bus.read("me", 1, PLENTY)
        ages.append((await bus.oldest_unacknowledged(100.0))[NORMAL])
        await bus.settle(entries)

    assert ages == [90, 90, 80, 70]
    assert await bus.oldest_unacknowledged(100.0) == {URGENT: 0, NORMAL: 0}


async def test_while_redis_is_away_every_call_says_so() -> None:
    async with connect_redis("redis://127.0.0.1:1/0") as away:
        bus = RedisBus(away, away, STREAMS, GROUP)
        entry = Entry(stream=NORMAL, entry_id="1-0", fields={}, is_abandoned=True)

        for call in (
            bus.ensure_groups(),
            bus.read("me", 1, PLENTY),
            bus.take_over("me", "me".__eq__, nothing_held, 1),
            bus.count("me", [entry]),
            bus.redeliver("me", entry),
            bus.settle([entry]),
            bus.oldest_unacknowledged(0.0),
        ):
            with pytest.raises(UnavailableError):
                await call
