"""Dead letters sent again: at least once, and never round and round."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import asyncpg
import pytest

from notifications.ports import UnavailableError
from storage.dead_letter_admin import LetterState, count_requeueable, find_letter, requeue, requeue_some
from storage.operator import open_for_operator
from storage.roles import Role

STREAM = "outbound:events"


class Bus:
    """Takes what is published; `fails` loses the answer after having taken it."""

    def __init__(self, *, fails: bool = False) -> None:
        self.taken: list[tuple[str, Mapping[bytes, bytes]]] = []
        self.fails = fails

    async def __call__(self, letters: Sequence[tuple[str, Mapping[bytes, bytes]]]) -> list[str]:
        self.taken += letters
        if self.fails:
            raise UnavailableError("the answer was lost")
        return [f"9-{number}" for number in range(len(letters))]


async def store(database: str, *entry_ids: str) -> None:
    connection = await asyncpg.connect(database, server_settings={"search_path": "outbound"})
    try:
        await connection.execute("set role outbound_worker")
        for entry_id in entry_ids:
            await connection.execute(
                "insert into dead_letters (stream, entry_id, reason, detail, fields, deliveries)"
                " values ($1, $2, 'unknown_type', 'type: not in the catalogue', $3, 1)",
                STREAM,
                entry_id,
                json.dumps({"data": entry_id}),
            )
    finally:
        await connection.close()


async def test_after_a_lost_answer_it_is_open_and_is_sent_again(database: str) -> None:
    await store(database, "1-0")
    bus = Bus(fails=True)

    async with open_for_operator(database) as opened:
        with pytest.raises(UnavailableError):
            async with opened.everyone(Role.PLATFORM) as connection:
                await requeue(connection, bus, STREAM, "1-0", actor="cli:test")
        bus.fails = False
        async with opened.everyone(Role.PLATFORM) as connection:
            await requeue(connection, bus, STREAM, "1-0", actor="cli:test")
        async with opened.everyone(Role.PLATFORM) as connection:
            letter = await find_letter(connection, STREAM, "1-0")
            audited = await connection.fetchval("select count(*) from audit_log")

    assert bus.taken == [(STREAM, {b"data": b"1-0"})] * 2
    assert letter is not None
    assert letter.state is LetterState.REQUEUED
    assert audited == 1


async def test_what_dies_again_meanwhile_does_not_go_round(database: str) -> None:
    await store(database, "1-0", "1-1", "1-2")
    bus = Bus()

    async with open_for_operator(database) as opened:
        async with opened.everyone(Role.PLATFORM) as connection:
            total, before = await count_requeueable(connection, None)
        await store(database, "2-0")
        sent: list[str] = []
        for _ in range(3):
            async with opened.everyone(Role.PLATFORM) as connection:
                part = await requeue_some(connection, bus, reason=None, before=before, limit=2, actor="cli:test")
            sent += [one.entry_id for one in part]

    assert total == 3
    assert sorted(sent) == ["1-0", "1-1", "1-2"]


async def test_two_operators_do_not_send_the_same_one(database: str) -> None:
    await store(database, "1-0", "1-1")
    bus = Bus()

    async with (
        open_for_operator(database) as mine,
        open_for_operator(database) as theirs,
        mine.everyone(Role.PLATFORM) as first,
        theirs.everyone(Role.PLATFORM) as second,
    ):
        _, before = await count_requeueable(first, None)
        one = await requeue_some(first, bus, reason=None, before=before, limit=1, actor="cli:a")
        other = await requeue_some(second, bus, reason=None, before=before, limit=2, actor="cli:b")

    assert [letter.entry_id for letter in one] == ["1-0"]
    assert [letter.entry_id for letter in other] == ["1-1"]
