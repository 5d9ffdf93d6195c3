"""What is said when something happens to a user."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from events.fields import Address, EventData, Identifier, Locale, Name, TimeZone, UtcTime, WebUrl

_RequiredAddress = Annotated[Address, StringConstraints(min_length=1)]


class _Addressed(EventData):
    """What an event says about the user it writes to."""

    email: _RequiredAddress
    """The address to write to."""
    name: Name | None = None
    """How to address them."""
    locale: Locale | None = None
    """Their language."""
    timezone: TimeZone | None = None
    """Their time zone."""


class UserVerificationRequested(_Addressed):
    """A user must show that an address is theirs."""

    user_id: Identifier
    """The upstream's key of the user."""
    verification_url: WebUrl
    """The link that verifies; secret."""
    expires_at: UtcTime | None = None
    """When the link ceases to work."""


class UserVerified(_Addressed):
    """A user has shown that an address is theirs."""

    user_id: Identifier
    """The upstream's key of the user."""


class UserPasswordResetRequested(_Addressed):
    """Somebody wants to set a new password for a user's account."""

    user_id: Identifier
    """The upstream's key of the user."""
    reset_url: WebUrl
    """The link that lets them; secret."""
    expires_at: UtcTime | None = None
    """When the link ceases to work."""


class UserInvited(_Addressed):
    """Somebody was invited to have an account."""

    user_id: Identifier | None = None
    """The upstream's key of the user, where there is one already."""
    invitation_url: WebUrl
    """The link that makes the account theirs; secret."""
    expires_at: UtcTime | None = None
    """When the link ceases to work."""
    inviter_name: Name | None = None
    """Who invited them, for display."""


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
