"""Withdraws mail that waits, of one tenant: by notification, or by what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from notifications.facts import EventKey
from notifications.mail import Origin
from notifications.report import Reports
from notifications.status import Reason, Status
from notifications.transition import Fence, Leaves, Transition
from storage.columns import columns, jsonb
from storage.roles import Role
from storage.session import Database

# What somebody holds is on its way, and what is pinned may have arrived: neither can be called cancelled.
_TAKE = """
with wanted as (
  select l.id, q.notification_id is not null as is_queued
  from notification_logs l
  left join send_queue q on q.notification_id = l.id and q.tenant_id = l.tenant_id
  left join consumed_events e on (e.tenant_id, e.source, e.event_id) = (l.tenant_id, l.source, l.event_id)
  where l.tenant_id = $1 and l.status in ('queued', 'collected')
    and (l.id = any($2::uuid[]) or e.subject = $3)
    and (l.status = 'collected' or (q.owner is null and not q.pinned))),
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

_OUTBOX = "insert into outbox (tenant_id, body) select * from unnest($1::uuid[], $2::jsonb[])"

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
        events: list[tuple[UUID, str]] = []
        for row in rows:
            change = Transition(
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
                fence=Fence(owner=0, attempt=0),
                status=Status.CANCELLED,
                reason=Reason.CANCELLED,
                queue=Leaves(),
            )
            if (event := reports.of_change(change, row["version"], now)) is not None:
                events.append((tenant_id, jsonb(event)))
        if events:
            await connection.execute(_OUTBOX, *columns(events, 2))
            about = subject or ", ".join(str(row["id"]) for row in rows[:10])
            await connection.execute(
                _AUDIT, tenant_id, actor, "notifications.cancelled", about, jsonb({"count": len(rows)})
            )
    return [row["id"] for row in rows]
