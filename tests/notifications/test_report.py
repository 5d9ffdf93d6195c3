"""What the upstream is told, and what it is never told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from events.delivery import EmailReport, delivery_event
from notifications.entry import DeadLetter
from notifications.facts import EventKey
from notifications.hashing import recipient_hash
from notifications.report import Reports
from notifications.status import Reason, Status
from notifications.transition import AttemptRow, Fence, Leaves, Parks, QueueChange, Transition
from tests.notifications.builders import (
    ADDRESS,
    NOTIFICATION,
    NOW,
    SECRET,
    TENANT,
    TRACEPARENT,
    an_entry,
    an_origin,
    later,
)

REPORTS = Reports(secret=SECRET)
PUBLISHED = [status for status in Status if status not in {Status.SENDING, Status.COLLECTED}]
ATTEMPT = AttemptRow(
    n=2,
    provider="smtp",
    mail_from="noreply@acme.example.com",
    outcome="permanent",
    error="mailbox_unknown",
    reply=f"550 5.1.1 <{ADDRESS}> no such user",
    provider_message_id="id-1",
    worker="worker:7",
    started_at=NOW,
    finished_at=NOW,
)


def of_change(status: Status, queue: QueueChange, reason: Reason | None = None) -> dict[str, Any] | None:
    change = Transition(
        id=NOTIFICATION,
        origin=an_origin(correlationid="cor-1"),
        fence=Fence(owner=7, attempt=2),
        status=status,
        reason=reason,
        queue=queue,
        attempt=ATTEMPT,
    )
    return REPORTS.of_change(change, 4, NOW)


def of_new(status: Status, **changes: Any) -> dict[str, Any] | None:
    fields: dict[str, Any] = {"reason": None, "due_at": None, "now": NOW}
    return REPORTS.of_status(NOTIFICATION, an_origin(), status=status, **fields | changes)


@pytest.mark.parametrize("queue", [Leaves(), Parks(due_at=later(seconds=10), reason=Reason.RETRY, is_pinned=False)])
@pytest.mark.parametrize("status", PUBLISHED)
def test_an_event_is_what_the_model_would_have_written(status: Status, queue: QueueChange) -> None:
    event = of_change(status, queue, Reason.RETRY)

    assert event is not None
    report = EmailReport.model_validate(event["data"])
    told = ("tenantid", "causationid", "correlationid", "traceparent")
    assert event == delivery_event(report, time=NOW, **{name: event[name] for name in told})
    assert list(event["data"]) == list(report.model_dump(exclude_none=True))


@pytest.mark.parametrize("status", PUBLISHED)
def test_every_status_but_sending_and_collected_is_told_under_its_own_type(status: Status) -> None:
    [new, changed] = [of_new(status), of_change(status, Leaves())]

    assert new is not None
    assert changed is not None
    assert new["type"] == changed["type"] == f"email.{status}.v1"
    assert (new["id"], changed["id"]) == (f"{NOTIFICATION}/1", f"{NOTIFICATION}/4")


def test_that_it_is_being_sent_is_not_told() -> None:
    for untold in (Status.SENDING, Status.COLLECTED):
        assert of_new(untold) is None
        assert of_change(untold, Leaves()) is None


@pytest.mark.parametrize("status", PUBLISHED)
def test_no_report_holds_an_address_or_a_provider_s_reply(status: Status) -> None:
    text = json.dumps([of_new(status), of_change(status, Leaves())])

    assert "@" not in text
    assert "alice" not in text
    assert "no such user" not in text
    assert recipient_hash(SECRET, ADDRESS) in text


def test_a_report_says_what_it_is_about_and_which_event_and_trace_it_comes_from() -> None:
    event = of_change(Status.QUEUED, Parks(due_at=later(minutes=1), reason=Reason.RETRY, is_pinned=False), Reason.RETRY)

    assert event is not None
    data = event.pop("data")
    assert event == {
        "specversion": "1.0",
        "id": f"{NOTIFICATION}/4",
        "source": "/outbound",
        "type": "email.queued.v1",
        "time": "2026-11-24T02:00:00Z",
        "subject": str(NOTIFICATION),
        "datacontenttype": "application/json",
        "tenantid": str(TENANT),
        "causationid": "evt-1",
        "correlationid": "cor-1",
        "traceparent": TRACEPARENT,
    }
    assert (data["reason"], data["due_at"]) == ("retry", "2026-11-24T02:01:00Z")
    assert (data["attempt"], data["provider"], data["provider_message_id"]) == (2, "smtp", "id-1")
    assert (data["user_id"], data["category"], data["subtype"]) == ("u-1", "tickets", "ticket-updated")


def test_a_first_status_that_waits_says_until_when() -> None:
    event = of_new(Status.QUEUED, reason=Reason.RATE, due_at=later(seconds=10))

    assert event is not None
    assert (event["data"]["reason"], event["data"]["due_at"]) == ("rate", "2026-11-24T02:00:10Z")


def test_a_notification_without_an_address_has_no_hash() -> None:
    event = REPORTS.of_status(
        NOTIFICATION,
        an_origin(recipient=None),
        status=Status.SKIPPED,
        reason=Reason.NO_ADDRESS,
        due_at=None,
        now=NOW,
    )

    assert event is not None
    assert "recipient_hash" not in event["data"]


def test_a_repeat_is_told_as_a_skipped_event_by_its_own_entry() -> None:
    key = EventKey(tenant_id=TENANT, source="/psa/tickets", event_id="evt-1")

    event = REPORTS.of_event(
        an_entry(sequence=1),
        key,
        type_="ticket.updated.v1",
        reason=Reason.DUPLICATE,
        now=NOW,
        correlationid=None,
        traceparent=TRACEPARENT,
    )

    assert (event["type"], event["subject"], event["data"]["reason"]) == ("event.skipped.v1", "evt-1", "duplicate")
    assert event["id"] == f"outbound:events/{an_entry(sequence=1).entry_id}/skipped"


def test_a_dead_letter_is_told_also_when_nobody_knows_whose_it_is() -> None:
    letter = DeadLetter(entry=an_entry(), reason=Reason.UNDECODABLE, detail="data: not JSON")

    event = REPORTS.of_dead_letter(letter, NOW)

    assert event["type"] == "event.dead_lettered.v1"
    assert (event["data"]["reason"], event["data"]["detail"]) == ("undecodable", "data: not JSON")
    assert {"tenantid", "causationid", "subject"} & set(event) == set()
