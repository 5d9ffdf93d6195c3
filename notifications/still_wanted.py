"""Whether a notification that waited is still wanted: the same gates, with what is known today. Pure."""

from __future__ import annotations

from datetime import datetime

from notifications.content import Addressing
from notifications.facts import RecipientFacts, RecipientKey, SubtypeSettings, TenantSettings
from notifications.gates import GateInput, Verdict, judge, status_of
from notifications.mail import Origin
from notifications.status import Reason, Status


def key_of(origin: Origin) -> RecipientKey:
    """Say whom to look up: the address was fixed when it was claimed."""
    return RecipientKey(
        tenant_id=origin.event.tenant_id,
        user_id=origin.user_id,
        email=origin.recipient,
        subtype=origin.subtype,
        category=origin.category,
        keeps_address=True,
    )


def judge_again(
    origin: Origin,
    addressing: Addressing,
    tenant: TenantSettings,
    subtype: SubtypeSettings,
    recipient: RecipientFacts,
    *,
    service_enabled: bool,
    now: datetime,
) -> Verdict:
    """Ask again what may have changed since the claim."""
    return judge(
        GateInput(
            service_enabled=service_enabled,
            tenant=tenant,
            subtype=subtype,
            recipient=recipient,
            user_id=origin.user_id,
            actor_id=addressing.actor_id,
            email=origin.recipient,
            expires_at=addressing.expires_at,
            now=now,
        )
    )


def ending_of(reason: Reason) -> Status:
    """Return how a notification ends that a gate stops after it waited: what was promised and came too late failed."""
    return Status.FAILED if reason is Reason.EXPIRED else status_of(reason)
