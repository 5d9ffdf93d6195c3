"""Addresses that can be found and opened with the keys, and not without."""

from __future__ import annotations

from dataclasses import replace

import pytest

from storage.address_vault import AddressVault, SealedAddressError

ALICE, BOB = "alice@example.com", "bob@example.com"
VAULT = AddressVault([b"new"])
OLDER = AddressVault([b"old"])
BOTH = AddressVault([b"new", b"old"])


def test_what_was_sealed_is_opened() -> None:
    assert VAULT.open(VAULT.seal(ALICE)) == ALICE


def test_nothing_of_an_address_is_stored_in_the_clear() -> None:
    stored = VAULT.seal(ALICE)

    assert b"alice" not in stored.sealed + stored.address_hash
    assert stored.address_hash not in stored.sealed


def test_the_same_address_has_one_hash_and_never_the_same_seal() -> None:
    first, second = VAULT.seal(ALICE), VAULT.seal(ALICE)

    assert first.address_hash == second.address_hash
    assert first.sealed != second.sealed


def test_another_key_gives_another_hash() -> None:
    assert VAULT.hashes(ALICE) != OLDER.hashes(ALICE)
    assert VAULT.hashes(ALICE) != VAULT.hashes(BOB)


def test_the_first_key_writes_and_all_of_them_find_and_open() -> None:
    stored = OLDER.seal(ALICE)

    assert stored.address_hash in BOTH.hashes(ALICE)
    assert BOTH.open(stored) == ALICE
    assert BOTH.seal(ALICE).key_id == VAULT.key_id != stored.key_id


def test_without_its_key_an_address_stays_closed() -> None:
    with pytest.raises(SealedAddressError, match="which OUTBOUND_SECRET_KEY lacks"):
        VAULT.open(OLDER.seal(ALICE))


def test_what_was_changed_or_moved_to_another_row_is_not_opened() -> None:
    alice, bob = VAULT.seal(ALICE), VAULT.seal(BOB)
    flipped = bytes([alice.sealed[-1] ^ 1])

    for forged in (
        replace(alice, sealed=alice.sealed[:-1] + flipped),
        replace(alice, sealed=bob.sealed),
        replace(alice, sealed=b""),
    ):
        with pytest.raises(SealedAddressError, match="not what was stored"):
            VAULT.open(forged)


def test_a_vault_needs_a_key() -> None:
    with pytest.raises(ValueError, match="needs a key"):
        AddressVault([])
