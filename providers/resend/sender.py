"""The Resend provider: one API call per mail, repeatable under the notification's key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Self, cast

import httpx
import resend

from providers.message import OutboundMessage
from providers.provider import Begin, Capability
from providers.receipt import Outcome, SendReceipt
from providers.resend.config import ResendConfig
from providers.resend.errors import Verdict, classify, error_name
from providers.resend.limits import account_rate
from providers.resend.payload import payload
from providers.resend.transport import Answer, Credentials, bound

_ACCEPTED: Final = Verdict(outcome=Outcome.ACCEPTED)
_IDENTIFIER: Final = re.compile(r"[!-~]{1,256}")  # it is kept, so it has to be something that can be
_KNOWN_ALL_THE_SAME: Final = frozenset({(401, "restricted_api_key"), (429, "rate_limit_exceeded")})


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
        identifier: str | None = None
        error: Exception | None = None
        with bound(self._credentials) as call:
            try:
                sent = await resend.Emails.send_async(params, {"idempotency_key": str(message.notification_id)})
                identifier = _identifier(sent)
            except Exception as raised:  # noqa: BLE001 -- the SDK reads any answer unguarded: see classify
                error = raised
        if identifier is not None and call.answer is not None and call.answer.is_success:
            return self._receipt(message, call.answer, identifier=identifier)
        return self._receipt(message, call.answer, verdict=classify(error, call.answer, self._now()))

    async def is_healthy(self) -> bool:
        """Tell whether the API answers and knows our key.

        A key that may only send is known (401 restricted_api_key), and so is a team over its rate (429). It costs one
        request of the account's rate.
        """
        refusal: Exception | None = None
        with bound(self._credentials) as call:
            try:
                await resend.Domains.list_async()
            except Exception as error:  # noqa: BLE001 -- the SDK reads any answer unguarded: see classify
                refusal = error
        if call.answer is None:
            return False
        if refusal is None:
            return call.answer.is_success
        return (call.answer.status, error_name(refusal)) in _KNOWN_ALL_THE_SAME

    async def aclose(self) -> None:
        """Close the pooled client, unless it was given."""
        if self._own_client:
            await self._client.aclose()

    def _receipt(
        self,
        message: OutboundMessage,
        answer: Answer | None,
        *,
        identifier: str | None = None,
        verdict: Verdict = _ACCEPTED,
    ) -> SendReceipt:
        return SendReceipt(
            provider=self.name,
            outcome=verdict.outcome,
            timestamp=self._now(),
            tenant_id=message.tenant_id,
            from_domain=message.from_.domain,
            provider_message_id=identifier,
            reply_code=verdict.status,
            error=verdict.error,
            retry_after=verdict.retry_after,
            account_rate=None if answer is None else account_rate(answer.headers),
            tags=message.tags,
        )


def _identifier(sent: Any) -> str | None:
    """Return the id in an answer; the SDK hands on any JSON that came with a 2xx as a success."""
    identifier = sent.get("id") if isinstance(sent, dict) else None
    return identifier if isinstance(identifier, str) and _IDENTIFIER.fullmatch(identifier) else None


def _client(config: ResendConfig) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        timeout=httpx.Timeout(config.timeout.total_seconds()),
        limits=httpx.Limits(max_connections=config.max_connections, max_keepalive_connections=config.max_connections),
        follow_redirects=False,
    )
