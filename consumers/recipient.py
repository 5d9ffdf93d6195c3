"""Whom an event means, in the words of a request."""

from __future__ import annotations

from typing import Protocol

from notifications.request import Recipient


class Addressee(Protocol):
    """Somebody an event tells about: a person it concerns, or the user it is about."""

    @property
    def user_id(self) -> str | None:
        """The upstream's key of this user."""
        ...

    @property
    def email(self) -> str | None:
        """Where to write to."""
        ...

    @property
    def name(self) -> str | None:
        """How to address them."""
        ...

    @property
    def locale(self) -> str | None:
        """Their language."""
        ...

    @property
    def timezone(self) -> str | None:
        """Their time zone."""
        ...


def recipient_of(person: Addressee) -> Recipient:
    """Return what the event tells about somebody; the directory fills in the rest."""
    return Recipient(
        user_id=person.user_id,
        email=person.email,
        name=person.name,
        locale=person.locale,
        timezone=person.timezone,
    )
