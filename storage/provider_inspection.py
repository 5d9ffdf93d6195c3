"""What an operator asks about providers beyond their settings: how recent attempts went, and who wants which one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from storage.columns import jsonb
from storage.session import Connection

# By id, because that is how attempts are kept, and an id begins with the time its notification came: those of older
# notifications, which waited or were tried before, are not looked for.
_RECENT = """
select provider, outcome, count(*) as attempts, max(finished_at) as last_at,
  (array_agg(error order by finished_at desc) filter (where outcome <> 'accepted'))[1] as last_error
from delivery_attempts
where notification_id >= id_at(now() - interval '1 hour') and finished_at >= now() - interval '15 minutes'
group by provider, outcome"""

_OVERRIDES = """
select provider, count(*) as tenants from tenant_email_settings where provider is not null group by provider"""

# The schedule counts from a drill by hand, too. Until it is known what came of it, nothing is claimed about it.
_BEGIN_DRILL = """
insert into provider_settings (provider, drilled_at) values ($1, now())
on conflict (provider) do update set drilled_at = now(), drill_outcome = null, updated_at = now()"""

_AUDIT = "insert into audit_log (actor, action, subject, detail) values ($1, $2, 'providers', $3)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """The attempts of the last 15 minutes that came to one outcome, at mails that came within the last hour."""

    provider: str
    outcome: str
    attempts: int
    last_at: datetime
    last_error: str | None


async def recent_traffic(connection: Connection) -> list[Traffic]:
    """Return what recent attempts came to, by provider and outcome."""
    return [Traffic(**row) for row in await connection.fetch(_RECENT)]


async def tenants_by_provider(connection: Connection) -> dict[str, int]:
    """Return how many tenants have a provider of their own, by its name."""
    return {row["provider"]: row["tenants"] for row in await connection.fetch(_OVERRIDES)}


async def record_test(
    connection: Connection, provider: str, outcome: str, detail: Mapping[str, Any], actor: str
) -> None:
    """Write into the audit log that somebody sent a mail past the line, and what the provider answered."""
    document = {"provider": provider, "outcome": outcome, **detail}
    await connection.execute(_AUDIT, actor, "providers.tested", jsonb(document))


async def begin_drill(connection: Connection, provider: str) -> None:
    """Take note that a provider is drilled now; `record_drill` says later what it came to."""
    await connection.execute(_BEGIN_DRILL, provider)
