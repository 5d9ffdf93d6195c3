"""What a suppression says: whom not to write to, why, by whose word, and of which mail it speaks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from notifications.categories import CATEGORIES, SUBTYPES
from providers.mailbox import clean_line, parse_address

MAX_NOTE_CHARS = 500


class SuppressionReason(StrEnum):
    """Why an address is not written to."""

    HARD_BOUNCE = "hard_bounce"
    """The mailbox does not exist. The only one that holds mandatory mail back, too."""
    COMPLAINT = "complaint"
    """Its owner called a mail of ours spam."""
    UNSUBSCRIBED = "unsubscribed"
    """Its owner asked for no more mail: of all kinds, or of one."""
    MANUAL = "manual"
    """Somebody put it there by hand."""


class Source(StrEnum):
    """By whose word an address is listed."""

    PROVIDER = "provider"
    """A provider's answer to an attempt."""
    WEBHOOK = "webhook"
    """What a provider reported later."""
    OPERATOR = "operator"
    """A command, or a tenant's administrator."""
    RECIPIENT = "recipient"
    """Whoever reads the mailbox."""
    IMPORT = "import"
    """A file."""


class ScopeKind(StrEnum):
    """How much mail a suppression is about."""

    ALL = "all"
    """Every kind."""
    CATEGORY = "category"
    """One family of subtypes."""
    SUBTYPE = "subtype"
    """One kind of mail."""


_KNOWN = {ScopeKind.CATEGORY: frozenset(CATEGORIES), ScopeKind.SUBTYPE: frozenset(SUBTYPES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Of which mail a suppression speaks. `slug` names the category or subtype; None is all mail."""

    kind: ScopeKind = ScopeKind.ALL
    slug: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `all`, `category:SLUG` or `subtype:SLUG`.

        Raises:
            ValueError: when it is none of them, or there is no such category or subtype.
        """
        if text == ScopeKind.ALL:
            return cls()
        kind, _, slug = text.partition(":")
        for known, slugs in _KNOWN.items():
            if kind == known and slug in slugs:
                return cls(kind=known, slug=slug)
        raise ValueError("the scope should be all, category:SLUG or subtype:SLUG of one that there is")

    def __str__(self) -> str:
        return self.kind if self.slug is None else f"{self.kind}:{self.slug}"


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What to put on a list. `address` is as `suppressed_address` returns it; `expires_at` None is for good.

    Raises:
        ValueError: when it cannot be an entry; the text says why and quotes nothing.
    """

    address: str
    reason: SuppressionReason
    scope: Scope = EVERYTHING
    note: str | None = None
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.scope != EVERYTHING and self.reason is not SuppressionReason.UNSUBSCRIBED:
            raise ValueError("only the reason unsubscribed may be about less than all mail")
        if self.note is not None and (not self.note or clean_line(self.note, MAX_NOTE_CHARS) != self.note):
            raise ValueError(f"the note should be one line of at most {MAX_NOTE_CHARS} characters")
        if self.expires_at is not None and self.expires_at.tzinfo is None:
            raise ValueError("the expiry has no time zone")


def suppressed_address(text: str) -> str:
    """Return an address in the form in which it is listed and looked up: lower case, its domain as A-labels.

    Raises:
        InvalidAddressError: when it is none.
    """
    return parse_address(text.strip()).lower()
