"""Digests: what is collected lies in exactly one, and one transaction turns all of it into what goes."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from notifications.content import FORMAT, RequestContent, decode
from notifications.digest import Closing, Item, OpenDigest
from notifications.facts import EventKey
from notifications.mail import Origin
from notifications.ports import DigestPlace, NotificationRow
from notifications.report import Reports
from notifications.status import Reason, Status
from notifications.transition import Fence, Leaves, Parks, QueueChange, Transition
from storage.columns import columns, jsonb
from storage.roles import Role
from storage.session import Connection, Database

log = structlog.get_logger()

_TRIES = 5

_OPEN = """
insert into digests (tenant_id, reader, key, closes_at)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) on conflict do nothing"""

# Shared locks: a digest cannot close between here and the commit, so none of its items is missed.
_LOCK = """
select d.id, d.tenant_id, d.reader, d.key from digests d
join unnest($1::uuid[], $2::text[], $3::text[]) k (tenant_id, reader, key)
  on (d.tenant_id, d.reader, d.key) = (k.tenant_id, k.reader, k.key)
where d.closed_at is null order by d.id for share of d"""

_LAY = """
insert into digest_items (digest_id, notification_id, tenant_id)
select * from unnest($1::uuid[], $2::uuid[], $3::uuid[])"""

_DUE = """
select id, tenant_id from digests where closed_at is null and closes_at <= $1 and id <> all($3::uuid[])
order by closes_at limit $2"""

_FIND = "select reader, key from digests where id = $1 and closed_at is null"

_CLOSE = """
update digests set closed_at = $2 where id = $1 and closed_at is null and closes_at <= $2 returning id"""

_REOPEN = "update digests set closed_at = null where id = $1"

# Locked: whoever withdraws an item at this moment waits, and then finds it told.
_PRESENT = """
select i.notification_id from digest_items i
join notification_logs l on l.id = i.notification_id and l.tenant_id = i.tenant_id
where i.digest_id = $1 and l.status = 'collected' order by i.notification_id for update of l"""

_ITEMS = """
select l.id, l.source, l.event_id, l.category, l.subtype, l.user_id, l.recipient, l.traceparent, l.correlationid,
  c.kind, c.message
from digest_items i
join notification_logs l on l.id = i.notification_id and l.tenant_id = i.tenant_id
left join message_contents c on c.notification_id = l.id and c.kind = 'request'
where i.digest_id = $1 and l.status = 'collected' order by l.id"""

_TELL = """
update notification_logs l set status = k.status, reason = k.reason, version = l.version + 1, updated_at = $5,
  trail = l.trail || jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('version', l.version + 1,
    'status', k.status, 'reason', k.reason, 'at', $5::timestamptz,
    'into', case when k.status = 'digested' then $6::uuid end)))
from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) k (id, tenant_id, status, reason)
where l.id = any($1::uuid[]) and l.id = k.id and l.tenant_id = k.tenant_id and l.status = 'collected'
returning l.id, l.version"""

_QUEUE = """
insert into send_queue (notification_id, tenant_id, lane, due_at, reason, format)
values ($1, $2, 1, $3, 'digest', $4)"""

_OUTBOX = "insert into outbox (tenant_id, body) select * from unnest($1::uuid[], $2::jsonb[])"

Write = Callable[[Connection, Sequence[NotificationRow]], Awaitable[None]]
"""Writes notifications as a claim does."""


async def collect(connection: Connection, rows: Sequence[NotificationRow]) -> None:
    """Open the windows that begin with these notifications, and lay those that are collected into their digests."""
    opening = [(row.event.tenant_id, row.opens) for row in rows if row.opens is not None]
    collected = [(row, row.digest) for row in rows if row.digest is not None]
    wanted = sorted(
        {
            (tenant_id, place.reader, place.about): place.closes_at
            for tenant_id, place in (*opening, *((row.event.tenant_id, place) for row, place in collected))
        }.items()
    )
    if not wanted:
        return
    await connection.execute(_OPEN, *columns([(*key, closes_at) for key, closes_at in wanted], 4))
    if not collected:
        return
    found = await _locked(connection, wanted)
    items = sorted((found[_key(row, place)], row.id, row.event.tenant_id) for row, place in collected)
    await connection.execute(_LAY, *columns(items, 3))


async def _locked(
    connection: Connection, wanted: Sequence[tuple[tuple[UUID, str, str], datetime]]
) -> dict[tuple[UUID, str, str], UUID]:
    """Return the open digests, locked; one that closes meanwhile is opened anew."""
    keys = [key for key, _ in wanted]
    for _ in range(_TRIES):
        rows = await connection.fetch(_LOCK, *columns(keys, 3))
        found = {(row["tenant_id"], row["reader"], row["key"]): row["id"] for row in rows}
        if len(found) == len(keys):
            return found
        await connection.execute(_OPEN, *columns([(*key, closes_at) for key, closes_at in wanted], 4))
    raise RuntimeError("a digest closes as fast as it is opened")


def _key(row: NotificationRow, place: DigestPlace) -> tuple[UUID, str, str]:
    return row.event.tenant_id, place.reader, place.about


class Digests:
    """Digests that are due. Every method raises UnavailableError when Postgres is away."""

    def __init__(self, database: Database, reports: Reports, write: Write) -> None:
        self._database = database
        self._reports = reports
        self._write = write

    async def due(self, now: datetime, limit: int, *, without: Sequence[UUID] = ()) -> Sequence[tuple[UUID, UUID]]:
        """Return digests that are due, each with its tenant, the oldest first."""
        async with self._database.everyone(Role.DISPATCHER) as connection:
            return [(row["id"], row["tenant_id"]) for row in await connection.fetch(_DUE, now, limit, list(without))]

    async def find(self, digest_id: UUID, tenant_id: UUID) -> OpenDigest | None:
        """Return an open digest with what lies in it; None where it was closed meanwhile."""
        async with self._database.tenants(Role.WORKER, (tenant_id,), read_only=True) as connection:
            row = await connection.fetchrow(_FIND, digest_id)
            if row is None:
                return None
            items = [_item(tenant_id, item) for item in await connection.fetch(_ITEMS, digest_id)]
        return OpenDigest(id=digest_id, tenant_id=tenant_id, reader=row["reader"], about=row["key"], items=items)

    async def close(self, digest: OpenDigest, closing: Closing, now: datetime) -> bool:
        """Close a digest in one transaction, and tell whether it was closed.

        It is not where another process had closed it, or something was laid into it or withdrawn since it was read.
        """
        async with self._database.tenants(Role.WORKER, (digest.tenant_id,)) as connection:
            if await connection.fetchrow(_CLOSE, digest.id, now) is None:
                return False
            present = {row["notification_id"] for row in await connection.fetch(_PRESENT, digest.id)}
            if present != {item.id for item in digest.items}:
                await connection.execute(_REOPEN, digest.id)
                return False
            await self._tell(connection, closing, now)
        return True

    async def _tell(self, connection: Connection, closing: Closing, now: datetime) -> None:
        if closing.mail is not None:
            await self._write(connection, [closing.mail])
        for item in sorted(closing.alone, key=lambda item: item.id):
            await connection.execute(_QUEUE, item.id, item.origin.event.tenant_id, now, FORMAT)
        waits = Parks(due_at=now, reason=Reason.DIGEST, is_pinned=False)
        changes = [_change(one.item, one.status, one.reason, Leaves()) for one in closing.stopped]
        changes += [_change(item, Status.DIGESTED, Reason.DIGEST, Leaves()) for item in closing.told]
        changes += [_change(item, Status.QUEUED, Reason.DIGEST, waits) for item in closing.alone]
        if not changes:
            return
        rows = [(change.id, change.origin.event.tenant_id, change.status, change.reason) for change in changes]
        into = closing.mail.id if closing.mail is not None else None
        versions = dict(await connection.fetch(_TELL, *columns(rows, 4), now, into))
        events = [
            (change.origin.event.tenant_id, jsonb(event))
            for change in changes
            if change.id in versions and (event := self._reports.of_change(change, versions[change.id], now))
        ]
        if closing.mail is not None and closing.mail.delivery_event is not None:
            events.append((closing.mail.event.tenant_id, jsonb(closing.mail.delivery_event)))
        await connection.execute(_OUTBOX, *columns(events, 2))


def _change(item: Item, status: Status, reason: Reason, queue: QueueChange) -> Transition:
    return Transition(
        id=item.id,
        origin=item.origin,
        fence=Fence(owner=0, attempt=0),
        status=status,
        reason=reason,
        queue=queue,
    )


def _item(tenant_id: UUID, row: Any) -> Item:
    return Item(
        id=row["id"],
        origin=Origin(
            event=EventKey(tenant_id=tenant_id, source=row["source"], event_id=row["event_id"]),
            traceparent=row["traceparent"],
            correlationid=row["correlationid"],
            category=row["category"],
            subtype=row["subtype"],
            user_id=row["user_id"],
            recipient=row["recipient"],
        ),
        content=None if row["message"] is None else _request(row["id"], row["message"]),
    )


def _request(notification_id: UUID, message: bytes) -> RequestContent | None:
    try:
        content = decode("request", message)
    except (ValueError, KeyError, zlib.error):
        log.exception("content.unreadable", notification_id=str(notification_id))
        return None
    return content if isinstance(content, RequestContent) else None
