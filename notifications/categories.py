"""Categories and subtypes as shipped; `migrate` copies them into Postgres, where tenants override them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class UncertainPolicy(StrEnum):
    """What to do with a mail that may or may not have been accepted."""

    AT_LEAST_ONCE = "at_least_once"
    """Send it again after a while: a second copy is better than none."""
    AT_MOST_ONCE = "at_most_once"
    """Do not send it again: `failed(unconfirmed)`, which an operator can re-drive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtype:
    """One kind of notification, with the system's defaults."""

    slug: str
    category: str
    is_mandatory: bool = False
    """Cannot be opted out of."""
    is_urgent: bool = False
    """Goes first, and has a rate limit of its own."""
    is_secret: bool = False
    """Carries a credential: its event body is not kept, and its content is deleted once it is terminal."""
    uncertain_policy: UncertainPolicy = UncertainPolicy.AT_LEAST_ONCE
    expires_after: timedelta | None = None
    """Not sent later than this after the event's time."""


_ALL = (
    Subtype(slug="ticket-updated", category="tickets"),
    Subtype(slug="invoice-issued", category="invoices"),
    Subtype(
        slug="user-verification",
        category="authentication",
        is_mandatory=True,
        is_urgent=True,
        is_secret=True,
        expires_after=timedelta(hours=24),
    ),
    Subtype(slug="user-verified", category="authentication", is_mandatory=True, is_urgent=True),
)

SUBTYPES: Mapping[str, Subtype] = {subtype.slug: subtype for subtype in _ALL}
