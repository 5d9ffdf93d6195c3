"""The gates between an event and a mail, in their one order (DESIGN §9). Values in, verdict out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifications.facts import RecipientFacts, SubtypeSettings, TenantSettings
from notifications.status import Reason, Status
from providers.errors import InvalidAddressError
from providers.mailbox import parse_address

Evidence = Mapping[str, str | int | bool | None]

HARD_SUPPRESSIONS = frozenset({"hard_bounce"})
"""Reasons that hold even mandatory mail back: the mailbox does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateInput:
    """All that the gates look at. `email` is the address that would be used, not yet checked."""

    service_enabled: bool
    tenant: TenantSettings
    subtype: SubtypeSettings
    recipient: RecipientFacts
    user_id: str | None
    actor_id: str | None
    email: str | None
    expires_at: datetime | None
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The gate that stopped a notification, why, and what it looked at; `gate` is `passed` where none did."""

    gate: str
    reason: Reason | None
    evidence: Evidence

    def document(self, settings_version: int | None = None) -> dict[str, Any]:
        """Return it as it is stored with the notification, for `outbound why`."""
        return {
            "gate": self.gate,
            "reason": self.reason,
            "evidence": self.evidence,
            "settings_version": settings_version,
        }


def _expired(given: GateInput) -> tuple[Reason | None, Evidence]:
    if given.expires_at is None or given.now < given.expires_at:
        return None, {}
    return Reason.EXPIRED, {"expires_at": given.expires_at.isoformat()}


def _service(given: GateInput) -> tuple[Reason | None, Evidence]:
    return (None if given.service_enabled else Reason.SERVICE_DISABLED), {"EMAIL_ENABLE": given.service_enabled}


def _tenant(given: GateInput) -> tuple[Reason | None, Evidence]:
    return (None if given.tenant.is_active else Reason.TENANT_INACTIVE), {"is_active": given.tenant.is_active}


def _tenant_notifications(given: GateInput) -> tuple[Reason | None, Evidence]:
    return (None if given.tenant.is_enabled else Reason.TENANT_DISABLED), {"is_enabled": given.tenant.is_enabled}


def _category(given: GateInput) -> tuple[Reason | None, Evidence]:
    return (None if given.subtype.category_enabled else Reason.CATEGORY_OFF), {"category": given.subtype.category}


def _subtype(given: GateInput) -> tuple[Reason | None, Evidence]:
    return (None if given.subtype.subtype_enabled else Reason.SUBTYPE_OFF), {"subtype": given.subtype.slug}


def _actor(given: GateInput) -> tuple[Reason | None, Evidence]:
    if given.subtype.is_mandatory or given.actor_id is None or given.actor_id != given.user_id:
        return None, {}
    return Reason.ACTOR_IS_RECIPIENT, {"actor_id": given.actor_id}


def _preference(given: GateInput) -> tuple[Reason | None, Evidence]:
    """Subtype, then category, then default; mandatory mail does not ask."""
    if given.subtype.is_mandatory:
        return None, {"mandatory": True}
    for origin, wanted in (
        ("subtype", given.recipient.wants_subtype),
        ("category", given.recipient.wants_category),
        ("default", given.subtype.enabled_by_default),
    ):
        if wanted is not None:
            return (None if wanted else Reason.OPTED_OUT), {"preference": wanted, "from": origin}
    return None, {}


def _address(given: GateInput) -> tuple[Reason | None, Evidence]:
    if given.recipient.is_deleted:
        return Reason.NO_ADDRESS, {"is_deleted": True}
    if not given.email:
        return Reason.NO_ADDRESS, {}
    try:
        parse_address(given.email)
    except InvalidAddressError as error:
        return Reason.INVALID_ADDRESS, {"problem": str(error)}
    return None, {}


def _suppression(given: GateInput) -> tuple[Reason | None, Evidence]:
    listed = given.recipient.suppressions
    holding = (listed & HARD_SUPPRESSIONS) if given.subtype.is_mandatory else listed
    return (Reason.SUPPRESSED if holding else None), {"listed": ", ".join(sorted(listed)) or None}


Gate = Callable[[GateInput], tuple[Reason | None, Evidence]]

GATES: tuple[tuple[str, Gate], ...] = (
    ("expired", _expired),
    ("service", _service),
    ("tenant", _tenant),
    ("tenant_notifications", _tenant_notifications),
    ("category", _category),
    ("subtype", _subtype),
    ("actor", _actor),
    ("preference", _preference),
    ("address", _address),
    ("suppression", _suppression),
)

PASSED = "passed"


def status_of(reason: Reason) -> Status:
    """Return the status of a notification that a gate stopped."""
    return Status.SUPPRESSED if reason is Reason.SUPPRESSED else Status.SKIPPED


def judge(given: GateInput) -> Verdict:
    """Run the gates in order and return the first that stops the notification, or `passed` with the preference used."""
    evidence: Evidence = {}
    for name, gate in GATES:
        reason, seen = gate(given)
        if reason is not None:
            return Verdict(gate=name, reason=reason, evidence=seen)
        if name == "preference":
            evidence = seen
    return Verdict(gate=PASSED, reason=None, evidence=evidence)
