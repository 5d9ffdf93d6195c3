"""The demo's events, one for each thing that can become of an event, and their way onto the bus."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from events.wire import encode
from outbound.dev.demo_tenants import BRIGHTSIDE, HARBOR, DemoTenant
from outbound.moment import moment

_NOBODY = UUID("5b1d6c4e-9f0a-4d33-8a51-2c7e90b1dfff")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoEvent:
    """An entry to publish, and what to call it. `tenant` is its slug, or its id where there is no such tenant."""

    label: str
    id: str
    type: str | None
    tenant: str | None
    fields: Mapping[str, str]
    is_urgent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A demo event and where it is on the bus."""

    event: DemoEvent
    stream: str
    entry_id: str


def demo_events(now: datetime) -> list[DemoEvent]:
    """Return the demo's events in the order of their publication, with ids that belong to this moment alone."""
    say = _Speaker(now)
    first = say.event(
        "ticket updated", BRIGHTSIDE, "ticket.updated.v1", _ticket("42", "ben", requester="ada", watcher="cleo")
    )
    return [
        first,
        say.binary("binary mode", BRIGHTSIDE, "ticket.updated.v1", _ticket("43", "ada", requester="ada")),
        say.event("invoice issued", BRIGHTSIDE, "invoice.issued.v1", _invoice("1001", "cleo")),
        say.legacy("legacy form", BRIGHTSIDE, "INVOICE_FINALIZED", _invoice("1002", "ada")),
        say.event(
            "verification requested", BRIGHTSIDE, "user.verification_requested.v1", _verification(now), is_urgent=True
        ),
        say.event("address verified", HARBOR, "user.verified.v1", _verified("hugo"), is_urgent=True),
        say.event("within the rate limit", HARBOR, "invoice.issued.v1", _invoice("2001", "hugo")),
        say.event("over the rate limit", HARBOR, "invoice.issued.v1", _invoice("2002", "iris")),
        say.event("opted out", BRIGHTSIDE, "ticket.updated.v1", _ticket("44", "ben", requester="dora")),
        say.event("no address", BRIGHTSIDE, "invoice.issued.v1", _invoice("1003", "emil")),
        say.event("nobody to tell", BRIGHTSIDE, "invoice.issued.v1", _invoice("1004")),
        DemoEvent(
            label="duplicate", id=first.id, type=first.type, tenant=first.tenant, fields={"data": first.fields["data"]}
        ),
        say.undecodable("undecodable"),
        say.event("unknown type", BRIGHTSIDE, "ticket.evaporated.v1", {"ticket_id": "45"}),
        say.stranger("unknown tenant", "invoice.issued.v1", _invoice("3001")),
    ]


def example_event(now: datetime) -> dict[str, Any]:
    """Return the attributes of one more event, for somebody to publish by hand."""
    data = _ticket("77", "ben", requester="ada") | {"title": "Published by hand"}
    return _Speaker(now).attributes(f"by-hand-{now:%Y%m%dT%H%M%S}", BRIGHTSIDE.id, "ticket.updated.v1", data)


class _Speaker:
    """Puts events into the forms the bus knows; numbers them."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._count = 0

    def event(
        self, label: str, tenant: DemoTenant, type_: str, data: Mapping[str, Any], *, is_urgent: bool = False
    ) -> DemoEvent:
        """Structured mode: the whole event in one field."""
        id_ = self._next()
        fields = encode(self.attributes(id_, tenant.id, type_, data))
        return DemoEvent(label=label, id=id_, type=type_, tenant=tenant.slug, fields=fields, is_urgent=is_urgent)

    def binary(self, label: str, tenant: DemoTenant, type_: str, data: Mapping[str, Any]) -> DemoEvent:
        """Binary mode: a field for each attribute."""
        id_ = self._next()
        attributes = self.attributes(id_, tenant.id, type_, data)
        fields = {f"ce_{name}": str(value) for name, value in attributes.items() if name != "data"}
        return DemoEvent(
            label=label, id=id_, type=type_, tenant=tenant.slug, fields=fields | {"data": json.dumps(dict(data))}
        )

    def legacy(self, label: str, tenant: DemoTenant, name: str, data: Mapping[str, Any]) -> DemoEvent:
        """What the system before wrote."""
        id_ = self._next()
        payload = {"tenantId": str(tenant.id), **data}
        entry = {"id": id_, "eventType": name, "timestamp": self._now.isoformat(), "payload": payload}
        fields = {"event": json.dumps(entry), "channel": "demo"}
        return DemoEvent(label=label, id=id_, type=name, tenant=tenant.slug, fields=fields)

    def undecodable(self, label: str) -> DemoEvent:
        """Half an event."""
        id_ = self._next()
        return DemoEvent(label=label, id=id_, type=None, tenant=None, fields={"data": f'{{"id":"{id_}","sour'})

    def stranger(self, label: str, type_: str, data: Mapping[str, Any]) -> DemoEvent:
        """An event of a tenant nobody registered."""
        id_ = self._next()
        fields = encode(self.attributes(id_, _NOBODY, type_, data))
        return DemoEvent(label=label, id=id_, type=type_, tenant=str(_NOBODY), fields=fields)

    def attributes(self, id_: str, tenant_id: UUID, type_: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes of a CloudEvent with its data."""
        return {
            "specversion": "1.0",
            "id": id_,
            "source": "/outbound/demo",
            "type": type_,
            "time": moment(self._now),
            "tenantid": str(tenant_id),
            "data": dict(data),
        }

    def _next(self) -> str:
        self._count += 1
        return f"demo-{self._now:%Y%m%dT%H%M%S}-{self._count:02d}"


def _ticket(number: str, actor: str, **people: str) -> dict[str, Any]:
    """Everybody is named by user id alone: names and addresses come from the directory."""
    return {
        "ticket_id": number,
        "ticket_number": number,
        "title": "The printer on the second floor",
        "status": "in_progress",
        "priority": "high",
        "url": f"https://psa.example/tickets/{number}",
        "changes": {"status": {"previous": "open", "new": "in_progress"}},
        "actor_user_id": actor,
        "actor_name": BRIGHTSIDE.people[actor][0],
        "people": [
            *({"role": role, "user_id": user_id} for role, user_id in people.items()),
            {"role": "assignee", "user_id": "ben"},
        ],
    }


def _invoice(number: str, *contacts: str) -> dict[str, Any]:
    return {
        "invoice_id": number,
        "invoice_number": f"R-{number}",
        "amount": "1234.50",
        "currency": "EUR",
        "due_date": "2027-01-31",
        "url": f"https://psa.example/invoices/{number}",
        "people": [{"role": "contact", "user_id": user_id} for user_id in contacts],
    }


def _verification(now: datetime) -> dict[str, Any]:
    return {
        "user_id": "nia",
        "email": "nia@customer.example",
        "name": "Nia Farrell",
        "verification_url": "https://psa.example/verify?token=demo",
        "expires_at": (now + timedelta(hours=24)).isoformat(),
    }


def _verified(user_id: str) -> dict[str, Any]:
    name, address = HARBOR.people[user_id]
    return {"user_id": user_id, "email": address, "name": name}


async def publish(redis_url: str, streams: Sequence[str], events: Sequence[DemoEvent]) -> list[Published]:
    """Add the events to the bus: urgent ones to the first stream, the others to the last."""
    # No repeats by the client: a lost answer would otherwise show a duplicate that nobody meant.
    async with Redis.from_url(redis_url, retry=Retry(NoBackoff(), 0)) as redis:
        targets = [streams[0] if event.is_urgent else streams[-1] for event in events]
        async with redis.pipeline(transaction=False) as pipe:
            for event, stream in zip(events, targets, strict=True):
                fields: dict[Any, Any] = dict(event.fields)  # redis-py's own key type is invariant
                pipe.xadd(stream, fields)
            entry_ids = await pipe.execute()
    return [
        Published(event=event, stream=stream, entry_id=entry_id.decode())
        for event, stream, entry_id in zip(events, targets, entry_ids, strict=True)
    ]
