"""Who is told of a ticket's update, and what."""

from __future__ import annotations

from typing import Any

import pytest

from notifications.request import NotificationRequest, Recipient
from tests.consumers.tickets import ANN, BOB, CYD, requested, told


def ticket(**data: Any) -> list[NotificationRequest]:
    return requested("updated", **data)


def test_everybody_a_ticket_concerns_is_told_of_its_update() -> None:
    bob, ann = ticket(
        ticket_number="T-42",
        status="closed",
        priority="high",
        url="https://psa.example/t/42",
        changes={"status": {"previous": "open", "new": "closed"}},
        actor_user_id="u2",
        people=[ANN, BOB],
    )

    assert ann == NotificationRequest(
        subtype="ticket-updated-client",
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
    assert bob.subtype == "ticket-updated"
    assert bob.data == ann.data | {"recipient": {"name": "Bob"}}


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
        ({}, ["u2", "u1", "u3"]),
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

    assert told(ticket(people=people, suppress_contact_notifications=True)) == [("u1", "ticket-updated")]
    assert told(ticket(people=people, suppress_internal_notifications=True)) == [("u1", "ticket-updated-client")]
    assert told(ticket(people=people)) == [("u1", "ticket-updated")]


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


@pytest.mark.parametrize("what", ["created", "updated", "closed"])
def test_agents_and_clients_get_different_subtypes_of_the_same_event(what: str) -> None:
    assert told(requested(what, people=[ANN, BOB])) == [("u2", f"ticket-{what}"), ("u1", f"ticket-{what}-client")]


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("suppress_contact_notifications", ["u2"]),
        ("suppress_internal_notifications", ["u1", "u3"]),
    ],
)
@pytest.mark.parametrize("what", ["created", "updated", "closed", "assigned", "comment_added"])
def test_every_event_of_a_ticket_can_be_kept_from_contacts_or_staff(what: str, flag: str, expected: list[str]) -> None:
    comment = {"comment": {"id": "c", "content": "x"}}

    requests = requested(what, people=[ANN, BOB, CYD], **comment, **{flag: True})

    assert [user for user, _ in told(requests)] == expected


@pytest.mark.parametrize("what", ["created", "updated", "closed", "assigned", "comment_added"])
def test_the_actor_is_named_to_the_gate_unless_they_want_to_be_told(what: str) -> None:
    data = {"people": [ANN, BOB], "actor_user_id": "u2", "comment": {"id": "c", "content": "x"}}

    assert {request.actor_id for request in requested(what, **data)} == {"u2"}
    assert {request.actor_id for request in requested(what, **data, notify_actor=True)} == {None}
    assert {request.data["actor"]["name"] for request in requested(what, **data, notify_actor=True)} == {"Bob"}


def test_a_copy_is_one_of_the_clients_mails_not_of_the_agents() -> None:
    bob, ann = ticket(people=[BOB, CYD, ANN])

    assert (bob.cc, [one.user_id for one in ann.cc]) == ((), ["u3"])


def test_where_only_agents_are_concerned_copies_are_of_their_mails_without_internal_fields() -> None:
    changes = {"status": {"new": "open"}, "internalNotes": {"new": "x"}}

    [bob] = ticket(people=[BOB, CYD], changes=changes, updated_fields=["internal_rating"])

    assert (bob.subtype, [one.user_id for one in bob.cc]) == ("ticket-updated", ["u3"])
    assert [change["field"] for change in bob.data["changes"]] == ["status"]
    assert bob.data["updated_fields"] == []


def test_internal_fields_are_told_to_agents_only() -> None:
    changes = {"custom.Internal_Note": {"new": "secret"}, "status": {"new": "open"}}

    bob, ann = ticket(people=[BOB, ANN], changes=changes, updated_fields=["internal.cost", "title"])

    assert [change["field"] for change in bob.data["changes"]] == ["custom.Internal_Note", "status"]
    assert bob.data["updated_fields"] == ["internal.cost", "title"]
    assert [change["field"] for change in ann.data["changes"]] == ["status"]
    assert ann.data["updated_fields"] == ["title"]


def test_clients_are_not_told_of_an_update_that_is_internal_alone() -> None:
    assert told(ticket(people=[BOB, ANN, CYD], updated_fields=["internal_rating"])) == [("u2", "ticket-updated")]


def test_a_new_ticket_says_who_opened_it_and_what_it_is_about() -> None:
    bob, _ = requested(
        "created",
        people=[ANN, BOB],
        description="It burns.\r\n\r\nHurry!\n",
        client_name="Globex",
        created_at="2026-11-25T04:00:00+02:00",
    )

    assert bob.data["requester"] == {"name": "Ann"}
    assert bob.data["description"] == {"content": "It burns.\n\nHurry!", "is_cut": False}
    assert (bob.data["ticket"]["client_name"], bob.data["ticket"]["created_at"]) == (
        "Globex",
        "2026-11-25T02:00:00+00:00",
    )


def test_a_closed_ticket_says_why_and_when() -> None:
    [ann] = requested("closed", people=[ANN], reason="Put out.", closed_at="2026-11-25T02:00:00Z")

    assert ann.data["reason"]["content"] == "Put out."
    assert ann.data["ticket"]["closed_at"] == "2026-11-25T02:00:00+00:00"


def test_a_text_of_white_space_is_none() -> None:
    [ann] = requested("closed", people=[ANN], reason=" \n ")

    assert ann.data["reason"] is None
