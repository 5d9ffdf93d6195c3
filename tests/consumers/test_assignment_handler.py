"""Who is told that a ticket was given to somebody, and how."""

from __future__ import annotations

from typing import Any

import pytest

from notifications.request import NotificationRequest, Recipient
from tests.consumers.tickets import ANN, BOB, CYD, requested, told

EVE = {"role": "agent", "user_id": "u5", "email": "eve@example.com", "name": "Eve"}
OLD = {"role": "watcher_internal", "user_id": "u6", "email": "old@example.com"}


def assigned(**data: Any) -> list[NotificationRequest]:
    return requested("assigned", **data)


def assignees(requests: list[NotificationRequest]) -> dict[str | None, dict[str, Any]]:
    return {request.recipient.user_id: request.data["assignee"] for request in requests}


def test_the_new_assignee_reads_of_themselves_other_agents_and_clients_of_them() -> None:
    requests = assigned(people=[ANN, EVE, BOB], new_assignee_id="u2", assigned_at="2026-11-25T02:00:00Z")

    assert told(requests) == [
        ("u2", "ticket-assigned"),
        ("u5", "ticket-assigned"),
        ("u1", "ticket-assigned-client"),
    ]
    assert assignees(requests) == {
        "u2": {"name": "Bob", "is_team": False, "is_recipient": True},
        "u5": {"name": "Bob", "is_team": False, "is_recipient": False},
        "u1": {"name": "Bob", "is_team": False, "is_recipient": False},
    }
    assert {request.data["ticket"]["assigned_at"] for request in requests} == {"2026-11-25T02:00:00+00:00"}


def test_a_new_assignee_whom_the_people_leave_out_is_told_all_the_same() -> None:
    [request] = assigned(new_assignee_id="u9", new_assignee_name="Zoe")

    assert (request.subtype, request.recipient) == ("ticket-assigned", Recipient(user_id="u9", name="Zoe"))
    assert request.data["assignee"] == {"name": "Zoe", "is_team": False, "is_recipient": True}


def test_the_new_assignee_is_an_agent_whatever_else_they_are_mentioned_as() -> None:
    [request] = assigned(people=[ANN, CYD | {"user_id": "u1"}], new_assignee_id="u1")

    assert (request.subtype, request.recipient.email) == ("ticket-assigned", "ann@example.com")


@pytest.mark.parametrize(
    "data",
    [
        {"people": [OLD, BOB], "previous_assignee_id": "u6"},
        {"people": [OLD, BOB, {"role": "watcher", "email": "OLD@example.com"}], "previous_assignee_id": "u6"},
        {"people": [OLD, BOB, {"role": "previous_assignee", "user_id": "u6"}]},
        {"people": [OLD, BOB, {"role": "Previous_Assignee", "email": "old@example.com"}]},
        {"people": [BOB, {"role": "previous_assignee", "name": "Old"}]},
    ],
)
@pytest.mark.parametrize("new", [{}, {"new_assignee_id": "u2"}])
def test_whoever_worked_on_it_before_is_not_told(data: dict[str, Any], new: dict[str, str]) -> None:
    assert told(assigned(**data, **new)) == [("u2", "ticket-assigned")]


def test_somebody_who_is_given_what_they_had_is_told() -> None:
    assert told(assigned(people=[BOB], new_assignee_id="u2", previous_assignee_id="u2")) == [("u2", "ticket-assigned")]


def test_a_team_is_told_by_the_role_team_and_its_id_is_no_user() -> None:
    requests = assigned(
        people=[EVE, {"role": "team", "user_id": "u7"}, ANN],
        new_assignee_id="t1",
        new_assignee_type="Team",
        new_assignee_name="Network",
    )

    assert {user for user, _ in told(requests)} == {"u7", "u5", "u1"}
    assert assignees(requests)["u7"] == {"name": "Network", "is_team": True, "is_recipient": True}
    assert assignees(requests)["u5"]["is_recipient"] is False


def test_without_an_id_the_role_assignee_says_who_it_is() -> None:
    requests = assigned(people=[ANN, BOB])

    assert assignees(requests)["u2"] == {"name": "Bob", "is_team": False, "is_recipient": True}
    assert assignees(requests)["u1"]["name"] == "Bob"


def test_where_others_read_the_same_words_they_do_not_say_you() -> None:
    [request] = assigned(people=[BOB, CYD], new_assignee_id="u2")

    assert [one.user_id for one in request.cc] == ["u3"]
    assert request.data["assignee"]["is_recipient"] is False


def test_an_assignment_to_nobody_known_is_told_to_clients_without_a_name() -> None:
    [request] = assigned(people=[ANN])

    assert (request.subtype, request.data["assignee"]["name"]) == ("ticket-assigned-client", None)
