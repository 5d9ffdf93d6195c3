"""A mail in the hands of a worker: one attempt's worth of everything, and how to make the message of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from notifications.categories import UncertainPolicy
from notifications.content import RenderedContent, Shown
from notifications.facts import EventKey, TenantSettings
from notifications.status import Reason
from providers.attachment import Attachment
from providers.mailbox import Mailbox
from providers.message import OutboundMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a notification comes from: what its delivery events carry back to the upstream."""

    event: EventKey
    traceparent: str | None
    correlationid: str | None
    category: str
    subtype: str
    user_id: str | None
    recipient: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One opened attempt.

    `attempt` is the queue's fence; `tries` counts the attempts recorded before, `tried_at` names who made them, and
    `first_tried` is when: what it waited before is nobody's fault and makes it no older. `waited_for` is what it last
    waited for.
    `opened_at` is the Date of the message and the start of its first attempt: a repeat uses the same one.
    """

    id: UUID
    origin: Origin
    owner: int
    attempt: int
    tries: int
    provider: str
    mail_from: str
    opened_at: datetime
    is_pinned: bool
    uncertain_policy: UncertainPolicy
    is_secret: bool
    template_name: str
    content: RenderedContent
    tenant: TenantSettings
    tried_at: frozenset[str] = frozenset()
    first_tried: datetime | None = None
    waited_for: Reason | None = None
    span: str | None = None
    """The traceparent of the span this attempt belongs under; the origin's where there is none of ours."""

    @property
    def may_move(self) -> bool:
        """Whether another provider may take it: no attempt of it is in doubt, and it has not failed over before."""
        return not self.is_pinned and self.tried_at <= {self.provider}

    @property
    def line(self) -> str:
        """Whose mails it waits behind, where there is something to wait for: its tenant's in its lane."""
        subtype = self.tenant.subtypes.get(self.origin.subtype)
        return f"{self.tenant.id}:{'urgent' if subtype is not None and subtype.is_urgent else 'normal'}"

    @property
    def from_domain(self) -> str:
        """The domain after the @ of the From address."""
        return self.mail_from.rpartition("@")[2]


def compose(mail: Mail, attachments: tuple[Attachment, ...] = ()) -> OutboundMessage:
    """Make the message: a pure function of what is stored, so that a repeat is the same to the last byte.

    `attachments` are the files that its content refers to.

    Raises:
        InvalidMessageError: when the stored content cannot be sent unchanged.
    """
    if mail.origin.recipient is None:
        raise ValueError("a mail without a recipient was never queued")
    addressing = mail.content.addressing
    return OutboundMessage(
        notification_id=mail.id,
        tenant_id=mail.origin.event.tenant_id,
        user_id=mail.origin.user_id,
        template_name=mail.template_name,
        category=mail.origin.category,
        from_=Mailbox(addressing.from_name, mail.mail_from),
        mail_from=mail.mail_from,
        rcpt_to=mail.origin.recipient,
        to=_shown(addressing.to) or (Mailbox(addressing.to_name, mail.origin.recipient),),
        cc=_shown(addressing.cc),
        reply_to=tuple(Mailbox(None, address) for address in addressing.reply_to),
        subject=mail.content.subject,
        date=mail.opened_at,
        html=mail.content.html,
        text=mail.content.text,
        attachments=attachments,
        headers=mail.content.enclosed.headers,
        tags=mail.content.enclosed.tags,
    )


def _shown(mailboxes: tuple[Shown, ...]) -> tuple[Mailbox, ...]:
    return tuple(Mailbox(name, address) for name, address in mailboxes)
