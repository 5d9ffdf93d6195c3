"""The decide and claim transactions: what a batch needs to know, and what it writes, all or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

from notifications.content import FORMAT, StoredContent
from notifications.facts import EventKey, RecipientKey, Seen
from notifications.ports import BatchFacts, Claim, EventRow, NotificationRow, QueueRow
from notifications.template import TemplateVersion
from storage.address_vault import AddressVault
from storage.collecting import collect
from storage.columns import columns, jsonb, moment
from storage.dead_letters import insert_dead_letters
from storage.directory import apply_changes
from storage.outbox import insert_outbox
from storage.recipients import read_recipients
from storage.roles import Role
from storage.session import Connection, Database
from storage.settings_cache import SettingsCache, template_of

_VERSIONS = "select id, settings_version from tenants where id = any($1::uuid[])"

# A look-up by key for each, whatever Postgres thinks of the table: a plain join reads every row of the batch's tenants
# for as long as nobody has analysed it (22 ms for 43 keys among 3,300 rows, and growing). OFFSET 0 keeps it one.
_SEEN = """
select k.tenant_id, k.source, k.event_id, c.stream, c.entry_id
from unnest($1::uuid[], $2::text[], $3::text[]) k (tenant_id, source, event_id)
cross join lateral (select e.stream, e.entry_id from consumed_events e
  where (e.tenant_id, e.source, e.event_id) = (k.tenant_id, k.source, k.event_id) offset 0) c"""

_CONSUME = """
with k as (select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::text[], $9::bytea[], $10::text[])
  k (tenant_id, source, event_id, stream, entry_id, type, traceparent, outcome, body, subject)),
consumed as (
  insert into consumed_events (tenant_id, source, event_id, stream, entry_id, type, traceparent, outcome, subject)
  select tenant_id, source, event_id, stream, entry_id, type, traceparent, outcome, subject from k
  on conflict do nothing returning tenant_id, source, event_id),
bodies as (
  insert into event_bodies (tenant_id, source, event_id, received_at, body)
  select k.tenant_id, k.source, k.event_id, now(), k.body from k join consumed using (tenant_id, source, event_id)
  where k.body is not null)
select tenant_id, source, event_id from consumed"""

# One statement for the three tables: most columns of the second and the third are those of the first.
_NOTIFICATIONS = """
with k as (select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::jsonb[], $15::text[], $16::text[],
    $17::text[], $18::bytea[], $19::bytea[],
    $20::smallint[], $21::timestamptz[], $22::text[], $23::bigint[], $24::integer[], $25::text[], $26::text[],
    $27::timestamptz[])
  k (id, tenant_id, source, event_id, category, subtype, user_id, recipient, status, reason, template_name,
    template_locale, template_version, gates, traceparent, correlationid,
    kind, message, sha256,
    lane, due_at, waits_for, owner, attempt, provider, mail_from, opened_at)),
logs as (
  insert into notification_logs (id, tenant_id, source, event_id, category, subtype, user_id, recipient, status, reason,
    template_name, template_locale, template_version, gates, trail, traceparent, correlationid)
  select id, tenant_id, source, event_id, category, subtype, user_id, recipient, status, reason, template_name,
    template_locale, template_version, gates, jsonb_build_array(jsonb_build_object(
      'version', 1, 'status', status, 'reason', reason, 'at', now())), traceparent, correlationid from k),
contents as (
  insert into message_contents (notification_id, kind, tenant_id, message, sha256)
  select id, kind, tenant_id, message, sha256 from k where kind is not null)
insert into send_queue (notification_id, tenant_id, lane, due_at, reason, owner, attempt, provider, mail_from,
  opened_at, format)
select id, tenant_id, lane, due_at, waits_for, owner, attempt, provider, mail_from, opened_at, $28 from k
where lane is not null"""

_REPEATS = """
update consumed_events c set repeats =
  case when jsonb_array_length(c.repeats) < 100 then c.repeats || k.repeat else c.repeats end
from unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[]) k (tenant_id, source, event_id, repeat)
where (c.tenant_id, c.source, c.event_id) = (k.tenant_id, k.source, k.event_id)"""

_TEMPLATE = """
select name, locale, version, subject, html, text, layout_html, layout_text, messages from tenant_email_templates
where tenant_id = $1 and (name, locale, version) = ($2, $3, $4)
union all
select name, locale, version, subject, html, text, layout_html, layout_text, messages from system_email_templates
where (name, locale, version) = ($2, $3, $4) limit 1"""

_TEMPLATES_KEPT = 512


class PostgresLedger:
    """`notifications.ports.Ledger` over asyncpg: set-based, sorted, in one order of tables."""

    def __init__(self, database: Database, settings: SettingsCache, vault: AddressVault) -> None:
        self._database = database
        self._settings = settings
        self._vault = vault
        self._templates: dict[tuple[UUID, str, str, str], TemplateVersion] = {}

    async def read(self, events: Sequence[EventKey], recipients: Sequence[RecipientKey]) -> BatchFacts:
        """Read what a batch needs to know, in one read-only transaction; recipients come back in the order asked."""
        tenant_ids = {key.tenant_id for key in events} | {key.tenant_id for key in recipients}
        async with self._database.tenants(Role.WORKER, tenant_ids, read_only=True) as connection:
            versions = dict(await connection.fetch(_VERSIONS, list(tenant_ids)))
            tenants = await self._settings.get(connection, versions)
            seen = await connection.fetch(_SEEN, *columns([_key(event) for event in events], 3)) if events else []
            found = await read_recipients(connection, self._vault, recipients)
        return BatchFacts(
            tenants=tenants,
            seen={
                EventKey(tenant_id=row[0], source=row[1], event_id=row[2]): Seen(stream=row[3], entry_id=row[4])
                for row in seen
            },
            recipients=found,
        )

    async def claim(self, claim: Claim) -> Mapping[EventKey, Seen]:
        """Write a batch and return the events that somebody else had claimed meanwhile; nothing is written of those.

        Raises:
            FencedError: when the owner has been declared dead; nothing was written.
        """
        tenant_ids = {row.key.tenant_id for row in claim.events} | {row.key.tenant_id for row in claim.repeats}
        async with self._database.tenants(Role.WORKER, tenant_ids, owner=claim.owner) as connection:
            lost = await _consume(connection, claim.events)
            events = [row for row in claim.events if row.key not in lost]
            rows = sorted((row for row in claim.notifications if row.event not in lost), key=lambda row: row.id)
            await apply_changes(connection, events)
            await write_notifications(connection, rows)
            await collect(connection, rows)
            await _insert_repeats(connection, claim)
            await insert_dead_letters(connection, claim.dead)
            await _insert_outbox(connection, claim, events, rows)
        return lost

    async def template(self, tenant_id: UUID, name: str, locale: str, version: str) -> TemplateVersion:
        """Return one pinned version, the tenant's or the system's.

        Raises:
            LookupError: when no such version is stored (versions are never deleted).
        """
        key = (tenant_id, name, locale, version)
        if key not in self._templates:
            async with self._database.tenants(Role.WORKER, (tenant_id,), read_only=True) as connection:
                row = await connection.fetchrow(_TEMPLATE, *key)
            if row is None:
                raise LookupError(f"template {name}/{locale} has no version {version}")
            if len(self._templates) >= _TEMPLATES_KEPT:
                self._templates.pop(next(iter(self._templates)))
            self._templates[key] = template_of(row)
        return self._templates[key]


async def write_notifications(connection: Connection, rows: Sequence[NotificationRow]) -> None:
    """Write notifications with their content and queue rows, in the order given: by id."""
    if rows:
        await connection.execute(_NOTIFICATIONS, *columns([_notification(row) for row in rows], 27), FORMAT)


def _key(key: EventKey) -> tuple[UUID, str, str]:
    return key.tenant_id, key.source, key.event_id


async def _consume(connection: Connection, events: Sequence[EventRow]) -> dict[EventKey, Seen]:
    """Insert into the inbox; whoever inserts the row has the event. Return what others had, and under which entry."""
    if not events:
        return {}
    rows = sorted(
        (
            (*_key(row.key), row.stream, row.entry_id, row.type, row.traceparent, row.outcome, row.body, row.subject)
            for row in events
        ),
        key=itemgetter(0, 1, 2),
    )
    claimed = {tuple(row) for row in await connection.fetch(_CONSUME, *columns(rows, 10))}
    lost = [row.key for row in events if _key(row.key) not in claimed]
    if not lost:
        return {}
    return {
        EventKey(tenant_id=row[0], source=row[1], event_id=row[2]): Seen(stream=row[3], entry_id=row[4])
        for row in await connection.fetch(_SEEN, *columns([_key(key) for key in lost], 3))
    }


def _notification(row: NotificationRow) -> tuple[Any, ...]:
    return (
        row.id,
        row.event.tenant_id,
        row.event.source,
        row.event.event_id,
        row.category,
        row.subtype,
        row.user_id,
        row.recipient,
        row.status,
        row.reason,
        *(row.template or (None,) * 3),
        jsonb(row.gates),
        row.traceparent,
        row.correlationid,
        *_content(row.content),
        *_queue(row.queue),
    )


def _content(content: StoredContent | None) -> tuple[Any, ...]:
    return (None,) * 3 if content is None else (content.kind, content.message, content.sha256)


def _queue(row: QueueRow | None) -> tuple[Any, ...]:
    if row is None:
        return (None,) * 8
    return (
        row.lane,
        row.due_at,
        row.reason,
        row.owner,
        row.attempt,
        row.provider,
        row.mail_from,
        row.opened_at,
    )


async def _insert_repeats(connection: Connection, claim: Claim) -> None:
    if not claim.repeats:
        return
    now = moment(datetime.now(UTC))
    rows = [
        (*_key(row.key), jsonb([{"stream": row.stream, "entry_id": row.entry_id, "at": now}])) for row in claim.repeats
    ]
    # One statement a repeat: an UPDATE … FROM takes only one of two rows with the same key.
    for row in sorted(rows):
        await connection.execute(_REPEATS, *columns([row], 4))


async def _insert_outbox(
    connection: Connection, claim: Claim, events: Sequence[EventRow], rows: Sequence[NotificationRow]
) -> None:
    written: list[tuple[UUID | None, str]] = [
        (row.key.tenant_id, jsonb(row.delivery_event)) for row in events if row.delivery_event is not None
    ]
    written += [(row.event.tenant_id, jsonb(row.delivery_event)) for row in rows if row.delivery_event is not None]
    written += [(row.key.tenant_id, jsonb(row.delivery_event)) for row in claim.repeats]
    written += [(None, jsonb(event)) for event in claim.dead_events]
    await insert_outbox(connection, written)
