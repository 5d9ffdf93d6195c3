"""The events we emit."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from pydantic import ValidationError

from events.delivery import DELIVERY_TYPES, EmailReport, EventReport, delivery_event
from notifications.status import Status

TENANT = UUID("7d0c1f5e-8d2b-4c57-9a3e-0d2f3c1b9a10")
NOTIFICATION = UUID("0192f000-0000-8000-8000-000000000001")
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)


def test_a_delivery_event_says_what_became_of_a_notification() -> None:
    report = EmailReport(
        notification_id=NOTIFICATION,
        version=2,
        status="queued",
        reason="rate",
        due_at=NOW + timedelta(seconds=10),
        category="tickets",
        subtype="ticket-updated",
        user_id="u1",
        recipient_hash="5f",
    )

    event = delivery_event(
        report, time=NOW, tenantid=TENANT, causationid="01JD7T", correlationid="c", traceparent=TRACEPARENT
    )

    assert event == {
        "specversion": "1.0",
        "id": f"{NOTIFICATION}/2",
        "source": "/outbound",
        "type": "email.queued.v1",
        "time": "2026-11-24T02:00:00Z",
        "subject": str(NOTIFICATION),
        "datacontenttype": "application/json",
        "tenantid": str(TENANT),
        "causationid": "01JD7T",
        "correlationid": "c",
        "traceparent": TRACEPARENT,
        "data": {
            "notification_id": str(NOTIFICATION),
            "version": 2,
            "status": "queued",
            "reason": "rate",
            "due_at": "2026-11-24T02:00:10Z",
            "category": "tickets",
            "subtype": "ticket-updated",
            "user_id": "u1",
            "recipient_hash": "5f",
        },
    }
    assert json.loads(json.dumps(event)) == event


def test_a_dead_letter_without_tenant_is_told_without_one() -> None:
    report = EventReport(stream="outbound:events", entry_id="1-0", status="dead_lettered", reason="undecodable")

    event = delivery_event(report, time=NOW, tenantid=None, causationid=None)

    assert (event["id"], event["type"]) == ("outbound:events/1-0/dead_lettered", "event.dead_lettered.v1")
    assert event.keys().isdisjoint({"tenantid", "subject", "causationid"})


def test_an_event_report_has_the_event_as_its_subject() -> None:
    report = EventReport(stream="s", entry_id="1-0", status="skipped", reason="duplicate", event_id="01JD7T")

    assert delivery_event(report, time=NOW, tenantid=TENANT, causationid="01JD7T")["subject"] == "01JD7T"


def test_times_are_told_in_utc() -> None:
    report = EventReport(stream="s", entry_id="1-0", status="skipped", reason="duplicate")
    there = NOW.astimezone(timezone(timedelta(hours=2)))

    assert delivery_event(report, time=there, tenantid=TENANT, causationid=None)["time"] == "2026-11-24T02:00:00Z"


def test_every_status_that_is_told_has_a_type() -> None:
    statuses = {name.split(".")[1] for name, model in DELIVERY_TYPES.items() if model is EmailReport}

    assert statuses == set(Status) - {Status.SENDING, Status.COLLECTED}
    for status in statuses:
        assert EmailReport(notification_id=NOTIFICATION, version=1, status=status).type in DELIVERY_TYPES


@pytest.mark.parametrize("status", ["sending", "sent", ""])
def test_other_statuses_are_refused(status: str) -> None:
    with pytest.raises(ValidationError):
        EmailReport(notification_id=NOTIFICATION, version=1, status=status)


def test_reports_have_no_room_for_an_address_a_subject_line_or_a_body() -> None:
    fields = EmailReport.model_fields.keys() | EventReport.model_fields.keys()

    assert fields.isdisjoint({"email", "to", "recipient", "subject", "html", "text", "body", "data"})
