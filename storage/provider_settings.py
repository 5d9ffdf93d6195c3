"""What all processes share about providers: the operator's switch, and how long an account has to rest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from providers.choice import Choice, InvalidChoiceError
from providers.health import Pause, PauseReason
from storage.columns import columns, jsonb
from storage.roles import Role
from storage.session import Connection, Database

log = structlog.get_logger()

_CHOICE = """
select primary_provider, fallback_provider, split, configured_primary, configured_fallback, changed_by, changed_at
from provider_choice"""

_SETTINGS = "select provider, paused_until, pause_reason, drilled_at, drill_outcome from provider_settings"

_RESTS = "select provider, paused_until, pause_reason from provider_settings where paused_until > now()"

# A quota outweighs a rate, as it leads elsewhere; of two alike the later end counts.
_REST = """
insert into provider_settings (provider, paused_until, pause_reason)
select * from unnest($1::text[], $2::timestamptz[], $3::text[])
on conflict (provider) do update set paused_until = excluded.paused_until, pause_reason = excluded.pause_reason,
  updated_at = now()
where (provider_settings.paused_until > now()) is not true
  or (provider_settings.pause_reason = 'quota', provider_settings.paused_until)
    < (excluded.pause_reason = 'quota', excluded.paused_until)"""

_FORGET = """
delete from provider_choice where (configured_primary, configured_fallback) is distinct from ($1::text, $2::text)
returning primary_provider, fallback_provider, split"""

_SWITCH = """
insert into provider_choice (primary_provider, fallback_provider, split, configured_primary, configured_fallback,
  changed_by) values ($1, $2, $3, $4, $5, $6)
on conflict (is_only) do update set primary_provider = excluded.primary_provider,
  fallback_provider = excluded.fallback_provider, split = excluded.split,
  configured_primary = excluded.configured_primary, configured_fallback = excluded.configured_fallback,
  changed_by = excluded.changed_by, changed_at = now()"""

_RESET = "delete from provider_choice returning primary_provider, fallback_provider, split"

_RESUME = """
update provider_settings set paused_until = null, pause_reason = null, updated_at = now()
where provider = $1 and paused_until > now() returning provider"""

# At most once in a while, whichever process asks: only one update finds the row as old as it must be.
_DUE = """
insert into provider_settings (provider, drilled_at) values ($1, now())
on conflict (provider) do update set drilled_at = now(), drill_outcome = null, updated_at = now()
where coalesce(provider_settings.drilled_at, '-infinity') <= now() - $2::interval
returning provider"""

_DRILLED = "update provider_settings set drill_outcome = $2, updated_at = now() where provider = $1"

_AUDIT = "insert into audit_log (actor, action, subject, detail) values ($1, $2, 'providers', $3)"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredChoice:
    """An operator's switch. `configured` is what the environment said when it was made."""

    choice: Choice
    configured: Choice
    changed_by: str
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedState:
    """What every worker reads once a second: the switch, if there is one, and who rests."""

    stored: StoredChoice | None
    rests: Mapping[str, Pause]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRow:
    """What is stored about one provider."""

    provider: str
    paused_until: datetime | None
    pause_reason: str | None
    drilled_at: datetime | None
    drill_outcome: str | None


class ProviderSettings:
    """The shared state, as a worker reads and writes it. Every method raises UnavailableError when Postgres is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self) -> SharedState:
        """Return what is true now."""
        async with self._database.everyone(Role.WORKER) as connection:
            return SharedState(
                stored=await self._readable_choice(connection),
                rests={
                    row["provider"]: Pause(row["paused_until"], PauseReason(row["pause_reason"]))
                    for row in await connection.fetch(_RESTS)
                },
            )

    async def _readable_choice(self, connection: Connection) -> StoredChoice | None:
        """Return the switch; one that somebody wrote by hand and that makes no sense counts as none, and is told."""
        try:
            return await find_choice(connection)
        except (InvalidChoiceError, TypeError, ValueError, AttributeError) as error:
            log.error("providers.switch_unreadable", error=type(error).__name__)  # noqa: TRY400 - the row is the news
            return None

    async def rest(self, rests: Mapping[str, Pause]) -> None:
        """Let every process know that accounts have to rest; an earlier end does not shorten a later one."""
        rows = [(name, pause.until, pause.reason.value) for name, pause in sorted(rests.items())]
        async with self._database.everyone(Role.WORKER) as connection:
            await connection.execute(_REST, *columns(rows, 3))

    async def forget_outdated_switch(self, configured: Choice, actor: str) -> bool:
        """Remove a switch that was made under another configuration, and say so in the audit log."""
        async with self._database.everyone(Role.WORKER) as connection:
            removed = await connection.fetchrow(_FORGET, configured.primary, configured.fallback)
            if removed is None:
                return False
            await _audit(connection, actor, "providers.switch_removed", _document(configured), _from_row(removed))
            return True

    async def claim_drill(self, provider: str, every: Any) -> bool:
        """Tell whether a drill of this provider is due and ours to make; nobody else is told so within `every`."""
        async with self._database.everyone(Role.WORKER) as connection:
            return await connection.fetchval(_DUE, provider, every) is not None

    async def drilled(self, provider: str, outcome: str, detail: Mapping[str, Any], actor: str) -> None:
        """Record what a drill came to."""
        async with self._database.everyone(Role.WORKER) as connection:
            await record_drill(connection, provider, outcome, detail, actor)


async def find_choice(connection: Connection) -> StoredChoice | None:
    """Return the operator's switch, if there is one."""
    row = await connection.fetchrow(_CHOICE)
    if row is None:
        return None
    return StoredChoice(
        choice=Choice(row["primary_provider"], row["fallback_provider"], json.loads(row["split"])),
        configured=Choice(row["configured_primary"], row["configured_fallback"]),
        changed_by=row["changed_by"],
        changed_at=row["changed_at"],
    )


async def list_settings(connection: Connection) -> list[ProviderRow]:
    """Return what is stored about each provider."""
    return [ProviderRow(**row) for row in await connection.fetch(_SETTINGS)]


async def switch(connection: Connection, choice: Choice, configured: Choice, actor: str) -> None:
    """Store a switch for all workers, audited; they follow within two seconds."""
    before = await find_choice(connection)
    await connection.execute(
        _SWITCH,
        choice.primary,
        choice.fallback,
        jsonb(dict(choice.split)),
        configured.primary,
        configured.fallback,
        actor,
    )
    await _audit(
        connection, actor, "providers.switched", _document(choice), _document(before.choice if before else configured)
    )


async def reset(connection: Connection, configured: Choice, actor: str) -> bool:
    """Remove the switch, audited, so that the environment counts again; tell whether there was one."""
    removed = await connection.fetchrow(_RESET)
    if removed is None:
        return False
    await _audit(connection, actor, "providers.switch_removed", _document(configured), _from_row(removed))
    return True


async def resume(connection: Connection, provider: str, actor: str) -> bool:
    """End the rest of an account, audited (a quota was raised); tell whether it rested."""
    if await connection.fetchval(_RESUME, provider) is None:
        return False
    await _audit(connection, actor, "providers.resumed", {"provider": provider}, None)
    return True


async def record_drill(
    connection: Connection, provider: str, outcome: str, detail: Mapping[str, Any], actor: str
) -> None:
    """Record what a drill came to, in the settings and in the audit log."""
    await connection.execute(_DRILLED, provider, outcome)
    await _audit(connection, actor, "providers.drilled", {"provider": provider, "outcome": outcome, **detail}, None)


async def _audit(
    connection: Connection, actor: str, action: str, now: Mapping[str, Any], before: Mapping[str, Any] | None
) -> None:
    detail = dict(now) if before is None else {**now, "before": before}
    await connection.execute(_AUDIT, actor, action, jsonb(detail))


def _document(choice: Choice) -> dict[str, Any]:
    return {"primary": choice.primary, "fallback": choice.fallback, "split": dict(choice.split)}


def _from_row(row: Any) -> dict[str, Any]:
    return {
        "primary": row["primary_provider"],
        "fallback": row["fallback_provider"],
        "split": json.loads(row["split"]),
    }
