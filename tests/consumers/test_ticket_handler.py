"""Who is told of a ticket's update, and what."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from consumers.ticket import on_ticket_updated
from events.envelope import CloudEvent
from events.ticket import TicketUpdated
from notifications.request import NotificationRequest, Recipient

ANN = {"role": "requester", "user_id": "u1", "email": "ann@example.com", "name": "Ann", "locale": "de"}
BOB = {"role": "assignee", "user_id": "u2", "name": "Bob", "timezone": "Europe/Berlin"}


def ticket(**data: Any) -> list[Any]:
    event = CloudEvent[TicketUpdated].model_validate(
        {
            "id": "1",
            "source": "/s",
            "type": "ticket.updated.v1",
            "tenantid": UUID("7d0c1f5e-8d2b-4c57-9a3e-0d2f3c1b9a10"),
            "data": {"ticket_id": "42", "title": "Printer on fire"} | data,
        }
    )
    return list(on_ticket_updated(event))


def test_everybody_a_ticket_concerns_is_told_of_its_update() -> None:
    ann, bob = ticket(
        ticket_number="T-42",
        status="closed",
        priority="high",
        url="https://psa.example/t/42",
        changes={"status": {"previous": "open", "new": "closed"}},
        actor_user_id="u2",
        people=[ANN, BOB],
    )

    assert ann == NotificationRequest(
        subtype="ticket-updated",
        recipient=Recipient(user_id="u1", email="ann@example.com", name="Ann", locale="de"),
        actor_id="u2",
        data={
            "ticket": {
                "id": "42",
                "number": "T-42",
                "title": "Printer on fire",
                "status": "closed",
                "priority": "high",
                "url": "https://psa.example/t/42",
            },
            "changes": [{"field": "status", "previous": "open", "new": "closed"}],
            "updated_fields": [],
            "actor": {"name": "Bob"},
            "recipient": {"name": "Ann"},
        },
    )
    assert bob.recipient == Recipient(user_id="u2", name="Bob", timezone="Europe/Berlin")
    assert bob.data["recipient"] == {"name": "Bob"}


def test_what_is_unknown_is_there_as_none() -> None:
    [request] = ticket(people=[{"role": "contact", "email": "x@example.com"}])

    assert request.actor_id is None
    assert request.data == {
        "ticket": {
            "id": "42",
            "number": None,
            "title": "Printer on fire",
            "status": None,
            "priority": None,
            "url": None,
        },
        "changes": [],
        "updated_fields": [],
        "actor": {"name": None},
        "recipient": {"name": None},
    }


def test_a_person_in_two_roles_is_told_once() -> None:
    again = [ANN | {"role": "watcher", "email": None}, {"role": "cc", "email": "ANN@example.com"}]

    [request] = ticket(people=[ANN, *again])

    assert request.recipient.user_id == "u1"


def test_somebody_without_user_and_address_is_asked_for_so_that_the_skip_is_seen() -> None:
    [request] = ticket(people=[{"role": "contact", "name": "Ann"}])

    assert request.recipient == Recipient(name="Ann")


def test_a_ticket_without_people_asks_for_nothing() -> None:
    assert ticket() == []


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({}, ["u1", "u2", "u3"]),
        ({"suppress_contact_notifications": True}, ["u2"]),
        ({"suppressInternalNotifications": True}, ["u1", "u3"]),
        ({"suppress_contact_notifications": True, "suppress_internal_notifications": True}, []),
    ],
)
def test_the_flags_of_a_ticket_silence_contacts_or_staff(flags: dict[str, bool], told: list[str]) -> None:
    people = [ANN, BOB | {"role": "Assignee"}, {"role": "something new", "user_id": "u3"}]

    assert [request.recipient.user_id for request in ticket(people=people, **flags)] == told


def test_somebody_who_is_staff_and_contact_is_still_told_when_contacts_are_silenced() -> None:
    people = [ANN, ANN | {"role": "agent"}]

    assert len(ticket(people=people, suppress_contact_notifications=True)) == 1


def test_the_name_of_the_actor_may_come_with_the_event() -> None:
    [request] = ticket(people=[ANN], actor_user_id="u1", actor_name="Dr. Ann")

    assert request.data["actor"] == {"name": "Dr. Ann"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        ("open", "open"),
        ("", ""),
        (5, "5"),
        (1.5, "1.5"),
        (True, "true"),
        (["ä", 1], '["ä", 1]'),
        ({"a": None}, '{"a": null}'),
        ("x" * 201, "x" * 199 + "…"),
    ],
)
def test_changed_values_are_short_text(value: Any, shown: str | None) -> None:
    [request] = ticket(people=[ANN], changes={"custom.field": {"new": value}})

    assert request.data["changes"] == [{"field": "custom.field", "previous": None, "new": shown}]


def test_a_flood_of_changes_is_cut() -> None:
    [request] = ticket(
        people=[ANN],
        changes={f"f{number}": {"new": "x"} for number in range(1000)},
        updated_fields=["y" * 1000] * 1000,
    )

    assert len(request.data["changes"]) == 20
    assert {len(name) for name in request.data["updated_fields"]} == {200}
