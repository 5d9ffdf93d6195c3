"""What a handler asks for: the only ways an event can have an effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from events.envelope import CloudEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Whom to tell, as far as the event knows; the directory fills in what is None. The address is unchecked."""

    user_id: str | None = None
    email: str | None = None
    name: str | None = None
    locale: str | None = None
    timezone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRequest:
    """A file to send along: its content in base64, or its path below the folder that the operator opened. Unchecked."""

    filename: str
    content: str | None = field(default=None, repr=False)
    path: str | None = None
    content_type: str | None = None
    cid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What a mail carries beside its words. `reply_to` takes the place of the tenant's, the rest adds to it."""

    files: tuple[FileRequest, ...] = ()
    reply_to: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    send_at: datetime | None = None
    """Not before this; without a zone it is meant by the recipient's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRequest:
    """One notification of one subtype to one recipient.

    `data` is the template's context: plain dicts, lists, strings and numbers only. `actor_id` is the user whose doing
    the event is: nobody is told of their own action. Each of `cc` and `bcc` becomes a notification of its own with the
    same words; the former are shown in the header Cc, the latter nowhere.
    """

    subtype: str
    recipient: Recipient
    data: Mapping[str, Any]
    actor_id: str | None = None
    cc: tuple[Recipient, ...] = ()
    bcc: tuple[Recipient, ...] = ()
    extras: Extras = field(default_factory=Extras)


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryChange:
    """A change to the tenants and users we know, applied in the claim's transaction.

    `kind` is one of tenant_register, tenant_update, tenant_suspend, user_upsert, user_delete; `values` holds column
    names and values (None leaves a column as it is): name, slug for a tenant; user_id, email, name, locale, timezone,
    email_verified for a user. Only tenant_register makes an unknown tenant known.
    """

    kind: str
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])


Effect = NotificationRequest | DirectoryChange
Handler = Callable[[CloudEvent[Any]], Sequence[Effect]]
Routes = Mapping[str, Handler]
"""The one table from event type (`ticket.updated.v1`) to its handler; wiring passes it into the pipeline."""
