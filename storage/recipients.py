"""What directory, preferences, open digests and suppressions say about the people of a batch, in two queries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from typing import Any

from notifications.facts import RecipientFacts, RecipientKey
from notifications.timing import EVERY_DAY, DigestTime, Frequency, QuietHours
from storage.address_vault import AddressVault
from storage.columns import columns
from storage.session import Connection

_EIGHT = 8

_RECIPIENTS = """
select u.email, u.name, u.locale, u.timezone, coalesce(u.is_deleted, false) as is_deleted,
  s.is_enabled as wants_subtype, c.is_enabled as wants_category, o.other_email, u.quiet_begins, u.quiet_ends,
  u.quiet_days, coalesce(s.frequency, c.frequency) as frequency, u.digest_hour, u.digest_weekday,
  exists (select from digests d where (d.tenant_id, d.reader, d.key) = (k.tenant_id, k.reader, k.about)
    and d.closed_at is null) as open_digest
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::text[], $8::text[])
  with ordinality k (tenant_id, user_id, email, subtype, category, keeps_address, reader, about, position)
left join users u on (u.tenant_id, u.user_id) = (k.tenant_id, k.user_id)
left join user_notification_preferences s
  on (s.tenant_id, s.user_id, s.scope, s.slug) = (k.tenant_id, k.user_id, 'subtype', k.subtype)
left join user_notification_preferences c
  on (c.tenant_id, c.user_id, c.scope, c.slug) = (k.tenant_id, k.user_id, 'category', k.category)
cross join lateral (select case when not k.keeps_address then coalesce(s.email, c.email) end as other_email) o
order by k.position"""

# A query of its own, because only we have the key that the directory's addresses are hashed with. The list beside the
# join keeps a look-up by key a look-up by key, whatever Postgres believes of a table that nobody has analysed.
_SUPPRESSIONS = """
select k.position, array_agg(distinct l.reason) as reasons
from unnest($1::integer[], $2::uuid[], $3::bytea[], $4::text[], $5::text[])
  k (position, tenant_id, address_hash, subtype, category)
join suppressions l on l.address_hash = k.address_hash and (l.tenant_id = k.tenant_id or l.tenant_id is null)
where l.address_hash = any($3::bytea[]) and (l.expires_at is null or l.expires_at > now())
  and (l.scope = 'all' or l.slug = case l.scope when 'subtype' then k.subtype else k.category end)
group by k.position"""


async def read_recipients(
    connection: Connection, vault: AddressVault, keys: Sequence[RecipientKey]
) -> list[RecipientFacts]:
    """Return what is known of each, in the order asked."""
    if not keys:
        return []
    rows = [
        (
            key.tenant_id,
            key.user_id,
            key.email,
            key.subtype,
            key.category,
            key.keeps_address,
            key.reader,
            key.about,
        )
        for key in keys
    ]
    found = await connection.fetch(_RECIPIENTS, *columns(rows, 8))
    addresses = [row["other_email"] or key.email or row["email"] for row, key in zip(found, keys, strict=True)]
    listed = await _suppressions(connection, vault, keys, addresses)
    return [_recipient(row, listed.get(position, frozenset())) for position, row in enumerate(found)]


async def _suppressions(
    connection: Connection, vault: AddressVault, keys: Sequence[RecipientKey], addresses: Sequence[str | None]
) -> dict[int, frozenset[str]]:
    """Return the reasons that hold this kind of mail back from an address, by its position; most have none."""
    wanted = [
        (position, key.tenant_id, address_hash, key.subtype, key.category)
        for position, (key, address) in enumerate(zip(keys, addresses, strict=True))
        if address
        for address_hash in vault.hashes(address)
    ]
    rows = await connection.fetch(_SUPPRESSIONS, *columns(wanted, 5)) if wanted else ()
    return {row["position"]: frozenset(row["reasons"]) for row in rows}


def _recipient(row: Any, suppressions: frozenset[str]) -> RecipientFacts:
    return RecipientFacts(
        email=row["email"],
        name=row["name"],
        locale=row["locale"],
        timezone=row["timezone"],
        is_deleted=row["is_deleted"],
        wants_subtype=row["wants_subtype"],
        wants_category=row["wants_category"],
        other_email=row["other_email"],
        quiet=_quiet(row["quiet_begins"], row["quiet_ends"], tuple(row["quiet_days"] or ())),
        frequency=Frequency(row["frequency"] or Frequency.REALTIME),
        digest_time=DigestTime(
            hour=_EIGHT if row["digest_hour"] is None else row["digest_hour"], weekday=row["digest_weekday"] or 0
        ),
        open_digest=row["open_digest"],
        suppressions=suppressions,
    )


def _quiet(begins: time | None, ends: time | None, days: tuple[int, ...]) -> QuietHours | None:
    if begins is None or ends is None:
        return None
    return QuietHours(begins=begins, ends=ends, days=frozenset(days) or EVERY_DAY)
