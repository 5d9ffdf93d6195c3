"""What an open digest becomes when it closes: nothing, items by themselves, or one mail about several. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from notifications.content import Addressing, RequestContent, encode
from notifications.draft import NORMAL_LANE
from notifications.facts import EventKey, RecipientFacts, TenantSettings
from notifications.hashing import milliseconds, notification_id
from notifications.mail import Origin
from notifications.ports import NotificationRow, QueueRow
from notifications.report import Reports
from notifications.status import Reason, Status
from notifications.still_wanted import ending_of, judge_again
from notifications.template import TemplateVersion
from notifications.timing import Frequency

SUBTYPE = "digest"
SOURCE = "/outbound/digests"
MAX_SHOWN = 50
"""Items that a digest shows; of more it tells how many there are."""

_LOOK = ("brand", "timezone")
"""What an item is shown with, and so its digest: the tenant's look, and the time zone its times are told in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A collected notification as it is stored; content None: it is gone."""

    id: UUID
    origin: Origin
    content: RequestContent | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDigest:
    """A digest that is due, with all that lies in it, in the order in which it happened."""

    id: UUID
    tenant_id: UUID
    reader: str
    about: str
    items: Sequence[Item]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """An item that is not told any more, and why."""

    item: Item
    status: Status
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An item that still is, with the words that it is told in."""

    item: Item
    content: RequestContent


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What is written when a digest closes.

    Each of `alone` goes by itself, in its own words; `mail` is the digest, into which `told` were gathered.
    """

    stopped: tuple[Stopped, ...] = ()
    alone: tuple[Item, ...] = ()
    mail: NotificationRow | None = None
    told: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An item's line in the digest."""

    title: str
    url: str | None
    at: datetime


def ask_again(
    items: Sequence[Item],
    tenant: TenantSettings | None,
    recipients: Sequence[RecipientFacts],
    *,
    service_enabled: bool,
    now: datetime,
) -> tuple[tuple[Stopped, ...], tuple[Told, ...]]:
    """Part what is still wanted from what is not: the gates, with what is known today of each item's recipient."""
    stopped: list[Stopped] = []
    told: list[Told] = []
    for item, recipient in zip(items, recipients, strict=True):
        subtype = tenant.subtypes.get(item.origin.subtype) if tenant else None
        if item.content is None:
            stopped.append(Stopped(item=item, status=Status.FAILED, reason=Reason.CONTENT_GONE))
        elif tenant is None or subtype is None:
            stopped.append(Stopped(item=item, status=Status.FAILED, reason=Reason.TENANT_INACTIVE))
        else:
            verdict = judge_again(
                item.origin,
                item.content.addressing,
                tenant,
                subtype,
                recipient,
                service_enabled=service_enabled,
                now=now,
            )
            if verdict.reason is None:
                told.append(Told(item=item, content=item.content))
            else:
                stopped.append(Stopped(item=item, status=ending_of(verdict.reason), reason=verdict.reason))
    return tuple(stopped), tuple(told)


def gathered(told: Sequence[Told]) -> tuple[tuple[Told, ...], tuple[Told, ...]]:
    """Return what comes as one mail, and what goes by itself: an address is never told what was for another one.

    Somebody may have changed their address since the first item, or an upstream may know two of one user.
    """
    if not told:
        return (), ()
    address = told[-1].item.origin.recipient
    together = tuple(one for one in told if one.item.origin.recipient == address)
    apart = tuple(one for one in told if one.item.origin.recipient != address)
    return (together, apart) if len(together) > 1 else ((), (*apart, *together))


def close(
    digest: OpenDigest,
    stopped: tuple[Stopped, ...],
    told: Sequence[Told],
    shown: Sequence[Shown],
    template: TemplateVersion | None,
    *,
    secret: bytes,
    reports: Reports,
    now: datetime,
) -> Closing:
    """Decide what a digest becomes. `shown` are the lines of the first items that come as one mail.

    Without a template for digests everything goes by itself.
    """
    together, apart = gathered(told)
    if template is None:
        together, apart = (), tuple(told)
    return Closing(
        stopped=stopped,
        alone=tuple(one.item for one in apart),
        told=tuple(one.item for one in together),
        mail=_mail(digest, together, shown, template, secret, reports, now) if together and template else None,
    )


def digest_id(secret: bytes, digest: OpenDigest, now: datetime) -> UUID:
    """Return the id of the digest's own notification."""
    moment = int(now.timestamp() * 1000)
    return notification_id(secret, moment, digest.tenant_id, SOURCE, str(digest.id), SUBTYPE, digest.reader)


def happened_at(item: Item) -> datetime:
    """Return when an item was collected, as its id tells."""
    return datetime.fromtimestamp(milliseconds(item.id) / 1000, tz=UTC)


def _mail(
    digest: OpenDigest,
    items: Sequence[Told],
    shown: Sequence[Shown],
    template: TemplateVersion,
    secret: bytes,
    reports: Reports,
    now: datetime,
) -> NotificationRow:
    last = items[-1].item
    origin = Origin(
        event=EventKey(tenant_id=digest.tenant_id, source=SOURCE, event_id=str(digest.id)),
        traceparent=last.origin.traceparent,
        correlationid=last.origin.correlationid,
        category=last.origin.category,
        subtype=SUBTYPE,
        user_id=last.origin.user_id,
        recipient=last.origin.recipient,
    )
    id_ = digest_id(secret, digest, now)
    return NotificationRow(
        id=id_,
        event=origin.event,
        category=origin.category,
        subtype=SUBTYPE,
        user_id=origin.user_id,
        recipient=origin.recipient,
        status=Status.QUEUED,
        reason=Reason.DIGEST,
        template=(template.name, template.locale, template.version),
        gates={"gate": "passed", "reason": None, "evidence": {"items": len(items), "about": digest.about}},
        traceparent=origin.traceparent,
        correlationid=origin.correlationid,
        content=encode(_content(digest, items, shown, template)),
        queue=QueueRow(
            lane=NORMAL_LANE,
            due_at=now,
            reason=Reason.DIGEST,
            owner=None,
            attempt=0,
            provider=None,
            mail_from=None,
            opened_at=None,
        ),
        delivery_event=reports.of_status(id_, origin, status=Status.QUEUED, reason=Reason.DIGEST, due_at=now, now=now),
    )


def _content(
    digest: OpenDigest, items: Sequence[Told], shown: Sequence[Shown], template: TemplateVersion
) -> RequestContent:
    last = items[-1].content
    is_periodic = digest.about in set(Frequency)
    data: dict[str, Any] = {
        "digest": {
            "count": len(items),
            "more": max(0, len(items) - len(shown)),
            "frequency": digest.about if is_periodic else None,
            "about": None if is_periodic else _about(last.data),
        },
        "items": [{"title": line.title, "url": line.url, "at": line.at.isoformat()} for line in shown],
        "recipient": {"name": last.addressing.to_name},
        "tenant": last.data.get("tenant"),
        **{name: last.data[name] for name in _LOOK if name in last.data},
    }
    return RequestContent(
        addressing=Addressing(
            to_name=last.addressing.to_name,
            from_name=last.addressing.from_name,
            reply_to=last.addressing.reply_to,
            key=f"{digest.tenant_id}/digest/{digest.id}",
            expires_at=None,
            actor_id=None,
            timezone=last.addressing.timezone,
        ),
        template_name=template.name,
        template_locale=template.locale,
        template_version=template.version,
        data=data,
    )


def _about(data: Mapping[str, Any]) -> str | None:
    """Return what people call the thing that the items are about: its number, or its title."""
    for kind in ("ticket", "invoice"):
        thing = data.get(kind)
        if isinstance(thing, Mapping):
            return thing.get("number") or thing.get("title")
    return None


def link_of(data: Mapping[str, Any]) -> str | None:
    """Return where one can look at what an item is about."""
    for kind in ("ticket", "invoice"):
        thing = data.get(kind)
        if isinstance(thing, Mapping) and thing.get("url"):
            return str(thing["url"])
    return None
