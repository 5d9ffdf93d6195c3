"""What this package raises. What the far end or the network does is never raised: it is an outcome (receipt.py).

ProviderError
├── InvalidAddressError     an address that no provider could use
├── InvalidMessageError     a message that could not be sent unchanged by every provider
├── InvalidConfigError      a setting that is missing or cannot be read
└── UnknownProviderError    a provider name that nothing is registered under
"""

from __future__ import annotations

from collections.abc import Sequence


class ProviderError(Exception):
    """Root of everything the package raises."""


class InvalidAddressError(ProviderError):
    """An address that cannot be used. The message names the rule that was broken, never the address."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"invalid address: {reason}")
        self.reason = reason


class InvalidMessageError(ProviderError):
    """A message that could not be sent unchanged. `field` is the attribute, `reason` the rule; no content."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"invalid message: {field} {reason}")
        self.field = field
        self.reason = reason


class InvalidConfigError(ProviderError):
    """A setting is missing or wrong. The message names the setting, never its value."""

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(f"{setting} {reason}")
        self.setting = setting


class UnknownProviderError(ProviderError):
    """No provider is registered under this name. The message lists those that are."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"no provider is named {name!r}; known: {', '.join(known) or 'none'}")
        self.name = name
        self.known = tuple(known)
