"""Which providers are in use: a value, as configured or as an operator switched."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

_WHOLE = 100


class InvalidChoiceError(ValueError):
    """A choice of providers that contradicts itself."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The providers in use. `split` gives a percentage of all mail to others as their first provider.

    Raises:
        InvalidChoiceError: when the fallback is the primary, or the split is over 100 % or not of whole per cents.
    """

    primary: str
    fallback: str | None = None
    split: Mapping[str, int] = field(default_factory=dict[str, int])

    def __post_init__(self) -> None:
        if self.fallback == self.primary:
            raise InvalidChoiceError("the fallback is another provider than the primary")
        if any(not 0 < share <= _WHOLE for share in self.split.values()) or sum(self.split.values()) > _WHOLE:
            raise InvalidChoiceError("a split is 1 to 100 per cent for each provider, and at most 100 in all")
        if self.primary in self.split:
            raise InvalidChoiceError("the primary gets what the split leaves: it has no share of its own")

    @property
    def names(self) -> frozenset[str]:
        """Every provider that is named."""
        return frozenset({self.primary, *([self.fallback] if self.fallback else []), *self.split})

    def order(self, notification_id: UUID, preferred: str | None = None) -> tuple[str, ...]:
        """Return the providers of one notification, the first one first.

        It begins with the tenant's `preferred` one, else with the one that the split gives it, else with the primary;
        primary and fallback follow. The split is by a hash of the id: the same at every attempt and in every process.
        """
        first = preferred or (self._share_of(notification_id) if self.split else None) or self.primary
        others = (name for name in (self.primary, self.fallback) if name is not None and name != first)
        return (first, *others)

    def _share_of(self, notification_id: UUID) -> str | None:
        point = int.from_bytes(hashlib.blake2b(notification_id.bytes, digest_size=8).digest()) % _WHOLE
        for name, share in sorted(self.split.items()):
            if point < share:
                return name
            point -= share
        return None
