"""The Resend provider: one API call per mail, repeatable under the notification's key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Self, cast

import httpx
import resend
from resend.exceptions import NoContentError, ResendError

from providers.message import OutboundMessage
from providers.provider import Begin, Capability
from providers.receipt import Outcome, SendReceipt
from providers.resend.config import ResendConfig
from providers.resend.errors import Verdict, classify
from providers.resend.payload import payload
from providers.resend.transport import Credentials, bound


class ResendProvider:
    """Sends through the Resend API. A repeat within 24 h is one mail, so `begin` is not awaited."""

    def __init__(
        self,
        config: ResendConfig,
        *,
        client: httpx.AsyncClient | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Take a `client` to share one between providers; without it, one is made here and closed by `aclose`."""
        self._config = config
        self._now = now
        self._own_client = client is None
        self._client = client or _client(config)
        self._credentials = Credentials(api_key=config.api_key, base_url=config.base_url, client=self._client)

    @classmethod
    def from_config(cls, config: Mapping[str, str]) -> Self:
        """Return a provider configured by RESEND_* (see ResendConfig.from_mapping).

        Raises:
            InvalidConfigError: if one of them cannot be read.
        """
        return cls(ResendConfig.from_mapping(config))

    @property
    def name(self) -> str:
        """The registered name."""
        return "resend"

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Everything: repeats are safe, and webhooks tell what became of a mail."""
        return frozenset(Capability)

    @property
    def account_rate(self) -> float | None:
        """The configured start value."""
        return self._config.rate_per_second

    def validate_config(self) -> list[str]:
        """Return what is missing or wrong in the configuration, one sentence each."""
        return self._config.problems()

    def may_send_from(self, domain: str) -> bool:
        """Tell whether `domain` is verified; a subdomain of a verified one is not."""
        return domain.lower() in self._config.sender_domains

    async def send(self, message: OutboundMessage, begin: Begin) -> SendReceipt:  # noqa: ARG002 -- repeats are safe
        """Make one attempt under the key of the notification."""
        params = cast("resend.Emails.SendParams", payload(message))
        try:
            with bound(self._credentials):
                answer = await resend.Emails.send_async(params, {"idempotency_key": str(message.notification_id)})
        except (ResendError, NoContentError) as error:
            return self._refused(message, classify(error, self._now()))
        identifier = _identifier(answer)
        if identifier is None:
            return self._refused(message, Verdict(outcome=Outcome.UNKNOWN, error="no_id"))
        return SendReceipt(
            provider=self.name,
            outcome=Outcome.ACCEPTED,
            timestamp=self._now(),
            tenant_id=message.tenant_id,
            from_domain=message.from_.domain,
            provider_message_id=identifier,
            tags=message.tags,
        )

    async def is_healthy(self) -> bool:
        """Tell whether the API answers and knows our key; one that may only send is known (401 restricted_api_key)."""
        try:
            with bound(self._credentials):
                await resend.Domains.list_async()
        except NoContentError:
            return False
        except ResendError as error:
            return error.error_type == "restricted_api_key"
        return True

    async def aclose(self) -> None:
        """Close the pooled client, unless it was given."""
        if self._own_client:
            await self._client.aclose()

    def _refused(self, message: OutboundMessage, verdict: Verdict) -> SendReceipt:
        return SendReceipt(
            provider=self.name,
            outcome=verdict.outcome,
            timestamp=self._now(),
            tenant_id=message.tenant_id,
            from_domain=message.from_.domain,
            reply_code=verdict.status,
            error=verdict.error,
            retry_after=verdict.retry_after,
            tags=message.tags,
        )


def _identifier(answer: Any) -> str | None:
    """Return the id of an answer; the SDK hands on any JSON that came with a 2xx as a success."""
    identifier = answer.get("id") if isinstance(answer, dict) else None
    return identifier if isinstance(identifier, str) and identifier else None


def _client(config: ResendConfig) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        timeout=httpx.Timeout(config.timeout.total_seconds()),
        limits=httpx.Limits(max_connections=config.max_connections, max_keepalive_connections=config.max_connections),
        follow_redirects=False,
    )
