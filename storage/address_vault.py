"""Addresses that are kept without being readable: found again by a keyed hash, and opened only with the key.

Suppressions outlive the people they are about, and those of the whole service lie where every tenant's transaction
may look. A dump of the table without the key tells nobody who is in it.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_HASH_BYTES: Final = 16
_KEY_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12  # NIST SP 800-38D §8.2.2: random, so at most 2^32 seals with one key


class SealedAddressError(Exception):
    """An address cannot be opened: its key is not among ours any more, or it is not what we wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedAddress:
    """An address as it is stored: its keyed hash, the key of both, and the address itself, encrypted."""

    address_hash: bytes
    key_id: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class _Key:
    id: str
    for_hash: bytes
    for_seal: AESGCM


class AddressVault:
    """Hashes, seals and opens addresses with the keys of OUTBOUND_SECRET_KEY: the first writes, all of them read.

    Addresses are in canonical form (notifications.address): the same mailbox always gives the same hash.
    """

    def __init__(self, secrets: Sequence[bytes]) -> None:
        if not secrets:
            raise ValueError("an address vault needs a key")
        # A key of its own for each use: what one of them gives away says nothing about the others.
        self._keys = tuple(
            _Key(
                id=_derived(secret, b"outbound suppression key id")[:_KEY_ID_BYTES].hex(),
                for_hash=_derived(secret, b"outbound suppression hash"),
                for_seal=AESGCM(_derived(secret, b"outbound suppression seal")),
            )
            for secret in secrets
        )

    @property
    def key_id(self) -> str:
        """The name of the key that writes."""
        return self._keys[0].id

    def hashes(self, address: str) -> tuple[bytes, ...]:
        """Return what an address is stored under, by the key that writes and then by each older one."""
        octets = address.encode("utf-8", "surrogatepass")
        # BLAKE2b with a key is a MAC by itself (RFC 7693 §2.9), in a third of the time that HMAC takes.
        return tuple(blake2b(octets, key=key.for_hash, digest_size=_HASH_BYTES).digest() for key in self._keys)

    def seal(self, address: str) -> SealedAddress:
        """Return an address as it is stored."""
        address_hash, nonce = self.hashes(address)[0], os.urandom(_NONCE_BYTES)
        # Bound to its hash: a sealed address that is moved to another row cannot be opened there.
        sealed = self._keys[0].for_seal.encrypt(nonce, address.encode("utf-8", "surrogatepass"), address_hash)
        return SealedAddress(address_hash=address_hash, key_id=self.key_id, sealed=nonce + sealed)

    def open(self, stored: SealedAddress) -> str:
        """Return the address.

        Raises:
            SealedAddressError: when its key is not among ours, or it was changed.
        """
        key = next((key for key in self._keys if key.id == stored.key_id), None)
        if key is None:
            raise SealedAddressError(f"it was sealed with the key {stored.key_id}, which OUTBOUND_SECRET_KEY lacks")
        nonce, sealed = stored.sealed[:_NONCE_BYTES], stored.sealed[_NONCE_BYTES:]
        try:
            return key.for_seal.decrypt(nonce, sealed, stored.address_hash).decode("utf-8", "surrogatepass")
        except (InvalidTag, ValueError):
            raise SealedAddressError("it is not what was stored") from None


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return hmac.digest(secret, purpose, "sha256")
