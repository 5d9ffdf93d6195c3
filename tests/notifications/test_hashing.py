"""Keyed hashes and ids: stable, unambiguous, and silent about what they were made of."""

from __future__ import annotations

from uuid import RFC_4122, UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.hashing import milliseconds, notification_id, recipient_hash

SECRET = b"a secret for tests"
TENANT = UUID("7d0c1c9e-52f4-4c0b-9f57-0a3f6f3b6c11")
OTHER_TENANT = UUID("7d0c1c9e-52f4-4c0b-9f57-0a3f6f3b6c12")
MS = 1_795_000_000_123


def id_of(
    secret: bytes = SECRET,
    ms: int = MS,
    tenant_id: UUID = TENANT,
    source: str = "/psa/tickets",
    event_id: str = "01JD7T",
    subtype: str = "ticket-updated",
    recipient: str = "user:7",
) -> UUID:
    return notification_id(secret, ms, tenant_id, source, event_id, subtype, recipient)


def test_the_same_parts_give_the_same_id() -> None:
    assert id_of() == id_of()


def test_an_id_is_a_uuid_of_version_8_that_begins_with_the_milliseconds() -> None:
    id_ = id_of()

    assert id_.version == 8
    assert id_.variant == RFC_4122
    assert milliseconds(id_) == MS


@pytest.mark.parametrize(
    "other",
    [
        {"secret": b"another secret"},
        {"ms": MS + 1},
        {"tenant_id": OTHER_TENANT},
        {"source": "/psa"},
        {"event_id": "01JD7U"},
        {"subtype": "invoice-issued"},
        {"recipient": "user:8"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_each_part_changes_the_id(other: dict[str, object]) -> None:
    assert id_of(**other) != id_of()


def test_only_the_first_48_bits_depend_on_the_time() -> None:
    assert id_of(ms=0).int & ((1 << 80) - 1) == id_of(ms=MS).int & ((1 << 80) - 1)


def test_a_character_that_moves_to_the_next_part_gives_another_id() -> None:
    assert id_of(source="a", event_id="bc") != id_of(source="ab", event_id="c")
    assert id_of(subtype="a", recipient="") != id_of(subtype="", recipient="a")


@given(st.lists(st.text(max_size=6), min_size=4, max_size=4), st.lists(st.text(max_size=6), min_size=4, max_size=4))
@settings(deadline=None)
def test_different_parts_never_share_an_id(first: list[str], second: list[str]) -> None:
    ids = {notification_id(SECRET, MS, TENANT, *parts) for parts in (first, second)}

    assert len(ids) == len({tuple(first), tuple(second)})


def test_ids_sort_by_time() -> None:
    assert id_of(ms=1) < id_of(ms=2) < id_of(ms=(1 << 48) - 1)


@pytest.mark.parametrize("ms", [-1, 1 << 48])
def test_milliseconds_that_do_not_fit_are_refused(ms: int) -> None:
    with pytest.raises(ValueError, match="48 bits"):
        id_of(ms=ms)


def test_an_address_has_one_hash_whatever_its_letter_case() -> None:
    assert recipient_hash(SECRET, "Ann@Example.COM") == recipient_hash(SECRET, "ann@example.com")


def test_a_recipient_hash_is_32_hex_digits_and_depends_on_the_secret() -> None:
    hashed = recipient_hash(SECRET, "ann@example.com")

    assert len(bytes.fromhex(hashed)) == 16
    assert hashed != recipient_hash(b"another secret", "ann@example.com")
    assert hashed != recipient_hash(SECRET, "bob@example.com")
