"""The line's values with defaults, for tests that are about one field of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from events.envelope import CloudEvent
from notifications.categories import UncertainPolicy
from notifications.content import Addressing, RenderedContent, RequestContent
from notifications.draft import Draft, draft
from notifications.entry import Entry
from notifications.facts import EventKey, RecipientFacts, SubtypeSettings, TenantSettings
from notifications.mail import Mail, Origin
from notifications.plan import Plan, Planner
from notifications.request import DirectoryChange, Effect, NotificationRequest, Recipient
from notifications.template import TemplateVersion, pin
from providers.receipt import Outcome, SendReceipt

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
MILLISECONDS = int(NOW.timestamp() * 1000)
TENANT = UUID("7d0c1f5e-8d2b-4c57-9a3e-0d2f3c1b9a10")
OTHER_TENANT = UUID("8e1d1f5e-8d2b-4c57-9a3e-0d2f3c1b9a11")
NOTIFICATION = UUID(int=MILLISECONDS << 80 | 0x8 << 76 | 0b10 << 62 | 42)
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SECRET = b"a-secret-key-for-tests"
ADDRESS = "alice@example.com"


def a_subtype(**changes: Any) -> SubtypeSettings:
    fields: dict[str, Any] = {
        "slug": "ticket-updated",
        "category": "tickets",
        "category_enabled": True,
        "subtype_enabled": True,
        "enabled_by_default": True,
        "is_mandatory": False,
        "is_urgent": False,
        "is_secret": False,
        "uncertain_policy": UncertainPolicy.AT_LEAST_ONCE,
        "expires_after": None,
    }
    return SubtypeSettings(**fields | changes)


def a_tenant(*subtypes: SubtypeSettings, **changes: Any) -> TenantSettings:
    fields: dict[str, Any] = {
        "id": TENANT,
        "slug": "acme",
        "name": "Acme",
        "version": 1,
        "is_active": True,
        "is_enabled": True,
        "rate_per_minute": None,
        "rate_burst": None,
        "subtypes": {subtype.slug: subtype for subtype in subtypes or (a_subtype(),)},
    }
    return TenantSettings(**fields | changes)


def an_origin(**changes: Any) -> Origin:
    fields: dict[str, Any] = {
        "event": EventKey(tenant_id=TENANT, source="/psa/tickets", event_id="evt-1"),
        "traceparent": TRACEPARENT,
        "correlationid": None,
        "category": "tickets",
        "subtype": "ticket-updated",
        "user_id": "u-1",
        "recipient": ADDRESS,
    }
    return Origin(**fields | changes)


ADDRESSING = Addressing(
    to_name="Alice", from_name="Acme", reply_to=(), key=f"{TENANT}/ticket/42", expires_at=None, actor_id=None
)
RENDERED = RenderedContent(addressing=ADDRESSING, subject="Ticket 42", html="<p>Hello</p>", text="Hello")
REQUEST = RequestContent(
    addressing=ADDRESSING,
    template_name="ticket-updated",
    template_locale="en",
    template_version="0" * 32,
    data={"ticket": {"number": "42"}, "tenant": {"name": "Acme", "slug": "acme"}},
)


def a_mail(**changes: Any) -> Mail:
    fields: dict[str, Any] = {
        "id": NOTIFICATION,
        "origin": an_origin(),
        "owner": 7,
        "attempt": 3,
        "tries": 0,
        "provider": "smtp",
        "mail_from": "noreply@acme.example.com",
        "opened_at": NOW,
        "is_pinned": False,
        "uncertain_policy": UncertainPolicy.AT_LEAST_ONCE,
        "is_secret": False,
        "template_name": "ticket-updated",
        "content": RENDERED,
        "tenant": a_tenant(),
    }
    return Mail(**fields | changes)


def a_receipt(outcome: Outcome = Outcome.ACCEPTED, **changes: Any) -> SendReceipt:
    fields: dict[str, Any] = {
        "provider": "smtp",
        "outcome": outcome,
        "timestamp": NOW,
        "tenant_id": TENANT,
        "from_domain": "acme.example.com",
    }
    return SendReceipt(**fields | changes)


def an_event(**changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "evt-1",
        "source": "/psa/tickets",
        "type": "ticket.updated.v1",
        "subject": "ticket/42",
        "tenantid": str(TENANT),
        "data": {"ticket_id": "42", "ticket_number": "42", "title": "Printer on fire", "status": "open"},
    } | changes


def an_entry(milliseconds: int = MILLISECONDS, sequence: int = 0, **changes: Any) -> Entry:
    return Entry(
        stream="outbound:events",
        entry_id=f"{milliseconds}-{sequence}",
        fields={b"data": json.dumps(an_event(**changes)).encode()},
    )


def a_request(
    user_id: str | None = "u-1", email: str | None = ADDRESS, subtype: str = "ticket-updated"
) -> NotificationRequest:
    recipient = Recipient(user_id=user_id, email=email, name="Alice")
    return NotificationRequest(subtype=subtype, recipient=recipient, data={"ticket": {"number": "42"}})


def plan_of(
    *entries: Entry,
    effects: Sequence[Effect] = (),
    now: datetime = NOW,
    secret: bytes = SECRET,
) -> Plan:
    """Plan entries whose tickets lead to `effects` and whose user.deleted to a change of the directory."""

    def on_ticket(_: CloudEvent[Any]) -> Sequence[Effect]:
        return effects or (a_request(),)

    def on_user_deleted(_: CloudEvent[Any]) -> Sequence[Effect]:
        return [DirectoryChange(kind="user_delete", values={"user_id": "u-1"})]

    routes = {"ticket.updated.v1": on_ticket, "user.deleted.v1": on_user_deleted}
    return Planner(routes=routes, secret=secret, max_entry_bytes=1_000_000).plan(entries, now)


def a_template(name: str = "ticket-updated", locale: str = "en", subject: str = "Hello") -> TemplateVersion:
    return pin(name=name, locale=locale, subject=subject, html="<p>Hello</p>", text="Hello")


def a_draft(
    tenant: TenantSettings | None = None,
    facts: RecipientFacts | None = None,
    *,
    request: NotificationRequest | None = None,
    entry: Entry | None = None,
    service_enabled: bool = True,
    now: datetime = NOW,
) -> Draft:
    """One event with one notification, as the gates leave it."""
    [event] = plan_of(entry or an_entry(), effects=(request or a_request(),), now=now).events
    [planned] = event.notifications
    return draft(
        event,
        planned,
        tenant or a_tenant(),
        facts or RecipientFacts(),
        service_enabled=service_enabled,
        traceparent=TRACEPARENT,
        now=now,
    )


def later(moment: datetime = NOW, **delta: float) -> datetime:
    return moment + timedelta(**delta)


def addressed_to(mail: Mail, recipient: str | None) -> Mail:
    return replace(mail, origin=replace(mail.origin, recipient=recipient))
