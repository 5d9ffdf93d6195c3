"""Which provider carries a tenant's mail, and from which address, at this moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from notifications.facts import TenantSettings
from notifications.sender_address import (
    InvalidSlugError,
    NoSenderError,
    Sender,
    SenderPolicy,
    TenantIdentity,
    sender_for,
)
from providers.manager import ProviderManager


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderChoice:
    """A provider and the sender it may use. `paused_until` is set while the provider's account must rest."""

    provider: str
    sender: Sender
    paused_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Senders:
    """Chooses by tenant; senders are remembered for as long as the tenant's settings stand."""

    policy: SenderPolicy
    providers: ProviderManager
    _known: dict[tuple[UUID, str | None], tuple[int, Sender | None]] = field(
        default_factory=dict[tuple[UUID, str | None], tuple[int, Sender | None]]
    )

    def choose(self, tenant: TenantSettings) -> SenderChoice | None:
        """Return the provider to begin with and its sender; None when none may send from a configured address."""
        chosen = self.providers.choice
        first = self.at(tenant, chosen.primary)
        second = self.at(tenant, chosen.fallback) if chosen.fallback else None
        if first is None or second is None:
            return first or second
        provider = self.providers.choose(from_domain=first.sender.domain, fallback_domain=second.sender.domain)
        return first if provider == first.provider else second

    def is_idempotent(self, provider: str) -> bool | None:
        """Tell whether a repeat at a provider is safe; None where it is no longer configured and nothing is known."""
        return self.providers.is_idempotent(provider) if self.providers.is_known(provider) else None

    def alternative(self, tenant: TenantSettings, provider: str) -> SenderChoice | None:
        """Return where a mail that `provider` did not take may go on: from the primary to the fallback, never back."""
        chosen = self.providers.choice
        if provider != chosen.primary or chosen.fallback is None:
            return None
        choice = self.at(tenant, chosen.fallback)
        if choice is None or choice.paused_until is not None:
            return None
        return choice if self.providers.other(provider, choice.sender.domain) == choice.provider else None

    def at(self, tenant: TenantSettings, provider: str) -> SenderChoice | None:
        """Return a given provider with the sender it may use for this tenant."""
        sender = self._sender(tenant, provider)
        if sender is None:
            return None
        return SenderChoice(provider=provider, sender=sender, paused_until=self.providers.paused_until(provider))

    def preferred(self, tenant: TenantSettings) -> Sender | None:
        """Return the sender the configuration wishes for, whoever carries it."""
        return self._sender(tenant, None)

    def _sender(self, tenant: TenantSettings, provider: str | None) -> Sender | None:
        known = self._known.get((tenant.id, provider))
        if known is not None and known[0] == tenant.version:
            return known[1]
        may_send = self.providers.get(provider).may_send_from if provider else _anything
        try:
            sender = sender_for(self.policy, TenantIdentity(name=tenant.name, slug=tenant.slug), may_send)
        except (NoSenderError, InvalidSlugError):
            sender = None
        self._known[tenant.id, provider] = (tenant.version, sender)
        return sender


def _anything(_: str) -> bool:
    return True
