"""The record and open transactions: all that changes with a notification changes together, or not at all."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog

from notifications.content import Kind, RenderedContent, RequestContent, decode
from notifications.status import Status
from notifications.transition import AttemptRow, Leaves, Opens, Parks, Taken, Transition, Waiting
from storage.address_vault import AddressVault
from storage.columns import columns, jsonb
from storage.origins import origin_of
from storage.outbox import insert_outbox
from storage.roles import Role
from storage.session import Connection, Database

log = structlog.get_logger()

# Statements name their keys twice, as a list beside the join. A join alone is planned by what Postgres believes of the
# table, and of one that is young and not analysed it believes that reading all rows of the batch's tenants is as good.
_FENCE = (
    "q.notification_id = any($1::uuid[])"
    " and (q.notification_id, q.owner, q.attempt) = (k.id, k.owner, k.attempt) returning q.notification_id"
)

_LEAVE = f"""
delete from send_queue q using unnest($1::uuid[], $2::bigint[], $3::integer[]) k (id, owner, attempt)
where {_FENCE}"""  # noqa: S608 - a constant

_PARK = f"""
update send_queue q set owner = null, due_at = k.due_at, reason = k.reason, pinned = k.pinned
from unnest($1::uuid[], $2::bigint[], $3::integer[], $4::timestamptz[], $5::text[], $6::boolean[])
  k (id, owner, attempt, due_at, reason, pinned)
where {_FENCE}"""  # noqa: S608 - a constant

_OPEN = f"""
update send_queue q set attempt = k.next, provider = k.provider, mail_from = k.mail_from,
  opened_at = k.opened_at, reason = null
from unnest($1::uuid[], $2::bigint[], $3::integer[], $4::integer[], $5::text[], $6::text[], $7::timestamptz[])
  k (id, owner, attempt, next, provider, mail_from, opened_at)
where {_FENCE}"""  # noqa: S608 - a constant

_PROVEN = "delete from send_queue where notification_id = any($1::uuid[]) and owner is null"

# What an attempt came to enters the ledger in any case, the status only where the fence held or it was accepted.
_RECORD = """
with k as (select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::jsonb[], $6::boolean[],
    $7::integer[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
    $15::timestamptz[], $16::timestamptz[])
  k (id, tenant_id, status, reason, gates, counts, n, provider, mail_from, outcome, error, reply, provider_message_id,
    worker, started_at, finished_at)),
attempts as (
  insert into delivery_attempts (notification_id, n, tenant_id, provider, mail_from, outcome, error, reply,
    provider_message_id, worker, started_at, finished_at)
  select id, n, tenant_id, provider, mail_from, outcome, error, reply, provider_message_id, worker, started_at,
    finished_at from k where n is not null
  on conflict (notification_id, n) do update set outcome = excluded.outcome, error = excluded.error,
    reply = excluded.reply, provider_message_id = excluded.provider_message_id, worker = excluded.worker,
    finished_at = excluded.finished_at
  where delivery_attempts.error = 'worker_died')
update notification_logs l set status = k.status, reason = k.reason, version = l.version + 1, updated_at = $17,
  gates = coalesce(k.gates, l.gates),
  trail = l.trail || jsonb_build_array(jsonb_build_object(
    'version', l.version + 1, 'status', k.status, 'reason', k.reason, 'at', $17::timestamptz))
from k
where k.counts and l.id = any($1::uuid[]) and l.id = k.id and l.tenant_id = k.tenant_id
  and (status_rank(l.status) = 0 or status_rank(k.status) > status_rank(l.status))
returning l.id, l.version"""

_CONTENTS = """
insert into message_contents (notification_id, kind, tenant_id, message, sha256)
select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::bytea[], $5::bytea[]) on conflict do nothing"""

_FORGET = "delete from message_contents where notification_id = any($1::uuid[])"

_SUPPRESS = """
insert into suppressions as s (tenant_id, address_hash, key_id, sealed, reason, source, created_by, notification_id)
select tenant_id, address_hash, key_id, sealed, 'hard_bounce', 'provider', provider, notification_id
from unnest($1::uuid[], $2::bytea[], $3::text[], $4::bytea[], $5::text[], $6::uuid[])
  k (tenant_id, address_hash, key_id, sealed, provider, notification_id)
on conflict (address_hash, tenant_id, reason, scope, slug) do update set expires_at = null, source = excluded.source,
  created_by = excluded.created_by, notification_id = excluded.notification_id, updated_at = now()
where s.expires_at is not null"""

_WAITING = """
select l.id, l.source, l.event_id, l.category, l.subtype, l.user_id, l.recipient, l.status, l.template_name,
  l.traceparent, l.correlationid, c.kind, c.message,
  a.tries, a.tried_at, a.first_tried
from unnest($1::uuid[], $2::uuid[]) k (id, tenant_id)
join notification_logs l on l.id = any($1::uuid[]) and l.id = k.id and l.tenant_id = k.tenant_id
cross join lateral (select count(*) filter (where error is distinct from 'quota') as tries,
    coalesce(array_agg(distinct provider), '{}') as tried_at,
    min(started_at) filter (where error is distinct from 'quota') as first_tried
  from delivery_attempts d where d.notification_id = l.id) a
left join lateral (select kind, message from message_contents m where m.notification_id = l.id
  order by kind = 'rendered' desc limit 1) c on true"""

Report = Callable[[Transition, int, datetime], Mapping[str, Any] | None]
"""Builds the delivery event of a change from its new version and time; None where none is published."""


class PostgresTransitions:
    """`notifications.transition.Transitions` over asyncpg."""

    def __init__(self, database: Database, report: Report, vault: AddressVault) -> None:
        self._database = database
        self._report = report
        self._vault = vault

    async def waiting(self, taken: Sequence[Taken]) -> Sequence[Waiting]:
        """Read what is stored of taken rows; a row whose notification is gone is left out."""
        tenant_ids = {row.tenant_id for row in taken}
        async with self._database.tenants(Role.WORKER, tenant_ids, read_only=True) as connection:
            rows = await connection.fetch(_WAITING, *columns([(row.id, row.tenant_id) for row in taken], 2))
        found = {row["id"]: row for row in rows}
        return [_waiting(row, found[row.id]) for row in taken if row.id in found]

    async def apply(self, changes: Sequence[Transition]) -> frozenset[UUID]:
        """Write changes in one transaction and return the ids whose fence held.

        Of a change whose fence no longer holds, the attempt enters the ledger, and an acceptance lifts the status and
        removes the row if nobody owns it.
        """
        ordered = sorted(changes, key=lambda change: change.id)
        tenant_ids = {change.origin.event.tenant_id for change in ordered}
        now = datetime.now(UTC)
        async with self._database.tenants(Role.WORKER, tenant_ids) as connection:
            held = await _move_queue_rows(connection, ordered)
            late = {change.id for change in ordered if change.id not in held and change.status is Status.ACCEPTED}
            versions = await _record(connection, ordered, held | late, now)
            if late:
                await connection.execute(_PROVEN, sorted(late))
            await _write_contents(connection, [change for change in ordered if change.id in held])
            await _forget_contents(connection, [c for c in ordered if c.id in held or c.id in late])
            await _suppress(connection, self._vault, ordered)
            await self._publish(connection, ordered, versions, now)
        return frozenset(held)

    async def _publish(
        self, connection: Connection, changes: Sequence[Transition], versions: Mapping[UUID, int], now: datetime
    ) -> None:
        rows = [
            (change.origin.event.tenant_id, jsonb(event))
            for change in changes
            if change.id in versions and (event := self._report(change, versions[change.id], now)) is not None
        ]
        await insert_outbox(connection, rows)


def _waiting(taken: Taken, row: Any) -> Waiting:
    return Waiting(
        taken=taken,
        origin=origin_of(taken.tenant_id, row),
        status=Status(row["status"]),
        tries=row["tries"],
        tried_at=frozenset(row["tried_at"]) - {None},
        first_tried=row["first_tried"],
        template_name=row["template_name"],
        content=None if row["message"] is None else _content(taken.id, row["kind"], row["message"]),
    )


def _content(notification_id: UUID, kind: Kind, message: bytes) -> RequestContent | RenderedContent | None:
    try:
        return decode(kind, message)
    except (ValueError, KeyError, zlib.error):
        log.exception("content.unreadable", notification_id=str(notification_id))
        return None


async def _move_queue_rows(connection: Connection, changes: Sequence[Transition]) -> set[UUID]:
    leaving: list[tuple[Any, ...]] = []
    parking: list[tuple[Any, ...]] = []
    opening: list[tuple[Any, ...]] = []
    for change in changes:
        key = (change.id, change.fence.owner, change.fence.attempt)
        match change.queue:
            case Leaves():
                leaving.append(key)
            case Parks(due_at=due_at, reason=reason, is_pinned=is_pinned):
                parking.append((*key, due_at, reason, is_pinned))
            case Opens(attempt=attempt, provider=provider, mail_from=mail_from, opened_at=opened_at):
                opening.append((*key, attempt, provider, mail_from, opened_at))
    held: set[UUID] = set()
    for statement, rows in ((_LEAVE, leaving), (_PARK, parking), (_OPEN, opening)):
        if rows:
            held.update(row[0] for row in await connection.fetch(statement, *columns(rows, len(rows[0]))))
    return held


async def _record(
    connection: Connection, changes: Sequence[Transition], counting: set[UUID], now: datetime
) -> dict[UUID, int]:
    """Enter attempts into the ledger and raise the status of those that count; return the new versions."""
    rows = [
        (
            change.id,
            change.origin.event.tenant_id,
            change.status,
            change.reason,
            None if change.verdict is None else jsonb(change.verdict.document()),
            change.id in counting,
            *_attempt(change.attempt),
        )
        for change in changes
    ]
    return dict(await connection.fetch(_RECORD, *columns(rows, 16), now)) if rows else {}


def _attempt(attempt: AttemptRow | None) -> tuple[Any, ...]:
    if attempt is None:
        return (None,) * 10
    return (
        attempt.n,
        attempt.provider,
        attempt.mail_from,
        attempt.outcome,
        attempt.error,
        attempt.reply,
        attempt.provider_message_id,
        attempt.worker,
        attempt.started_at,
        attempt.finished_at,
    )


async def _write_contents(connection: Connection, changes: Sequence[Transition]) -> None:
    rows = [
        (change.id, change.content.kind, change.origin.event.tenant_id, change.content.message, change.content.sha256)
        for change in changes
        if change.content is not None
    ]
    if rows:
        await connection.execute(_CONTENTS, *columns(rows, 5))


async def _forget_contents(connection: Connection, changes: Sequence[Transition]) -> None:
    """Delete what is secret and done with; whoever still holds a row of it looks at the status before the content."""
    forgotten = [change.id for change in changes if change.forgets_content]
    if forgotten:
        await connection.execute(_FORGET, forgotten)


async def _suppress(connection: Connection, vault: AddressVault, changes: Sequence[Transition]) -> None:
    """List mailboxes that do not exist; one that was listed for a time is listed for good."""
    rows: dict[tuple[UUID, bytes], tuple[Any, ...]] = {}
    for change in changes:
        if change.suppresses and change.origin.recipient is not None:
            tenant_id, stored = change.origin.event.tenant_id, vault.seal(change.origin.recipient)
            by = f"provider:{change.attempt.provider}" if change.attempt else "provider"
            # Once each: an upsert cannot touch a row twice.
            rows.setdefault((tenant_id, stored.address_hash), (stored.key_id, stored.sealed, by, change.id))
    if rows:
        await connection.execute(_SUPPRESS, *columns([(*key, *row) for key, row in sorted(rows.items())], 6))
