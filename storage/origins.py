"""A notification's origin, read from its row."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from notifications.facts import EventKey
from notifications.mail import Origin

ORIGIN_COLUMNS = "l.source, l.event_id, l.category, l.subtype, l.user_id, l.recipient, l.traceparent, l.correlationid"
"""What `origin_of` reads, of `notification_logs l`."""


def origin_of(tenant_id: UUID, row: Any) -> Origin:
    """Return where a notification comes from."""
    return Origin(
        event=EventKey(tenant_id=tenant_id, source=row["source"], event_id=row["event_id"]),
        traceparent=row["traceparent"],
        correlationid=row["correlationid"],
        category=row["category"],
        subtype=row["subtype"],
        user_id=row["user_id"],
        recipient=row["recipient"],
    )
