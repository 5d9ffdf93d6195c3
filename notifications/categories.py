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
    is_enabled_by_default: bool = True
    """Who said nothing about it gets it."""
    is_urgent: bool = False
    """Goes first, and has a rate limit of its own."""
    is_secret: bool = False
    """Carries a credential: its event body is not kept, and its content is deleted once it is terminal."""
    uncertain_policy: UncertainPolicy = UncertainPolicy.AT_LEAST_ONCE
    expires_after: timedelta | None = None
    """Not sent later than this after the event's time."""


def _account(
    slug: str, *, is_urgent: bool = True, is_secret: bool = False, expires_after: timedelta | None = None
) -> Subtype:
    """Return what its owner must hear of an account. Two copies of a link harm nobody, none locks somebody out."""
    return Subtype(
        slug=slug,
        category="authentication",
        is_mandatory=True,
        is_urgent=is_urgent,
        is_secret=is_secret,
        expires_after=expires_after,
    )


CATEGORIES = ("tickets", "invoices", "digests", "authentication")
"""What people may switch on and off as one: families of subtypes."""

_ALL = (
    Subtype(slug="ticket-created", category="tickets"),
    Subtype(slug="ticket-created-client", category="tickets"),
    Subtype(slug="ticket-updated", category="tickets"),
    Subtype(slug="ticket-updated-client", category="tickets"),
    Subtype(slug="ticket-closed", category="tickets"),
    Subtype(slug="ticket-closed-client", category="tickets"),
    Subtype(slug="ticket-assigned", category="tickets"),
    Subtype(slug="ticket-assigned-client", category="tickets"),
    Subtype(slug="ticket-comment-added", category="tickets"),
    Subtype(slug="ticket-comment-added-client", category="tickets"),
    Subtype(slug="invoice-issued", category="invoices"),
    Subtype(slug="invoice-overdue", category="invoices"),
    Subtype(slug="invoice-paid", category="invoices"),
    Subtype(slug="digest", category="digests"),
    _account("user-verification", is_secret=True, expires_after=timedelta(hours=24)),
    _account("user-verified"),
    _account("password-reset", is_secret=True, expires_after=timedelta(hours=1)),
    # Whole companies are invited at once: that must not hold up anybody who waits for a password.
    _account("user-invitation", is_urgent=False, is_secret=True, expires_after=timedelta(days=7)),
)

SUBTYPES: Mapping[str, Subtype] = {subtype.slug: subtype for subtype in _ALL}
