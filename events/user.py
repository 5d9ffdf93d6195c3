"""What is said when something happens to a user."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from events.fields import Address, EventData, Identifier, Locale, Name, TimeZone, UtcTime, WebUrl

_RequiredAddress = Annotated[Address, StringConstraints(min_length=1)]


class UserVerificationRequested(EventData):
    """A user must show that an address is theirs."""

    user_id: Identifier
    """The upstream's key of the user."""
    email: _RequiredAddress
    """The address to verify."""
    name: Name | None = None
    """How to address them."""
    verification_url: WebUrl
    """The link that verifies; secret."""
    expires_at: UtcTime | None = None
    """When the link ceases to work."""
    locale: Locale | None = None
    """Their language."""
    timezone: TimeZone | None = None
    """Their time zone."""


class UserVerified(EventData):
    """A user has shown that an address is theirs."""

    user_id: Identifier
    """The upstream's key of the user."""
    email: _RequiredAddress
    """The verified address."""
    name: Name | None = None
    """How to address them."""
    locale: Locale | None = None
    """Their language."""
    timezone: TimeZone | None = None
    """Their time zone."""


class UserUpdated(EventData):
    """A user is new, or something about them changed. What is left out stays as it is."""

    user_id: Identifier
    """The upstream's key of the user."""
    email: _RequiredAddress | None = None
    """Their address."""
    name: Name | None = None
    """How to address them."""
    locale: Locale | None = None
    """Their language."""
    timezone: TimeZone | None = None
    """Their time zone."""
    email_verified: bool | None = None
    """Whether the address is known to be theirs."""


class UserDeleted(EventData):
    """A user is gone."""

    user_id: Identifier
    """The upstream's key of the user."""
