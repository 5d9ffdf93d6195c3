"""Which provider carries a notification, and from which address, at this moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from notifications.draft import Draft
from notifications.facts import TenantSettings
from notifications.sender_address import (
    InvalidSlugError,
    NoSenderError,
    SenderAddress,
    SenderPolicy,
    TenantIdentity,
    sender_for,
)
from notifications.status import Reason
from providers.health import Pause, PauseReason
from providers.manager import ProviderManager
from providers.provider import Capability

SENDER_RETRY = timedelta(minutes=5)
"""After this it is looked again whether anybody may send: it takes somebody to change a setting."""

_SPREAD = timedelta(seconds=15)
"""What waits for a provider comes back over this time: all of it at once would only be turned away again."""

Needs = frozenset[Capability]
"""What a mail needs of its provider beyond words."""

WORDS_ONLY: Needs = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A provider and the address it sends from. `pause` is set while nothing should be asked of it."""

    provider: str
    sender: SenderAddress
    pause: Pause | None

    def wait(self, notification_id: UUID) -> tuple[Reason, datetime] | None:
        """Return why and until when a notification waits for this provider, or None."""
        if self.pause is None:
            return None
        if self.pause.reason is PauseReason.THROTTLED:
            return Reason.THROTTLED, self.pause.until
        return Reason.BREAKER, self.pause.until + _SPREAD * ((notification_id.int & 0xFFFF) / 0x10000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Routes notifications; senders are remembered for as long as the tenant's settings stand."""

    policy: SenderPolicy
    providers: ProviderManager
    _known: dict[tuple[UUID, str | None], tuple[int, SenderAddress | None]] = field(
        default_factory=dict[tuple[UUID, str | None], tuple[int, SenderAddress | None]]
    )

    def choose(self, tenant: TenantSettings, notification_id: UUID, needs: Needs) -> Route | None:
        """Return the first provider in order that takes mail now; where none does, the first one, with its pause.

        None when no provider may send from a configured address, or none has what the mail needs.
        """
        first: Route | None = None
        for route in self._routes(tenant, notification_id, needs):
            if route.pause is None or not route.pause.may_go_elsewhere:
                return route
            first = first or route
        return first

    def elsewhere(
        self, tenant: TenantSettings, notification_id: UUID, *, left: str, from_domain: str, needs: Needs
    ) -> Route | None:
        """Return where a mail may go on that the provider `left` certainly did not take: one that takes mail now."""
        for route in self._routes(tenant, notification_id, needs, kept=from_domain):
            if route.provider != left and route.pause is None:
                return route
        return None

    def at(self, tenant: TenantSettings, provider: str) -> Route | None:
        """Return a given provider with the address it may use for this tenant."""
        sender = self._sender(tenant, provider)
        if sender is None:
            return None
        return Route(provider=provider, sender=sender, pause=self.providers.pause(provider, sender.domain))

    def preferred(self, tenant: TenantSettings) -> SenderAddress | None:
        """Return the address the configuration wishes for, whoever carries it."""
        return self._sender(tenant, None)

    def is_idempotent(self, provider: str) -> bool | None:
        """Tell whether a repeat at a provider is safe; None where it is no longer configured and nothing is known."""
        return self.providers.is_idempotent(provider) if self.providers.is_known(provider) else None

    def lacking(self, needs: Needs, provider: str) -> Needs:
        """Return what a mail needs and a provider does not have."""
        return needs - self.providers.get(provider).capabilities

    def _routes(
        self, tenant: TenantSettings, notification_id: UUID, needs: Needs, *, kept: str | None = None
    ) -> Iterator[Route]:
        """Yield the providers that could carry it, in order.

        Where the tenant keeps its address, only those that may use the domain `kept`: by default the one it has at the
        first of them.
        """
        wanted = tenant.email.provider
        preferred = wanted if wanted is not None and self.providers.is_known(wanted) else None
        for name in self.providers.choice.order(notification_id, preferred):
            route = self.at(tenant, name)
            if route is None or self.lacking(needs, name):
                continue
            kept = kept or route.sender.domain
            if route.sender.domain == kept or not tenant.email.keeps_from:
                yield route

    def _sender(self, tenant: TenantSettings, provider: str | None) -> SenderAddress | None:
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


def address(drafted: Draft, routing: Routing, needs: Needs, now: datetime) -> None:
    """Give a notification that goes now its provider and sender.

    Where nobody may send it waits for the configuration; what no provider in use can carry is refused.
    """
    route = routing.choose(drafted.tenant, drafted.planned.id, needs)
    if route is not None:
        drafted.provider, drafted.sender = route.provider, route.sender
        if (wait := route.wait(drafted.planned.id)) is not None:
            drafted.park(*wait)
    elif needs and routing.choose(drafted.tenant, drafted.planned.id, WORDS_ONLY) is not None:
        drafted.fail(Reason.UNSUPPORTED, f"no provider in use can carry {', '.join(sorted(needs))}")
    else:
        drafted.park(Reason.SENDER, now + SENDER_RETRY)


def _anything(_: str) -> bool:
    return True
