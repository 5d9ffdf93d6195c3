"""Slots of a tenant's rate: how many a batch wants, and what each of its notifications gets. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from notifications.draft import Draft
from notifications.facts import TenantSettings
from notifications.ports import SlotWant
from notifications.status import Reason
from notifications.transition import Taken

WITHOUT_A_SLOT = frozenset({Reason.DIGEST, Reason.QUIET_HOURS, Reason.SCHEDULED})
"""What waits for these took no slot when it was claimed: it takes one when it is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateDefaults:
    """The limit of a tenant that has none of its own: mails a minute, and as many at once."""

    per_minute: int = 60


def slot_wants(drafts: Iterable[Draft], defaults: RateDefaults) -> dict[SlotWant, list[Draft]]:
    """Group what would go now by tenant and lane, in the order of the batch."""
    groups: dict[tuple[UUID, int], list[Draft]] = {}
    for drafted in drafts:
        if drafted.is_open and not drafted.has_slot:
            groups.setdefault((drafted.tenant.id, drafted.lane), []).append(drafted)
    return {_want(members[0].tenant, lane, len(members), defaults): members for (_, lane), members in groups.items()}


def late_slot_wants(due: Iterable[tuple[Taken, TenantSettings]], defaults: RateDefaults) -> dict[SlotWant, list[UUID]]:
    """Group what is due and took no slot when it was claimed by tenant and lane."""
    groups: dict[tuple[UUID, int], tuple[TenantSettings, list[UUID]]] = {}
    for taken, tenant in due:
        if taken.reason in WITHOUT_A_SLOT:
            groups.setdefault((tenant.id, taken.lane), (tenant, []))[1].append(taken.id)
    return {_want(tenant, lane, len(ids), defaults): ids for (_, lane), (tenant, ids) in groups.items()}


def spaced(want: SlotWant, now: datetime) -> list[datetime]:
    """Return moments spaced by the rate, for when the limiter cannot be asked: no batch is over the limit."""
    interval = timedelta(minutes=1) / want.per_minute
    return [now + interval * (position + 1) for position in range(want.count)]


def _want(tenant: TenantSettings, lane: int, count: int, defaults: RateDefaults) -> SlotWant:
    per_minute = tenant.rate_per_minute or defaults.per_minute
    return SlotWant(
        tenant_id=tenant.id, lane=lane, per_minute=per_minute, burst=tenant.rate_burst or per_minute, count=count
    )
