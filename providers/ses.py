"""Amazon SES through version 2 of its API: one SendEmail call per mail, which nobody may repeat on our behalf.

SES has no idempotency key, so `begin` is awaited before the request and botocore's own retries are off: one of them
after a lost answer would be a second mail that no attempt tells of. SES signs with DKIM itself, and writes Message-ID
and Date anew. An accepted mail to an address on the account's suppression list is not delivered, and SES says so to
SNS or EventBridge only, which we do not read: hence no `delivery_events` here.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore import exceptions as aws

from providers.correlation import correlation
from providers.errors import InvalidConfigError
from providers.headers import mailbox
from providers.message import OutboundMessage
from providers.mime import serialize
from providers.provider import Begin, Capability
from providers.receipt import NOT_BEGUN, QUOTA, SENDER_REFUSED, Outcome, SendReceipt

_CONNECTIONS: Final = 64
_LONGEST_RESPONSE: Final = 1000  # characters of an answer that are kept
_RATE_PAUSE: Final = timedelta(seconds=1)  # SES counts mails a second, and names no time
_QUOTA_PAUSE: Final = timedelta(hours=1)  # the quota is of the last 24 hours, so some of it comes back all the time
# https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html and manage-sending-quotas-errors.html
_NOT_VERIFIED: Final = "address is not verified"
_DAILY: Final = "daily message quota exceeded"

# SendEmail's own: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors
# Those of every service: https://docs.aws.amazon.com/ses/latest/APIReference-V2/CommonErrors.html
# The numbers are the statuses of what answers in its place without a code: RFC 9110 §15.5, RFC 6585 §4.
_CODES: Final[Mapping[Outcome, str]] = {
    # NotFound is the configuration set; InvalidSignature and RequestExpired can be our clock.
    Outcome.MISCONFIGURED: """
        AccountSuspendedException MailFromDomainNotVerifiedException NotFoundException SendingPausedException
        AccessDenied AccessDeniedException ExpiredToken ExpiredTokenException IncompleteSignature InvalidClientTokenId
        InvalidSignatureException MissingAuthenticationToken MissingAuthenticationTokenException NotAuthorized
        OptInRequired RequestExpired SignatureDoesNotMatch UnknownOperationException UnrecognizedClientException
        401 403
    """,
    Outcome.NOT_SENT: "LimitExceededException",
    Outcome.PERMANENT: "BadRequestException MessageRejected RequestEntityTooLargeException ValidationException 413",
    Outcome.THROTTLED: "TooManyRequestsException Throttling ThrottlingException 429",
}
_OUTCOMES: Final = {code: outcome for outcome, codes in _CODES.items() for code in codes.split()}
# Raised while the request is made, as credentials may have to be renewed: nothing was sent.
_NEVER_MADE: Final = (aws.CredentialRetrievalError, aws.NoCredentialsError, aws.ParamValidationError)


@dataclass(frozen=True, slots=True, kw_only=True)
class SesConfig:
    """One SES account in one region.

    Without `access_key_id` botocore looks for credentials by itself (profile, container, instance). `domains` are those
    it may send from, each by exact match; `*.example.com` stands for every subdomain, as verifying a domain at SES
    verifies them too. `rate_per_second` is the account's limit; infinite: what SES says it is, once it was asked.
    """

    region: str
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    endpoint_url: str | None = None
    domains: frozenset[str] = frozenset()
    configuration_set: str | None = None
    rate_per_second: float = math.inf
    connect_timeout: timedelta = timedelta(seconds=10)
    read_timeout: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an attempt came to. `error` is a constant name, `status` the HTTP status if there was an answer."""

    outcome: Outcome
    error: str | None = None
    message_id: str | None = None
    status: int | None = None
    response: str | None = None
    retry_after: timedelta | None = None


_NOT_READY: Final = Verdict(outcome=Outcome.MISCONFIGURED, error="not_ready")
_NO_CONNECTION: Final = Verdict(outcome=Outcome.NOT_SENT, error="connect_failed")


class SesProvider:
    """Sends through one SES account. Nothing is opened before the first attempt."""

    def __init__(self, config: SesConfig, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._config = config
        self._now = now
        self._learnt_rate: float | None = None
        self._client: Any = None
        self._opened = AsyncExitStack()
        self._opening = asyncio.Lock()

    @classmethod
    def from_config(cls, config: Mapping[str, str]) -> Self:
        """Read AWS_REGION or AWS_DEFAULT_REGION, AWS_ACCESS_KEY_ID and its like, and SES_*; empty is unset.

        Raises:
            InvalidConfigError: if the URL is not one, or the rate no positive number.
        """
        endpoint_url = config.get("SES_ENDPOINT_URL") or None
        if endpoint_url is not None and not endpoint_url.startswith(("http://", "https://")):
            raise InvalidConfigError("SES_ENDPOINT_URL", "must begin with http:// or https://")
        try:
            rate = float(config.get("SES_RATE_PER_SECOND") or math.inf)
        except ValueError:
            rate = 0.0
        if not rate > 0:
            raise InvalidConfigError("SES_RATE_PER_SECOND", "must be a positive number")
        listed = config.get("SES_VERIFIED_DOMAINS", "").split(",")
        found = SesConfig(
            region=config.get("AWS_REGION") or config.get("AWS_DEFAULT_REGION") or "",
            access_key_id=config.get("AWS_ACCESS_KEY_ID") or None,
            secret_access_key=config.get("AWS_SECRET_ACCESS_KEY") or None,
            session_token=config.get("AWS_SESSION_TOKEN") or None,
            endpoint_url=endpoint_url,
            domains=frozenset(name.strip().lower() for name in listed if name.strip()),
            configuration_set=config.get("SES_CONFIGURATION_SET") or None,
            rate_per_second=rate,
        )
        return cls(found)

    @property
    def name(self) -> str:
        """The registered name."""
        return "ses"

    @property
    def capabilities(self) -> frozenset[Capability]:
        """MIME carries everything, and tags come back with SES's own events; but a repeat is a second mail."""
        return frozenset({Capability.ATTACHMENTS, Capability.INLINE_IMAGES, Capability.TAGS})

    @property
    def account_rate(self) -> float | None:
        """The configured rate, else what SES said when its health was asked for."""
        configured = self._config.rate_per_second
        return configured if configured < math.inf else self._learnt_rate

    def validate_config(self) -> list[str]:
        """Return what is missing or wrong in the configuration, one sentence each."""
        config, found = self._config, list[str]()
        if not config.region:
            found.append("AWS_REGION is not set.")
        if (config.access_key_id is None) != (config.secret_access_key is None):
            found.append("Of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set.")
        if not config.domains:
            found.append("SES_VERIFIED_DOMAINS is not set, so SES may send from no domain.")
        return found

    def may_send_from(self, domain: str) -> bool:
        """Tell whether `domain` is among those of the configuration, itself or by the `*` of a domain above it."""
        labels = domain.lower().split(".")
        above = (".".join(["*", *labels[depth:]]) for depth in range(1, len(labels)))
        return domain.lower() in self._config.domains or not self._config.domains.isdisjoint(above)

    async def send(self, message: OutboundMessage, begin: Begin) -> SendReceipt:
        """Make one attempt. What ends after the connection was there, without an answer from the table, is unknown."""
        verdict = await self._attempt(message, begin)
        return SendReceipt(
            provider=self.name,
            outcome=verdict.outcome,
            timestamp=self._now(),
            tenant_id=message.tenant_id,
            from_domain=message.from_.domain,
            provider_message_id=verdict.message_id,
            smtp_response=verdict.response,
            reply_code=verdict.status,
            error=verdict.error,
            retry_after=verdict.retry_after,
            tags=message.tags,
        )

    async def is_healthy(self) -> bool:
        """Tell whether SES knows us and the account may send; a key that may only send is known (AccessDenied)."""
        try:
            account: Mapping[str, Any] = await (await self._connected()).get_account()
        except aws.ClientError as error:
            return str(error.response["Error"]["Code"]).startswith("AccessDenied")
        except (aws.BotoCoreError, OSError, ValueError):
            return False
        self._learnt_rate = account.get("SendQuota", {}).get("MaxSendRate") or None
        return account.get("SendingEnabled") is True

    async def aclose(self) -> None:
        """Close the pooled client."""
        async with self._opening:
            self._client = None
            await self._opened.aclose()

    async def _attempt(self, message: OutboundMessage, begin: Begin) -> Verdict:
        request = send_email_request(message, self._config.configuration_set)
        try:
            client = await self._connected()
        except (aws.BotoCoreError, aws.ClientError, OSError, ValueError) as error:
            return _NO_CONNECTION if isinstance(error, aws.HTTPClientError | aws.ConnectionError) else _NOT_READY
        if not await begin():
            return Verdict(outcome=Outcome.NOT_SENT, error=NOT_BEGUN)
        try:
            answer: Mapping[str, Any] = await client.send_email(**request)
        except aws.ClientError as error:
            return classify(error, message.from_.addr_spec)
        except aws.BotoCoreError as error:
            return _without_answer(error)
        except Exception:  # noqa: BLE001 -- botocore's parsers let through whatever a garbled answer makes them raise
            return Verdict(outcome=Outcome.UNKNOWN, error="unreadable_answer")
        if not answer.get("MessageId"):
            return Verdict(outcome=Outcome.UNKNOWN, error="no_id")
        return Verdict(outcome=Outcome.ACCEPTED, message_id=str(answer["MessageId"]))

    async def _connected(self) -> Any:
        """Return the client; the first caller makes it. A failure is not kept: the next caller tries again."""
        async with self._opening:
            if self._client is None:
                self._client = await self._opened.enter_async_context(await self._new_client())
            return self._client

    async def _new_client(self) -> Any:
        config, session = self._config, AioSession()
        # At DEBUG botocore logs the mail, the address and the signed headers, session token included.
        for name in ("aiobotocore", "botocore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        if config.access_key_id is None and await session.get_credentials() is None:
            raise aws.NoCredentialsError
        return session.create_client(
            "sesv2",
            region_name=config.region or None,
            endpoint_url=config.endpoint_url,
            aws_access_key_id=config.access_key_id,
            aws_secret_access_key=config.secret_access_key,
            aws_session_token=config.session_token,
            config=AioConfig(
                connect_timeout=config.connect_timeout.total_seconds(),
                read_timeout=config.read_timeout.total_seconds(),
                max_pool_connections=_CONNECTIONS,
                retries={"total_max_attempts": 1},
                warm_up_loader_caches=True,  # the description of the API is megabytes of JSON: not on the event loop
            ),
        )


def send_email_request(message: OutboundMessage, configuration_set: str | None = None) -> dict[str, Any]:
    """Return the parameters of SendEmail: the finished mail, its one recipient, and the correlation tags."""
    return {
        "FromEmailAddress": mailbox(message.from_),  # takes the place of the mail's From field, so it is the same
        "Destination": {"ToAddresses": [message.rcpt_to]},
        "Content": {"Raw": {"Data": serialize(message)}},
        "EmailTags": [{"Name": name, "Value": value} for name, value in correlation(message).items()],
        **({"ConfigurationSetName": configuration_set} if configuration_set else {}),
    }


def classify(error: aws.ClientError, sender: str) -> Verdict:
    """Return what an answer of SES means. What is not in the table may have been accepted: unknown.

    `sender` is the address in From: of an identity that is not verified, only its being named tells whose fault it is.
    """
    if error.operation_name != "SendEmail":
        return _NOT_READY  # the chain that finds credentials makes calls of its own
    code, text = str(error.response["Error"].get("Code")), str(error.response["Error"].get("Message"))
    status = int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    outcome, name, pause = _OUTCOMES.get(code), code, None
    if outcome is None or code.isdigit():
        outcome, name = _OUTCOMES.get(str(status), Outcome.UNKNOWN), f"http_{status}"
    if code == "MailFromDomainNotVerifiedException":
        name = SENDER_REFUSED
    if code == "MessageRejected" and _NOT_VERIFIED in text.lower():
        outcome = Outcome.MISCONFIGURED
        name = SENDER_REFUSED if sender.lower() in text.lower() else "sandbox"  # there, recipients need it too
    if code == "LimitExceededException" or (outcome is Outcome.THROTTLED and _DAILY in text.lower()):
        outcome, name, pause = Outcome.NOT_SENT, QUOTA, _QUOTA_PAUSE
    elif outcome is Outcome.THROTTLED:
        pause = _RATE_PAUSE
    response = f"{status} {code}: {text}"[:_LONGEST_RESPONSE]
    return Verdict(outcome=outcome, error=name, status=status, response=response, retry_after=pause)


def _without_answer(error: aws.BotoCoreError) -> Verdict:
    """Classify what happened on the way. aiobotocore calls it no connection, too, when one breaks after the request."""
    if isinstance(error, _NEVER_MADE):
        return _NOT_READY
    never_connected = isinstance(error.kwargs.get("error"), aiohttp.ClientConnectorError)
    if never_connected or isinstance(error, aws.ConnectTimeoutError | aws.ProxyConnectionError | aws.SSLError):
        return _NO_CONNECTION
    return Verdict(outcome=Outcome.UNKNOWN, error="timeout" if isinstance(error, aws.ReadTimeoutError) else "lost")
