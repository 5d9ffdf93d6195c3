"""A provider that keeps what it is given: for demos, and for tests that are about something else."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, Self

from providers.message import OutboundMessage
from providers.provider import Begin, Capability
from providers.receipt import NOT_BEGUN, Outcome, SendReceipt

_KEPT: Final = 1000


class RecordingProvider:
    """Keeps the last thousand messages in memory and delivers nothing.

    Like SMTP it cannot repeat safely, so it asks `begin`. `answer` is what it makes of the next messages; only
    `accepted` ones are kept.
    """

    def __init__(
        self, *, is_meant: bool = True, kept: int = _KEPT, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.answer = Outcome.ACCEPTED
        self._is_meant = is_meant
        self._accepted: deque[OutboundMessage] = deque(maxlen=kept)
        self._now = now

    @classmethod
    def from_config(cls, config: Mapping[str, str]) -> Self:
        """Return a provider, which is of use only where OUTBOUND_RECORDING says that it is meant."""
        return cls(is_meant=config.get("OUTBOUND_RECORDING", "").lower() == "true")

    @property
    def accepted(self) -> list[OutboundMessage]:
        """What was accepted, oldest first."""
        return list(self._accepted)

    @property
    def name(self) -> str:
        """The registered name."""
        return "recording"

    @property
    def capabilities(self) -> frozenset[Capability]:
        """It keeps whatever it is given."""
        return frozenset({Capability.ATTACHMENTS, Capability.INLINE_IMAGES, Capability.TAGS})

    @property
    def account_rate(self) -> float | None:
        """No limit."""
        return None

    def validate_config(self) -> list[str]:
        """Return that it delivers nothing, unless that is meant: no switch in a hurry should end in it."""
        return [] if self._is_meant else ["recording delivers nothing: OUTBOUND_RECORDING=true says that it is meant."]

    def may_send_from(self, domain: str) -> bool:  # noqa: ARG002 -- every domain is as good as another
        """Tell that any domain will do."""
        return True

    async def send(self, message: OutboundMessage, begin: Begin) -> SendReceipt:
        """Keep the message, or answer as told."""
        outcome, error = self.answer, None
        if not await begin():
            outcome, error = Outcome.NOT_SENT, NOT_BEGUN
        elif outcome is Outcome.ACCEPTED:
            self._accepted.append(message)
        else:
            error = outcome.value
        return SendReceipt(
            provider=self.name,
            outcome=outcome,
            timestamp=self._now(),
            tenant_id=message.tenant_id,
            from_domain=message.from_.domain,
            provider_message_id=message.message_id if outcome is Outcome.ACCEPTED else None,
            error=error,
            tags=message.tags,
        )

    async def is_healthy(self) -> bool:
        """Tell that memory answers."""
        return True

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close."""
