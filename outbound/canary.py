"""One mail of our own through one provider, past the line: what a test and a drill send."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID, uuid4

from notifications.sender_address import NoSenderError, SenderPolicy, TenantIdentity, sender_for
from outbound.email import sender_policy
from outbound.moment import moment
from outbound.settings import Settings, SettingsError
from providers.errors import InvalidAddressError
from providers.mailbox import Mailbox, parse_address
from providers.message import OutboundMessage
from providers.provider import Begin, EmailProvider
from providers.receipt import Outcome, SendReceipt

NO_SENDER = "no_sender"
"""The error of a canary that was not sent: the provider may use none of the configured addresses."""

_OURSELVES = TenantIdentity(name="outbound", slug="outbound")
_NO_TENANT = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """What to send: to whom, from which of the platform's addresses (or from `from_`), and for what."""

    to: str
    policy: SenderPolicy
    purpose: str
    from_: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of a canary. `from_` is None where there was no address to send it from."""

    id: UUID
    to: str
    from_: str | None
    receipt: SendReceipt

    @property
    def is_accepted(self) -> bool:
        """Whether the provider has it."""
        return self.receipt.outcome is Outcome.ACCEPTED


def drill_canary(settings: Settings) -> Canary:
    """Return what a drill sends.

    Raises:
        SettingsError: when OUTBOUND_DRILL_ADDRESS is unset, or no address.
    """
    if settings.drill_address is None:
        raise SettingsError("OUTBOUND_DRILL_ADDRESS is not set: a drill needs an address that swallows its mail")
    try:
        to = parse_address(settings.drill_address)
    except InvalidAddressError:
        raise SettingsError("OUTBOUND_DRILL_ADDRESS is not an address") from None  # the cause might hold it
    return Canary(to=to, policy=sender_policy(settings), purpose="drill")


class Attempts(Protocol):
    """Whoever makes an attempt: the worker's manager, or a command's own."""

    def get(self, name: str) -> EmailProvider:
        """Return a configured provider; KeyError if it is not."""
        ...

    async def send(self, name: str, message: OutboundMessage, begin: Begin) -> SendReceipt:
        """Make one attempt; never raises for what the provider does."""
        ...


async def send_canary(providers: Attempts, name: str, canary: Canary) -> Answered:
    """Make one attempt at one provider; nothing is asked of gates, limits or suppression lists, nothing is repeated.

    Raises:
        KeyError: if the provider is not configured.
    """
    id_, at = uuid4(), datetime.now(UTC)
    sender = _sender(canary, providers.get(name))
    if sender is None:
        receipt = SendReceipt(
            provider=name,
            outcome=Outcome.MISCONFIGURED,
            timestamp=at,
            tenant_id=_NO_TENANT,
            from_domain="",
            error=NO_SENDER,
        )
    else:
        receipt = await providers.send(name, _message(canary, name, sender, id_, at), _go_on)
    return Answered(id=id_, to=canary.to, from_=None if sender is None else sender.addr_spec, receipt=receipt)


def _sender(canary: Canary, provider: EmailProvider) -> Mailbox | None:
    if canary.from_ is not None:
        return Mailbox(_OURSELVES.name, canary.from_)
    # The platform's own address before one that is made for tenants.
    platform = replace(canary.policy, tenant_from_pattern=None, tenant_subdomain_pattern=None)
    for policy in (platform, canary.policy):
        try:
            return sender_for(policy, _OURSELVES, provider.may_send_from).from_
        except NoSenderError:
            continue
    return None


def _message(canary: Canary, name: str, sender: Mailbox, id_: UUID, at: datetime) -> OutboundMessage:
    return OutboundMessage(
        notification_id=id_,
        tenant_id=_NO_TENANT,
        user_id=None,
        template_name="canary",
        category="operation",
        from_=sender,
        mail_from=sender.addr_spec,
        rcpt_to=canary.to,
        to=(Mailbox(None, canary.to),),
        subject=f"outbound {canary.purpose} of {name}",
        date=at,
        text=f"Sent by outbound through {name} at {moment(at)}, to find out whether it arrives.\n",
    )


async def _go_on() -> bool:
    return True
