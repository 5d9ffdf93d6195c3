"""What an open digest becomes when it closes: nothing, one item by itself, or one mail about all of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from notifications.content import Addressing, RequestContent, encode
from notifications.facts import EventKey
from notifications.hashing import milliseconds, notification_id
from notifications.mail import Origin
from notifications.ports import NotificationRow, QueueRow
from notifications.report import Reports
from notifications.status import Reason, Status
from notifications.template import TemplateVersion
from notifications.timing import Frequency

SUBTYPE = "digest"
SOURCE = "/outbound/digests"
MAX_SHOWN = 50
"""Items that a digest shows; of more it tells how many there are."""

_NORMAL_LANE = 1
_LOOK = ("brand", "timezone")
"""What an item is shown with, and so its digest: the tenant's look, and the time zone its times are told in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A collected notification as it is stored; content None: it is gone."""

    id: UUID
    origin: Origin
    content: RequestContent | None

    def is_stale(self, now: datetime) -> bool:
        """Tell whether it may no longer be told."""
        return self.content is None or (
            self.content.addressing.expires_at is not None and self.content.addressing.expires_at <= now
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDigest:
    """A digest that is due, with all that lies in it, in the order in which it happened."""

    id: UUID
    tenant_id: UUID
    reader: str
    about: str
    items: Sequence[Item]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What is written when a digest closes.

    `alone` is an item that goes by itself, in its own words; `mail` is the digest, into which `told` were gathered.
    """

    stale: tuple[Item, ...] = ()
    alone: Item | None = None
    mail: NotificationRow | None = None
    told: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An item's line in the digest."""

    title: str
    url: str | None
    at: datetime


def part(digest: OpenDigest, now: datetime) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Return what is stale, and what is still to be told."""
    stale = tuple(item for item in digest.items if item.is_stale(now))
    return stale, tuple(item for item in digest.items if not item.is_stale(now))


def close(
    digest: OpenDigest,
    shown: Sequence[Shown],
    template: TemplateVersion | None,
    *,
    secret: bytes,
    reports: Reports,
    now: datetime,
) -> Closing:
    """Decide what a digest becomes. `shown` are the lines of its first items that are still to be told.

    Without a template each item would be lost in it: then nothing closes.

    Raises:
        LookupError: when there is more than one item to tell and no template for it.
    """
    stale, fresh = part(digest, now)
    if not fresh:
        return Closing(stale=stale)
    if len(fresh) == 1:
        return Closing(stale=stale, alone=fresh[0])
    if template is None:
        raise LookupError("there is no template for digests")
    return Closing(stale=stale, told=fresh, mail=_mail(digest, fresh, shown, template, secret, reports, now))


def digest_id(secret: bytes, digest: OpenDigest, now: datetime) -> UUID:
    """Return the id of the digest's own notification."""
    moment = int(now.timestamp() * 1000)
    return notification_id(secret, moment, digest.tenant_id, SOURCE, str(digest.id), SUBTYPE, digest.reader)


def happened_at(item: Item) -> datetime:
    """Return when an item was collected, as its id tells."""
    return datetime.fromtimestamp(milliseconds(item.id) / 1000, tz=UTC)


def _mail(
    digest: OpenDigest,
    items: Sequence[Item],
    shown: Sequence[Shown],
    template: TemplateVersion,
    secret: bytes,
    reports: Reports,
    now: datetime,
) -> NotificationRow:
    last = items[-1]
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
            lane=_NORMAL_LANE,
            due_at=now,
            reason=Reason.DIGEST,
            owner=None,
            attempt=0,
            provider=None,
            mail_from=None,
            opened_at=None,
        ),
        delivery_event=reports.of_new(id_, origin, status=Status.QUEUED, reason=Reason.DIGEST, due_at=now, now=now),
    )


def _content(
    digest: OpenDigest, items: Sequence[Item], shown: Sequence[Shown], template: TemplateVersion
) -> RequestContent:
    last = next(item.content for item in reversed(items) if item.content is not None)
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
