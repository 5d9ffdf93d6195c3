"""The keys of OUTBOUND_SECRET_KEY, as those get them who hash, sign and encrypt: the first writes, all of them read."""

from __future__ import annotations

from outbound.settings import Settings
from storage.address_vault import AddressVault


def secret_keys(settings: Settings) -> tuple[bytes, ...]:
    """Return the keys, the one that writes first."""
    return tuple(key.get_secret_value().encode() for key in settings.secret_key)


def address_vault(settings: Settings) -> AddressVault:
    """Return what hashes and encrypts the addresses of the suppression lists."""
    return AddressVault(secret_keys(settings))
