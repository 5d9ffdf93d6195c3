"""Rows of the line with defaults, and a way to look at them past row-level security."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from notifications.content import encode
from notifications.facts import EventKey
from notifications.hashing import notification_id
from notifications.mail import Origin
from notifications.ports import Claim, EventRow, NotificationRow, QueueRow
from notifications.status import Reason, Status
from notifications.transition import AttemptRow, Fence, Leaves, QueueChange, Transition
from storage.address_vault import AddressVault
from tests.notifications.builders import ADDRESS, MILLISECONDS, NOW, RENDERED, REQUEST

SOURCE = "/psa/tickets"


@dataclass(frozen=True, slots=True)
class Superuser:
    """A connection that is above all policies."""

    connection: asyncpg.Connection

    async def sql(self, statement: str, *values: Any) -> list[Any]:
        return await self.connection.fetch(statement, *values)

    async def one(self, statement: str, *values: Any) -> Any:
        """Return the only row there is."""
        [row] = await self.connection.fetch(statement, *values)
        return row

    async def add_tenant(self, tenant: UUID) -> UUID:
        await self.sql("insert into tenants (id, slug, name) values ($1, $2, 'Acme')", tenant, f"t-{tenant.hex[:12]}")
        return tenant

    async def count(self, table: str) -> int:
        row = await self.one(f"select count(*) from {table}")  # noqa: S608 - a test's own word
        return row[0]

    async def enqueue(self, tenant: UUID, number: int, *, due_at: datetime = NOW, lane: int = 1, **more: Any) -> UUID:
        """Put one bare row into the queue."""
        id_ = id_of(tenant, f"evt-{number}")
        await self.sql(
            "insert into send_queue (notification_id, tenant_id, lane, due_at, reason, owner, attempt, provider,"
            " opened_at, pinned, format) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            id_,
            tenant,
            lane,
            due_at,
            more.get("reason", Reason.RATE),
            more.get("owner"),
            more.get("attempt", 0),
            more.get("provider"),
            more.get("opened_at"),
            more.get("pinned", False),
            more.get("format", 1),
        )
        return id_

    async def suppress(
        self, vault: AddressVault, tenant: UUID | None, address: str, reason: str = "manual", **more: Any
    ) -> None:
        """Put an address on a list."""
        stored = vault.seal(address)
        await self.sql(
            "insert into suppressions (tenant_id, address_hash, key_id, sealed, reason, scope, slug, expires_at,"
            " source, created_by) values ($1, $2, $3, $4, $5, $6, $7, $8, 'operator', 'test')",
            tenant,
            stored.address_hash,
            stored.key_id,
            stored.sealed,
            reason,
            more.get("scope", "all"),
            more.get("slug"),
            more.get("expires_at"),
        )

    async def trail(self, id_: UUID) -> list[tuple[int, str, str | None]]:
        row = await self.one("select trail from notification_logs where id = $1", id_)
        return [(step["version"], step["status"], step["reason"]) for step in json.loads(row["trail"])]

    async def outbox(self) -> list[dict[str, Any]]:
        return [json.loads(row["body"]) for row in await self.sql("select body from outbox order by id")]


def id_of(tenant: UUID, event_id: str, *, ms: int = MILLISECONDS) -> UUID:
    return notification_id(b"secret", ms, tenant, SOURCE, event_id, "ticket-updated", "user:u-1")


def key_of(tenant: UUID, event_id: str) -> EventKey:
    return EventKey(tenant_id=tenant, source=SOURCE, event_id=event_id)


def an_event_row(tenant: UUID, event_id: str = "evt-1", **changes: Any) -> EventRow:
    fields: dict[str, Any] = {
        "key": key_of(tenant, event_id),
        "stream": "outbound:events",
        "entry_id": "1-1",
        "type": "ticket.updated.v1",
        "subject": "ticket/42",
        "traceparent": None,
        "outcome": "notifications",
        "body": b"body",
        "changes": (),
    }
    return EventRow(**fields | changes)


def mine(owner: int, attempt: int = 1) -> QueueRow:
    return QueueRow(
        lane=1,
        due_at=NOW,
        reason=None,
        owner=owner,
        attempt=attempt,
        provider="smtp",
        mail_from="noreply@acme.example",
        opened_at=NOW,
    )


def anybodys(due_at: datetime = NOW, lane: int = 1) -> QueueRow:
    return QueueRow(
        lane=lane,
        due_at=due_at,
        reason=Reason.RATE,
        owner=None,
        attempt=0,
        provider=None,
        mail_from=None,
        opened_at=None,
    )


def a_notification_row(tenant: UUID, event_id: str = "evt-1", *, owner: int | None, **changes: Any) -> NotificationRow:
    """One that is being sent by `owner`; one that waits where that is None."""
    fields: dict[str, Any] = {
        "id": id_of(tenant, event_id),
        "event": key_of(tenant, event_id),
        "category": "tickets",
        "subtype": "ticket-updated",
        "user_id": "u-1",
        "recipient": ADDRESS,
        "status": Status.QUEUED if owner is None else Status.SENDING,
        "reason": Reason.RATE if owner is None else None,
        "template": ("ticket-updated", "en", "0" * 32),
        "gates": {"gate": "passed"},
        "traceparent": None,
        "correlationid": None,
        "content": encode(REQUEST if owner is None else RENDERED),
        "queue": anybodys() if owner is None else mine(owner),
        "delivery_event": {"told": event_id} if owner is None else None,
    }
    return NotificationRow(**fields | changes)


def a_claim(owner: int, *events: EventRow, notifications: list[NotificationRow] | None = None, **more: Any) -> Claim:
    """The events, each with one notification that `owner` sends."""
    rows = [a_notification_row(event.key.tenant_id, event.key.event_id, owner=owner) for event in events]
    return Claim(owner=owner, events=events, notifications=rows if notifications is None else notifications, **more)


def an_attempt(n: int = 1, outcome: str = "accepted") -> AttemptRow:
    return AttemptRow(
        n=n,
        provider="smtp",
        mail_from="noreply@acme.example",
        outcome=outcome,
        error=None,
        reply="250 ok",
        provider_message_id=None,
        worker="worker-1:1",
        started_at=NOW,
        finished_at=NOW,
    )


def a_change(
    tenant: UUID,
    status: Status,
    event_id: str = "evt-1",
    *,
    owner: int,
    queue: QueueChange | None = None,
    **changes: Any,
) -> Transition:
    """What an attempt of `owner` at the notification of this event came to."""
    fields: dict[str, Any] = {
        "id": id_of(tenant, event_id),
        "origin": Origin(
            event=key_of(tenant, event_id),
            traceparent=None,
            correlationid=None,
            category="tickets",
            subtype="ticket-updated",
            user_id="u-1",
            recipient=ADDRESS,
        ),
        "fence": Fence(owner=owner, attempt=1),
        "status": status,
        "reason": None,
        "queue": queue or Leaves(),
        "attempt": an_attempt(),
    }
    return Transition(**fields | changes)
