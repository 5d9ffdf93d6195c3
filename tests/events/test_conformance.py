"""The CloudEvents SDK reads what we write, and we read what it writes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from cloudevents.core.bindings.kafka import to_binary_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from events.delivery import EmailReport, delivery_event
from events.wire import decode, encode

NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)
TENANT = UUID("7d0c1f5e-8d2b-4c57-9a3e-0d2f3c1b9a10")


def written_by_the_sdk(ticket: dict[str, Any]) -> CloudEvent:
    attributes = {name: value for name, value in ticket.items() if name != "data"} | {"time": NOW}
    return CloudEvent(attributes, ticket["data"])


def test_an_event_the_sdk_writes_in_structured_mode_is_read(ticket: dict[str, Any]) -> None:
    text = JSONFormat().write(written_by_the_sdk(ticket))

    assert decode({b"data": text}) == decode({b"data": encode(ticket)["data"].encode()})


def test_an_event_the_sdk_writes_in_binary_mode_is_read(ticket: dict[str, Any]) -> None:
    message = to_binary_event(written_by_the_sdk(ticket))
    fields = {name.encode(): value for name, value in message.headers.items()} | {b"data": message.value}

    event = decode(fields)

    assert (event.id, event.time, event.tenantid, event.data.title) == ("01JD7T", NOW, TENANT, "Printer on fire")


def test_a_delivery_event_is_read_by_the_sdk() -> None:
    report = EmailReport(notification_id=TENANT, version=1, status="accepted", provider="smtp")
    ours = delivery_event(report, time=NOW, tenantid=TENANT, causationid="01JD7T")

    theirs = JSONFormat().read(None, encode(ours)["data"])

    assert (theirs.get_type(), theirs.get_source(), theirs.get_time()) == ("email.accepted.v1", "/outbound", NOW)
    assert theirs.get_extension("tenantid") == str(TENANT)
    assert theirs.get_data()["provider"] == "smtp"


def test_an_encoded_domain_event_is_read_by_the_sdk(ticket: dict[str, Any]) -> None:
    theirs = JSONFormat().read(None, encode(ticket)["data"])

    assert (theirs.get_id(), theirs.get_subject(), theirs.get_data()) == ("01JD7T", "ticket/42", ticket["data"])
