"""What an operator may ask about events and notifications, whoever's they are (role `outbound_platform`)."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg.exceptions import (
    InsufficientPrivilegeError,
    InvalidAuthorizationSpecificationError,
    InvalidCatalogNameError,
    InvalidParameterValueError,
    UndefinedObjectError,
    UndefinedTableError,
)

from notifications.ports import UnavailableError
from storage.columns import columns
from storage.roles import Role
from storage.session import Connection, Database, open_database

_NOT_SET_UP = (
    InsufficientPrivilegeError,
    InvalidAuthorizationSpecificationError,
    InvalidCatalogNameError,
    InvalidParameterValueError,
    UndefinedObjectError,
    UndefinedTableError,
)
"""What a server says whose login, database, roles or tables are not (yet) ours."""

# The key begins with the tenant and the source. A question that names neither visits each pair once, through the index:
# it costs as many look-ups as there are pairs, not as many as there are events. `offset 0` keeps the planner from
# reading the whole table instead.
_EVENTS = """
with recursive origins as (
  (select tenant_id, source from consumed_events order by tenant_id, source limit 1)
  union all
  select n.tenant_id, n.source from origins o cross join lateral (
    select c.tenant_id, c.source from consumed_events c where (c.tenant_id, c.source) > (o.tenant_id, o.source)
    order by c.tenant_id, c.source limit 1) n)
select c.tenant_id, t.slug as tenant_slug, c.source, c.event_id, c.type, c.stream, c.entry_id, c.received_at, c.outcome,
  c.repeats, c.traceparent
from origins o cross join lateral (
  select * from consumed_events e where (e.tenant_id, e.source, e.event_id) = (o.tenant_id, o.source, $1) offset 0) c
left join tenants t on t.id = c.tenant_id
order by c.received_at"""

_EVENT_OF = """
select c.tenant_id, t.slug as tenant_slug, c.source, c.event_id, c.type, c.stream, c.entry_id, c.received_at, c.outcome,
  c.repeats, c.traceparent
from consumed_events c left join tenants t on t.id = c.tenant_id
where (c.tenant_id, c.source, c.event_id) = ($1, $2, $3)"""

_NOTIFICATION = """
l.id, l.tenant_id, l.source, l.event_id, l.category, l.subtype, l.user_id, l.recipient, l.status, l.reason, l.version,
  l.template_name, l.template_locale, l.template_version, l.gates, l.trail, l.traceparent, l.correlationid,
  l.redrive_of, l.created_at, l.updated_at"""

_NOTIFICATIONS = f"""
select {_NOTIFICATION}
from unnest($1::uuid[], $2::text[], $3::text[]) k (tenant_id, source, event_id)
join notification_logs l on (l.tenant_id, l.source, l.event_id) = (k.tenant_id, k.source, k.event_id)
order by l.id"""  # noqa: S608 - a constant

_BY_ID = f"select {_NOTIFICATION} from notification_logs l where l.id = $1"  # noqa: S608 - a constant

_ATTEMPTS = """
select notification_id, n, provider, mail_from, outcome, error, reply, provider_message_id, worker, started_at,
  finished_at
from delivery_attempts where notification_id = any($1::uuid[]) order by notification_id, n"""

_QUEUE = """
select q.notification_id, q.lane, q.due_at, q.reason, q.owner, w.name as owner_name, q.attempt, q.provider, q.mail_from,
  q.opened_at, q.pinned as is_pinned
from send_queue q left join workers w on w.id = q.owner
where q.notification_id = any($1::uuid[])"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEvent:
    """An event that was claimed. `outcome` says what it led to; `repeats` are the other entries it came under."""

    tenant_id: UUID
    tenant_slug: str | None
    source: str
    event_id: str
    type: str
    stream: str
    entry_id: str
    received_at: datetime
    outcome: str
    repeats: Sequence[Mapping[str, Any]]
    traceparent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One notification, without its content. `gates` is the verdict with its evidence, `trail` every status so far."""

    id: UUID
    tenant_id: UUID
    source: str
    event_id: str
    category: str
    subtype: str
    user_id: str | None
    recipient: str | None
    status: str
    reason: str | None
    version: int
    template_name: str | None
    template_locale: str | None
    template_version: str | None
    gates: Mapping[str, Any]
    trail: Sequence[Mapping[str, Any]]
    traceparent: str | None
    correlationid: str | None
    redrive_of: UUID | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at one provider; `n` counts from 1."""

    notification_id: UUID
    n: int
    provider: str
    mail_from: str | None
    outcome: str
    error: str | None
    reply: str | None
    provider_message_id: str | None
    worker: str
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePlace:
    """Where a notification waits or is being sent. `owner` None means that it waits for `due_at`."""

    notification_id: UUID
    lane: int
    due_at: datetime
    reason: str | None
    owner: int | None
    owner_name: str | None
    attempt: int
    provider: str | None
    mail_from: str | None
    opened_at: datetime | None
    is_pinned: bool


@asynccontextmanager
async def open_for_operator(dsn: str, role: Role = Role.PLATFORM) -> AsyncGenerator[Database]:
    """Open one connection as a role, for a command; what an operator can mend becomes a sentence.

    Raises:
        UnavailableError: when Postgres is away, refuses us, or was not migrated.
    """
    try:
        async with open_database(dsn, {role: 1}) as database:
            yield database
    except _NOT_SET_UP as error:
        raise UnavailableError(f"Postgres: {error}; `outbound doctor` says what to do") from error


async def find_events(connection: Connection, event_id: str) -> list[SeenEvent]:
    """Return every claimed event with this id, of any tenant and source, the oldest first."""
    return [_event(row) for row in await connection.fetch(_EVENTS, event_id)]


async def find_event_of(connection: Connection, notification: Notification) -> SeenEvent | None:
    """Return the event a notification came from; None once the inbox has forgotten it."""
    row = await connection.fetchrow(_EVENT_OF, notification.tenant_id, notification.source, notification.event_id)
    return None if row is None else _event(row)


async def find_notification(connection: Connection, notification_id: UUID) -> Notification | None:
    """Return one notification by its id."""
    row = await connection.fetchrow(_BY_ID, notification_id)
    return None if row is None else _notification(row)


async def notifications_of(connection: Connection, events: Sequence[SeenEvent]) -> list[Notification]:
    """Return the notifications that events led to, in the order of their ids."""
    keys = [(event.tenant_id, event.source, event.event_id) for event in events]
    return [_notification(row) for row in await connection.fetch(_NOTIFICATIONS, *columns(keys, 3))]


async def attempts_of(connection: Connection, notification_ids: Sequence[UUID]) -> list[Attempt]:
    """Return all attempts at these notifications, in their order."""
    return [Attempt(**row) for row in await connection.fetch(_ATTEMPTS, list(notification_ids))]


async def queue_places_of(connection: Connection, notification_ids: Sequence[UUID]) -> list[QueuePlace]:
    """Return the queue rows of those that wait or are being sent."""
    return [QueuePlace(**row) for row in await connection.fetch(_QUEUE, list(notification_ids))]


def _event(row: Mapping[str, Any]) -> SeenEvent:
    return SeenEvent(**{**row, "repeats": json.loads(row["repeats"])})


def _notification(row: Mapping[str, Any]) -> Notification:
    return Notification(**{**row, "gates": json.loads(row["gates"]), "trail": json.loads(row["trail"])})
