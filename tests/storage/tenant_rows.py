"""One row for every table that holds a tenant's data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from tests.notifications.builders import NOW
from tests.storage.rows import id_of

_EVENT = {"source": "/psa", "event_id": "evt-1"}
_SUPPRESSION = {"address_hash": b"x" * 16, "key_id": "k", "reason": "manual", "source": "operator", "created_by": "a"}
_TEMPLATE = dict.fromkeys(("subject", "html", "text", "layout_html", "layout_text"), "x")


def rows_of(tenant: UUID) -> dict[str, dict[str, Any]]:
    """One row for every table that holds a tenant's data, without the column that names the tenant."""
    id_ = id_of(tenant, "evt-1")
    slug = {"slug": f"s-{tenant.hex[:8]}"}
    return {
        "tenants": slug | {"name": "Acme"},
        "users": {"user_id": "u-1", "email": "alice@example.com"},
        "notification_settings": {},
        "notification_categories": slug,
        "notification_subtypes": slug | {"category": "tickets"},
        "user_notification_preferences": slug | {"user_id": "u-1", "scope": "category", "is_enabled": False},
        "tenant_email_settings": {},
        "suppressions": _SUPPRESSION,
        "audit_log": {"actor": "a", "action": "b", "subject": "c"},
        "tenant_email_templates": _TEMPLATE | {"name": "n", "locale": "en", "version": "1", "created_by": "a"},
        "consumed_events": _EVENT | {"entry_id": "1-1", "stream": "s", "type": "t", "outcome": "o"},
        "event_bodies": _EVENT | {"received_at": NOW, "body": b"x"},
        "notification_logs": _EVENT
        | {"id": id_, "category": "c", "subtype": "s", "status": "sending", "gates": "{}", "trail": "[]"},
        "message_contents": {"notification_id": id_, "kind": "request", "message": b"x", "sha256": b"x"},
        "delivery_attempts": {"notification_id": id_, "n": 1, "provider": "smtp", "outcome": "accepted"}
        | {"worker": "w", "started_at": NOW, "finished_at": NOW},
        "attachments": {"sha256": b"x", "content": b"x"},
        "send_queue": {"notification_id": id_, "lane": 1, "due_at": NOW},
        "outbox": {"body": "{}"},
        "digests": {"id": id_, "reader": "u-1", "key": "k", "closes_at": NOW},
        "digest_items": {"digest_id": id_, "notification_id": id_},
        "dead_letters": {"stream": "s", "entry_id": tenant.hex, "reason": "r", "detail": "d"}
        | {"fields": "{}", "deliveries": 1},
    }


def tenant_column(table: str) -> str:
    return "id" if table == "tenants" else "tenant_id"


async def insert(connection: Any, table: str, tenant: UUID | None, row: Mapping[str, Any]) -> None:
    values = {tenant_column(table): tenant} | dict(row)
    holes = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await connection.execute(
        f"insert into {table} ({', '.join(values)}) values ({holes})",  # noqa: S608 - names of this file
        *values.values(),
    )
