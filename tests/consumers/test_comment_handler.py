"""Who is told of a comment: of an internal one, nobody outside, whatever the event says about them."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from consumers.audience import AGENT_ROLES
from consumers.excerpt import MAX_CHARS, MAX_LINES
from notifications.request import NotificationRequest
from tests.consumers.tickets import ANN, BOB, CYD, requested, told

CLIENT_ROLES = (
    *("requester", "contact", "client", "watcher", "customer", "cc", "bcc", "previous_assignee", "author", "owner"),
    *("internal", "staff", "agents", "agent;", "ag ent", "assignee\u200b", "\uff41gent", "?"),
)


def comment(is_internal: Any = None, people: Any = (), **more: Any) -> list[NotificationRequest]:
    flag = {} if is_internal is None else {"is_internal": is_internal}
    return requested("comment_added", comment={"id": "c-1", "content": "x"} | flag, people=list(people), **more)


@pytest.mark.parametrize("spelling", [str, str.upper, str.title, lambda word: f"  {word}\t"])
@pytest.mark.parametrize("role", CLIENT_ROLES)
def test_an_internal_comment_never_reaches_anybody_outside(role: str, spelling: Any) -> None:
    people = [{"role": spelling(role), "user_id": "out", "email": "out@example.com"}, BOB]

    assert told(comment(True, people)) == [("u2", "ticket-comment-added")]
    assert comment(True, people[:1]) == []


@pytest.mark.parametrize("spelling", [str, str.upper, str.title, lambda word: f"  {word}\t"])
@pytest.mark.parametrize("role", sorted(AGENT_ROLES))
def test_an_internal_comment_reaches_every_role_that_works_on_the_ticket(role: str, spelling: Any) -> None:
    [request] = comment(True, [ANN, BOB | {"role": spelling(role)}, CYD])

    assert (request.recipient.user_id, request.subtype) == ("u2", "ticket-comment-added")
    assert (request.cc, request.bcc, request.data["comment"]["is_internal"]) == ((), (), True)


def test_what_another_mention_says_of_an_agent_is_not_used_for_an_internal_comment() -> None:
    [request] = comment(True, [{"role": "contact", "user_id": "u2", "email": "outside@example.com"}, BOB])

    assert (request.recipient.user_id, request.recipient.email) == ("u2", None)


def test_no_order_of_mentions_and_no_flag_opens_an_internal_comment() -> None:
    mentions = [ANN, BOB, CYD, {"role": "bcc", "email": "dee@example.com"}, {"role": "agent", "email": ANN["email"]}]
    flags = [False, True]

    for people, contacts, actor in product((mentions, mentions[::-1]), flags, flags):
        requests = comment(
            True, people, suppress_contact_notifications=contacts, notify_actor=actor, actor_user_id="u1"
        )

        assert {subtype for _, subtype in told(requests)} == {"ticket-comment-added"}
        assert {user for user, _ in told(requests)} == {"u2", ANN["email"]}


@pytest.mark.parametrize("is_internal", [True, "true", "yes", 1, "on"])
@pytest.mark.parametrize("author_type", ["internal", "client", "unknown", None])
def test_internal_is_what_the_flag_says_whoever_wrote_it(is_internal: Any, author_type: str | None) -> None:
    requests = requested(
        "comment_added",
        comment={"id": "c", "content": "x", "isInternal": is_internal, "authorType": author_type},
        people=[ANN, BOB],
    )

    assert told(requests) == [("u2", "ticket-comment-added")]


@pytest.mark.parametrize("is_internal", [None, False])
def test_an_agents_answer_reaches_agents_and_clients_in_their_own_words(is_internal: bool | None) -> None:
    people = [ANN, BOB, CYD]

    assert told(comment(is_internal, people)) == [
        ("u2", "ticket-comment-added"),
        ("u1", "ticket-comment-added-client"),
        ("u3", "ticket-comment-added-client"),
    ]


def test_a_comment_is_shown_with_its_author_and_lines() -> None:
    [request] = requested(
        "comment_added",
        comment={"id": "c-1", "content": "a\r\n\nb ", "author": "Bob B.", "author_type": "internal"},
        people=[ANN],
        actor_user_id="u2",
    )

    assert request.actor_id == "u2"
    assert request.data["actor"] == {"name": "Bob B."}
    assert request.data["comment"] == {
        "id": "c-1",
        "is_internal": False,
        "content": "a\n\nb",
        "is_cut": False,
    }


def test_the_authors_name_is_the_actors_where_the_comment_does_not_tell_it() -> None:
    [request, *_] = comment(False, [BOB, ANN], actor_user_id="u2")

    assert request.data["actor"] == {"name": "Bob"}


@pytest.mark.parametrize(
    ("content", "characters", "lines", "is_cut"),
    [
        ("x" * MAX_CHARS, MAX_CHARS, 1, False),
        ("x" * (MAX_CHARS + 1), MAX_CHARS, 1, True),
        ("x\n" * MAX_LINES, MAX_LINES * 2 - 1, MAX_LINES, False),
        ("x\n" * (MAX_LINES + 1), MAX_LINES * 2 - 1, MAX_LINES, True),
        ("", 0, 0, False),
    ],
)
def test_a_long_comment_is_cut(content: str, characters: int, lines: int, is_cut: bool) -> None:
    [request] = requested("comment_added", comment={"id": "c", "content": content}, people=[ANN])
    shown = request.data["comment"]

    assert (len(shown["content"]), len(shown["content"].splitlines()), shown["is_cut"]) == (characters, lines, is_cut)
