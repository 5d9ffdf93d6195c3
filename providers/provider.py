"""The seam behind which every way of sending a message sits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Protocol

from providers.message import OutboundMessage
from providers.receipt import SendReceipt

Begin = Callable[[], Awaitable[bool]]
"""Awaited by a provider without `Capability.IDEMPOTENCY` before its point of no return; False means: do not go on."""


class Capability(StrEnum):
    """What a provider can do beyond sending."""

    ATTACHMENTS = "attachments"
    """Files by value."""
    INLINE_IMAGES = "inline_images"
    """Attachments that the html shows by `cid:` (RFC 2392)."""
    IDEMPOTENCY = "idempotency"
    """A repeat under the same key within 24 h is not a second mail."""
    SCHEDULING = "scheduling"
    """It can hold a mail until later. Ours never asks: what waits, waits where it can be seen and cancelled."""
    TAGS = "tags"
    """It keeps the correlation tags and gives them back with its delivery events."""
    DELIVERY_EVENTS = "delivery_events"
    """It later reports what became of the mail, by webhook."""


class EmailProvider(Protocol):
    """One transport. Instances are shared by all attempts of a process and safe under concurrency."""

    @property
    def name(self) -> str:
        """The registered name, as in EMAIL_PROVIDER."""
        ...

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this transport offers."""
        ...

    @property
    def account_rate(self) -> float | None:
        """How many requests a second the whole account may make, until an answer says otherwise; None: no limit."""
        ...

    def validate_config(self) -> list[str]:
        """Return what is missing or wrong in the configuration, one sentence each; empty when it can send."""
        ...

    def may_send_from(self, domain: str) -> bool:
        """Tell whether this transport is set up for a From address in `domain`, by exact match."""
        ...

    async def send(self, message: OutboundMessage, begin: Begin) -> SendReceipt:
        """Make one attempt. Never raises for anything the far end or the network does: that is an outcome."""
        ...

    async def is_healthy(self) -> bool:
        """Tell whether the far end answers, without sending anything."""
        ...

    async def aclose(self) -> None:
        """Close what is pooled."""
        ...


ProviderFactory = Callable[[Mapping[str, str]], EmailProvider]
"""Makes a provider of the environment's words (EMAIL_HOST, RESEND_API_KEY, …); raises InvalidConfigError.

A provider class offers it as the classmethod `from_config`. It connects to nothing.
"""
