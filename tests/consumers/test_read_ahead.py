"""Entries that were read and wait: each once, urgent first, one tenant after the other, bounded."""

from __future__ import annotations

import json
from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.read_ahead import ReadAhead, tenant_hint
from notifications.entry import Entry

URGENT, NORMAL = "outbound:events:urgent", "outbound:events"


def an_entry(number: int, tenant: int = 0, *, stream: str = NORMAL, deliveries: int = 1, size: int = 0) -> Entry:
    data = json.dumps({"tenantid": str(UUID(int=tenant)), "data": "x" * size})
    return Entry(stream=stream, entry_id=f"{number}-0", fields={b"data": data.encode()}, deliveries=deliveries)


def numbers(batch: list[Entry]) -> list[int]:
    return [entry.milliseconds for entry in batch]


def ahead(max_entries: int = 1000, max_bytes: int = 1_000_000) -> ReadAhead:
    return ReadAhead([URGENT, NORMAL], max_entries=max_entries, max_bytes=max_bytes)


def test_tenants_take_turns_and_each_keeps_its_order() -> None:
    waiting = ahead()
    for number in range(6):
        waiting.admit(an_entry(number, tenant=1))
    waiting.admit(an_entry(10, tenant=2))
    waiting.admit(an_entry(20, tenant=3))
    waiting.admit(an_entry(21, tenant=3))

    assert numbers(waiting.batch(5)) == [0, 10, 20, 1, 21]
    assert numbers(waiting.batch(9)) == [2, 3, 4, 5]
    assert waiting.batch(9) == []


def test_the_urgent_stream_goes_first() -> None:
    waiting = ahead()
    waiting.admit(an_entry(1))
    waiting.admit(an_entry(2, stream=URGENT))

    assert numbers(waiting.batch(2)) == [2, 1]


def test_an_entry_is_held_once_until_it_is_released() -> None:
    waiting = ahead()
    entry = an_entry(1)
    waiting.admit(entry)
    waiting.admit(entry)

    [taken] = waiting.batch(9)
    waiting.admit(entry)

    assert waiting.batch(9) == []
    assert waiting.holds(NORMAL, "1-0")
    assert not waiting.holds(URGENT, "1-0")
    waiting.release(taken)
    waiting.release(taken)
    assert not waiting.holds(NORMAL, "1-0")
    assert waiting.bytes_left == 1_000_000


def test_what_was_delivered_before_comes_alone_and_first() -> None:
    waiting = ahead()
    for entry in (an_entry(1), an_entry(2, deliveries=2), an_entry(3, deliveries=3)):
        waiting.admit(entry)

    assert [numbers(waiting.batch(9)) for _ in range(3)] == [[2], [3], [1]]


def test_what_is_put_back_waits_again_and_is_still_held() -> None:
    waiting = ahead()
    waiting.admit(an_entry(1))
    [entry] = waiting.batch(9)

    waiting.put_back(entry)

    assert len(waiting) == 1
    assert numbers(waiting.batch(9)) == [1]


def test_room_ends_with_entries_or_with_bytes_in_hand() -> None:
    by_count, by_bytes = ahead(max_entries=2), ahead(max_bytes=1000)
    by_count.admit(an_entry(1))
    by_bytes.admit(an_entry(1, size=2000))

    assert (by_count.room, by_bytes.room, by_bytes.bytes_left) == (1, 0, 0)
    by_count.admit(an_entry(2))
    [first] = by_count.batch(1)
    assert by_count.room == 0
    by_count.release(first)
    assert by_count.room == 1


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from([URGENT, NORMAL]), st.sampled_from([1, 1, 1, 2])), max_size=60
    ),
    st.integers(1, 10),
)
def test_everything_comes_out_once_and_the_books_balance(given: list[tuple[int, str, int]], size: int) -> None:
    waiting = ahead()
    entries = [
        an_entry(number, tenant, stream=stream, deliveries=deliveries)
        for number, (tenant, stream, deliveries) in enumerate(given)
    ]
    for entry in entries:
        waiting.admit(entry)

    out: list[Entry] = []
    while batch := waiting.batch(size):
        assert len(batch) <= size
        out += batch
        assert len(waiting) == len(entries) - len(out)
    for entry in out:
        waiting.release(entry)

    assert Counter(numbers(out)) == Counter(range(len(entries)))
    assert (waiting.room, waiting.bytes_left) == (1000, 1_000_000)
    for tenant in range(5):
        for stream in (URGENT, NORMAL):
            of_one = [
                entry.milliseconds
                for entry in out
                if entry.deliveries == 1 and entry.stream == stream and tenant_hint(entry)[-1:] == str(tenant).encode()
            ]
            assert of_one == sorted(of_one)


TENANT = b"7d0c1f5e-8d2b-4c57-9a3e-0d2f3c1b9a10"


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({b"data": b'{"tenantid": "' + TENANT + b'"}'}, TENANT),
        ({b"data": b'{"tenant_id":"' + TENANT + b'"}'}, TENANT),
        ({b"event": b'{"payload": {"tenantId": "' + TENANT + b'"}}'}, TENANT),
        ({b"ce_tenantid": TENANT, b"data": b"{}"}, TENANT),
        ({b"data": b"x" * 100_000 + b'"tenantid":"' + TENANT + b'"}'}, TENANT),
        ({b"data": b"\xff\x00"}, b""),
        ({}, b""),
        ({b"ce_tenantid": b"x" * 10_000}, b"x" * 36),
    ],
)
def test_whose_an_entry_is_can_be_guessed_in_every_form(fields: dict[bytes, bytes], hint: bytes) -> None:
    assert tenant_hint(Entry(stream=NORMAL, entry_id="1-0", fields=fields)) == hint
