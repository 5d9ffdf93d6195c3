"""Digests: what is collected lies in exactly one, and one transaction turns all of it into what goes."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from notifications.content import FORMAT, RequestContent, decode
from notifications.digest import Closing, Item, OpenDigest
from notifications.draft import NORMAL_LANE
from notifications.report import Reports
from notifications.status import Reason, Status
from storage.columns import columns, jsonb
from storage.ledger import write_notifications
from storage.origins import origin_of
from storage.outbox import insert_outbox
from storage.roles import Role
from storage.session import Connection, Database

log = structlog.get_logger()

# For a minute nobody else looks at them; what fails is looked at again after it.
_LEASE = """
update digests set leased_until = $1::timestamptz + interval '1 minute' where id in (
  select id from digests where closed_at is null and closes_at <= $1 and coalesce(leased_until, '-infinity') <= $1
  order by closes_at limit $2 for update skip locked)
returning id, tenant_id"""

_FIND = "select reader, key from digests where id = $1 and closed_at is null"

_LOCK = "select from digests where id = $1 and closed_at is null and closes_at <= $2 for update"

_CLOSE = "update digests set closed_at = $2 where id = $1"

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
select id, $2, $3, $4, $5, $6 from unnest($1::uuid[]) k (id)"""


class Digests:
    """Digests that are due. Every method raises UnavailableError when Postgres is away."""

    def __init__(self, database: Database, reports: Reports) -> None:
        self._database = database
        self._reports = reports

    async def lease(self, now: datetime, limit: int) -> Sequence[tuple[UUID, UUID]]:
        """Take digests that are due for a minute, the oldest first, and return each with its tenant."""
        async with self._database.everyone(Role.DISPATCHER) as connection:
            return [(row["id"], row["tenant_id"]) for row in await connection.fetch(_LEASE, now, limit)]

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
            if await connection.fetchrow(_LOCK, digest.id, now) is None:
                return False
            present = {row["notification_id"] for row in await connection.fetch(_PRESENT, digest.id)}
            if present != {item.id for item in digest.items}:
                return False
            await connection.execute(_CLOSE, digest.id, now)
            await self._tell(connection, closing, now)
        return True

    async def _tell(self, connection: Connection, closing: Closing, now: datetime) -> None:
        if closing.mail is not None:
            await write_notifications(connection, [closing.mail])
        if closing.alone:
            ids = sorted(item.id for item in closing.alone)
            tenant_id = closing.alone[0].origin.event.tenant_id
            await connection.execute(_QUEUE, ids, tenant_id, NORMAL_LANE, now, Reason.DIGEST, FORMAT)
        told = [
            *((one.item, one.status, one.reason) for one in closing.stopped),
            *((item, Status.DIGESTED, Reason.DIGEST) for item in closing.told),
            *((item, Status.QUEUED, Reason.DIGEST) for item in closing.alone),
        ]
        if not told:
            return
        rows = [(item.id, item.origin.event.tenant_id, status, reason) for item, status, reason in told]
        into = closing.mail.id if closing.mail is not None else None
        versions = dict(await connection.fetch(_TELL, *columns(rows, 4), now, into))
        events = [
            (item.origin.event.tenant_id, jsonb(event))
            for item, status, reason in told
            if item.id in versions and (event := self._told(item, status, reason, versions[item.id], now)) is not None
        ]
        if closing.mail is not None and closing.mail.delivery_event is not None:
            events.append((closing.mail.event.tenant_id, jsonb(closing.mail.delivery_event)))
        await insert_outbox(connection, events)

    def _told(self, item: Item, status: Status, reason: Reason, version: int, now: datetime) -> dict[str, Any] | None:
        due_at = now if status is Status.QUEUED else None
        return self._reports.of_status(
            item.id, item.origin, status=status, reason=reason, due_at=due_at, now=now, version=version
        )


def _item(tenant_id: UUID, row: Any) -> Item:
    return Item(
        id=row["id"],
        origin=origin_of(tenant_id, row),
        content=None if row["message"] is None else _request(row["id"], row["message"]),
    )


def _request(notification_id: UUID, message: bytes) -> RequestContent | None:
    try:
        content = decode("request", message)
    except (ValueError, KeyError, zlib.error):
        log.exception("content.unreadable", notification_id=str(notification_id))
        return None
    return content if isinstance(content, RequestContent) else None
