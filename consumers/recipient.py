"""Whom an event means, in the words of a request."""

from __future__ import annotations

from events.people import Person
from events.user import UserVerificationRequested, UserVerified
from notifications.request import Recipient


def recipient_of(person: Person | UserVerificationRequested | UserVerified) -> Recipient:
    """Return what the event tells about somebody; the directory fills in the rest."""
    return Recipient(
        user_id=person.user_id,
        email=person.email,
        name=person.name,
        locale=person.locale,
        timezone=person.timezone,
    )
