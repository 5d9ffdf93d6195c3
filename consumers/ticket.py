"""Who hears that a ticket was created, updated, closed or commented on, and what they are told.

What all templates get, consumers/ticket_mail.py says; each handler, what its own get besides.
"""

from __future__ import annotations

import json
from typing import Any

from consumers.audience import Readers, is_agent
from consumers.copies import role_of
from consumers.excerpt import excerpt, excerpt_if_any
from consumers.ticket_mail import actor_name, mails, moment, ticket_words, told_of
from events.envelope import CloudEvent
from events.ticket import TicketClosed, TicketCommentAdded, TicketCreated, TicketUpdated
from notifications.request import Effect

_MAX_CHANGES = 20
_MAX_VALUE_CHARS = 200
_INTERNAL = "internal"
_REQUESTER = "requester"


def on_ticket_created(event: CloudEvent[TicketCreated]) -> list[Effect]:
    """Tell those who may work on a ticket that there is a new one, and its clients that it was received.

    The templates `ticket-created` and `ticket-created-client` get besides, None where a value is unknown:
        ticket: client_name, created_at ("2026-11-25T02:00:00+00:00")
        requester: name
        description: None, or an excerpt: content, is_cut (there is more)
    """
    ticket = event.data
    words = {
        "ticket": ticket_words(ticket) | {"client_name": ticket.client_name, "created_at": moment(ticket.created_at)},
        "requester": {"name": next((one.name for one in ticket.people if role_of(one) == _REQUESTER), None)},
        "description": excerpt_if_any(ticket.description),
    }
    told = told_of(ticket, ticket.people)
    return [
        *mails(ticket, told.agents, "ticket-created", words),
        *mails(ticket, told.clients, "ticket-created-client", words),
    ]


def on_ticket_updated(event: CloudEvent[TicketUpdated]) -> list[Effect]:
    """Tell everybody concerned, each once, that a ticket was updated.

    A field with `internal` in its path is told to agents only, and not where others get copies of their mails; where
    nothing else changed, clients are not told at all.

    The templates `ticket-updated` and `ticket-updated-client` get besides:
        changes: a list of {field, previous, new}, at most 20; values are text of at most 200 characters, or None
        updated_fields: a list of names, at most 20, where values are not told
    """
    ticket = event.data
    told = told_of(ticket, ticket.people)
    outside = _changes(ticket, tells_all=False)
    is_all_internal = bool(ticket.changes or ticket.updated_fields) and not any(outside.values())
    return [
        *mails(
            ticket,
            told.agents,
            "ticket-updated",
            outside if told.agents.has_copies else _changes(ticket, tells_all=True),
        ),
        *mails(ticket, Readers() if is_all_internal else told.clients, "ticket-updated-client", outside),
    ]


def on_ticket_closed(event: CloudEvent[TicketClosed]) -> list[Effect]:
    """Tell everybody concerned that a ticket was closed.

    The templates `ticket-closed` and `ticket-closed-client` get besides, None where a value is unknown:
        ticket: closed_at ("2026-11-25T02:00:00+00:00")
        reason: None, or an excerpt: content, is_cut (there is more)
    """
    ticket = event.data
    words = {
        "ticket": ticket_words(ticket) | {"closed_at": moment(ticket.closed_at)},
        "reason": excerpt_if_any(ticket.reason),
    }
    told = told_of(ticket, ticket.people)
    return [
        *mails(ticket, told.agents, "ticket-closed", words),
        *mails(ticket, told.clients, "ticket-closed-client", words),
    ]


def on_ticket_comment_added(event: CloudEvent[TicketCommentAdded]) -> list[Effect]:
    """Tell everybody concerned what somebody wrote; of an internal comment only those mentioned in an agent's role.

    The templates `ticket-comment-added` and `ticket-comment-added-client` get besides:
        actor: name (the author's, where the comment tells it)
        comment: id, is_internal (always false for clients), and an excerpt: content, is_cut
    """
    ticket, comment = event.data, event.data.comment
    words: dict[str, Any] = {
        "actor": {"name": comment.author or actor_name(ticket)},
        "comment": {"id": comment.id, "is_internal": comment.is_internal} | excerpt(comment.content),
    }
    # What a mention in another role adds to an agent, an address or a copy, is not looked at either.
    people = filter(is_agent, ticket.people) if comment.is_internal else ticket.people
    told = told_of(ticket, people)
    return [
        *mails(ticket, told.agents, "ticket-comment-added", words),
        *mails(ticket, told.clients, "ticket-comment-added-client", words),
    ]


def _changes(ticket: TicketUpdated, *, tells_all: bool) -> dict[str, Any]:
    def is_told(name: str) -> bool:
        return tells_all or _INTERNAL not in name.lower()

    changes = [(name, change) for name, change in ticket.changes.items() if is_told(name)]
    return {
        "changes": [
            {"field": _cut(name), "previous": _shown(change.previous), "new": _shown(change.new)}
            for name, change in changes[:_MAX_CHANGES]
        ],
        "updated_fields": [_cut(name) for name in filter(is_told, ticket.updated_fields)][:_MAX_CHANGES],
    }


def _shown(value: Any) -> str | None:
    """Return a changed value as text, however it was given."""
    if value is None:
        return None
    return _cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_VALUE_CHARS else text[: _MAX_VALUE_CHARS - 1] + "…"
