"""A message with defaults, for tests that are about one field of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import settings

from providers.mailbox import Mailbox
from providers.message import OutboundMessage

NOTIFICATION = UUID("0193a5f0-0000-8000-8000-00000000002a")
TENANT = UUID("7d0c0000-0000-4000-8000-000000000001")
searched = settings(derandomize=True, max_examples=150, deadline=None)
"""For properties: the same examples every time, and no clock."""


def a_message(**changes: Any) -> OutboundMessage:
    fields: dict[str, Any] = {
        "notification_id": NOTIFICATION,
        "tenant_id": TENANT,
        "user_id": "u1",
        "template_name": "ticket-updated",
        "category": "tickets",
        "from_": Mailbox("Acme Support", "noreply@acme.example.com"),
        "mail_from": "bounce@acme.example.com",
        "rcpt_to": "jane@example.org",
        "to": (Mailbox("Jane Doe", "jane@example.org"),),
        "subject": "Ticket 42 was updated",
        "date": datetime(2026, 11, 24, 2, 0, tzinfo=UTC),
        "html": "<p>Hello Jane</p>\n",
        "text": "Hello Jane\n",
        **changes,
    }
    return OutboundMessage(**fields)


async def yes() -> bool:
    """Let the provider go on."""
    return True


async def no() -> bool:
    """Stop the provider before its point of no return."""
    return False
