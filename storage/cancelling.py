"""Withdraws mail that waits, of one tenant: by notification, or by what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from notifications.report import Reports
from notifications.status import Reason, Status
from storage.columns import jsonb
from storage.origins import origin_of
from storage.outbox import insert_outbox
from storage.roles import Role
from storage.session import Database

# Begins with what waits, which is little beside what there ever was. What somebody holds is on its way, and what is
# pinned may have arrived: neither can be called cancelled.
_TAKE = """
with waiting as (
  select notification_id as id, true as is_queued from send_queue where tenant_id = $1 and owner is null and not pinned
  union all
  select i.notification_id, false from digests d join digest_items i on i.digest_id = d.id
  where d.tenant_id = $1 and d.closed_at is null),
wanted as (
  select w.id, w.is_queued
  from waiting w
  cross join lateral (select l.source, l.event_id from notification_logs l where l.id = w.id and l.tenant_id = $1
    and l.status in ('queued', 'collected') offset 0) l
  left join lateral (select e.subject from consumed_events e
    where (e.tenant_id, e.source, e.event_id) = ($1, l.source, l.event_id) offset 0) e on true
  where w.id = any($2::uuid[]) or e.subject = $3),
gone as (
  delete from send_queue q using wanted w
  where q.notification_id = w.id and q.owner is null and not q.pinned returning q.notification_id)
update notification_logs l set status = 'cancelled', reason = 'cancelled', version = l.version + 1, updated_at = $4,
  trail = l.trail || jsonb_build_array(jsonb_build_object(
    'version', l.version + 1, 'status', 'cancelled', 'reason', 'cancelled', 'at', $4::timestamptz, 'by', $5::text))
from wanted w
where l.tenant_id = $1 and l.id = w.id and l.status in ('queued', 'collected')
  and (not w.is_queued or l.id in (select notification_id from gone))
returning l.id, l.version, l.source, l.event_id, l.category, l.subtype, l.user_id, l.recipient, l.traceparent,
  l.correlationid"""

_AUDIT = "insert into audit_log (tenant_id, actor, action, subject, detail) values ($1, $2, $3, $4, $5)"


async def cancel(
    database: Database,
    tenant_id: UUID,
    *,
    ids: Sequence[UUID] = (),
    subject: str | None = None,
    reports: Reports,
    actor: str,
) -> list[UUID]:
    """Withdraw what waits and return the ids of what was withdrawn; each is told to the upstream, all are audited.

    `subject` is the event's (`ticket/42`). What is being sent, or may have been, is left alone.
    """
    now = datetime.now(UTC)
    async with database.tenants(Role.API, (tenant_id,)) as connection:
        rows = await connection.fetch(_TAKE, tenant_id, list(ids), subject, now, actor)
        events = [
            (tenant_id, jsonb(event)) for row in rows if (event := _told(tenant_id, row, reports, now)) is not None
        ]
        if events:
            await insert_outbox(connection, events)
            about = subject or ", ".join(str(row["id"]) for row in rows[:10])
            await connection.execute(
                _AUDIT, tenant_id, actor, "notifications.cancelled", about, jsonb({"count": len(rows)})
            )
    return [row["id"] for row in rows]


def _told(tenant_id: UUID, row: Any, reports: Reports, now: datetime) -> dict[str, Any] | None:
    return reports.of_status(
        row["id"],
        origin_of(tenant_id, row),
        status=Status.CANCELLED,
        reason=Reason.CANCELLED,
        due_at=None,
        now=now,
        version=row["version"],
    )
