"""Events of one ticket, for tests to handle."""

from __future__ import annotations

from typing import Any

from consumers.routes import ROUTES
from notifications.request import NotificationRequest
from tests.events.samples import event_of

ANN = {"role": "requester", "user_id": "u1", "email": "ann@example.com", "name": "Ann", "locale": "de"}
BOB = {"role": "assignee", "user_id": "u2", "name": "Bob", "timezone": "Europe/Berlin"}
CYD = {"role": "cc", "user_id": "u3", "email": "cyd@example.com", "name": "Cyd"}


def requested(what: str, **data: Any) -> list[NotificationRequest]:
    """Return the notifications that `ticket.{what}.v1` asks for."""
    event = event_of(f"ticket.{what}.v1", {"ticket_id": "42", "title": "Printer on fire"} | data)
    return [effect for effect in ROUTES[event.type](event) if isinstance(effect, NotificationRequest)]


def told(requests: list[NotificationRequest]) -> list[tuple[str | None, str]]:
    """Return who is told in which words, copies included, in the order of the requests."""
    readers = [
        (reader.user_id or reader.email, request.subtype)
        for request in requests
        for reader in (request.recipient, *request.cc, *request.bcc)
    ]
    return list(dict.fromkeys(readers))
