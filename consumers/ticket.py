"""Who hears of a ticket, and what they are told.

Those who work on a ticket (consumers/audience.py) and clients read different words: a subtype `…` and a subtype
`…-client`. Who did it is passed on, unless the event asks that they are told as well; that nobody is told of their own
action is a gate's decision. Every template gets, None where a value is unknown (never for id and title):

    ticket: id, number, title, status, priority, url
    actor: name
    recipient: name

and what its handler adds. Times are ISO 8601 in UTC. A longer text is what consumers/excerpt.py makes of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from consumers.audience import Audience, Readers, audience, is_agent
from consumers.copies import extras_of, role_of
from consumers.excerpt import excerpt
from consumers.recipient import recipient_of
from events.envelope import CloudEvent
from events.people import Person
from events.ticket import (
    TicketAssigned,
    TicketClosed,
    TicketCommentAdded,
    TicketCreated,
    TicketData,
    TicketUpdated,
)
from notifications.request import Effect, NotificationRequest

_MAX_CHANGES = 20
_MAX_VALUE_CHARS = 200
_REQUESTER = "requester"
_ASSIGNEE = "assignee"
_PREVIOUS_ASSIGNEE = "previous_assignee"
_TEAM = "team"


def on_ticket_created(event: CloudEvent[TicketCreated]) -> list[Effect]:
    """Tell those who may work on a ticket that there is a new one, and its clients that it was received.

    The templates `ticket-created` and `ticket-created-client` get besides:
        ticket: client_name, created_at
        requester: name
        description: an excerpt, or None
    """
    ticket = event.data
    words = {
        "ticket": _ticket(ticket)
        | {
            "client_name": ticket.client_name,
            "created_at": ticket.created_at.isoformat() if ticket.created_at else None,
        },
        "requester": {"name": next((one.name for one in ticket.people if role_of(one) == _REQUESTER), None)},
        "description": excerpt(ticket.description) if ticket.description else None,
    }
    told = _audience(ticket)
    return [
        *_requests(ticket, told.agents, "ticket-created", words),
        *_requests(ticket, told.clients, "ticket-created-client", words),
    ]


def on_ticket_updated(event: CloudEvent[TicketUpdated]) -> list[Effect]:
    """Tell everybody concerned, each once, that a ticket was updated.

    The templates `ticket-updated` and `ticket-updated-client` get besides:
        changes: a list of {field, previous, new}, at most 20; values are text of at most 200 characters, or None
        updated_fields: a list of names, at most 20, where values are not told
    A field with `internal` in its path is told to agents only, and not where their mails have copies.
    """
    ticket = event.data
    told = _audience(ticket)
    return [
        *_requests(ticket, told.agents, "ticket-updated", _changes(ticket, tells_all=not told.agents.has_copies)),
        *_requests(ticket, told.clients, "ticket-updated-client", _changes(ticket, tells_all=False)),
    ]


def on_ticket_closed(event: CloudEvent[TicketClosed]) -> list[Effect]:
    """Tell everybody concerned that a ticket was closed.

    The templates `ticket-closed` and `ticket-closed-client` get besides:
        ticket: closed_at
        reason: an excerpt, or None
    """
    ticket = event.data
    words = {
        "ticket": _ticket(ticket) | {"closed_at": ticket.closed_at.isoformat() if ticket.closed_at else None},
        "reason": excerpt(ticket.reason) if ticket.reason else None,
    }
    told = _audience(ticket)
    return [
        *_requests(ticket, told.agents, "ticket-closed", words),
        *_requests(ticket, told.clients, "ticket-closed-client", words),
    ]


def on_ticket_assigned(event: CloudEvent[TicketAssigned]) -> list[Effect]:
    """Tell whoever is to work on a ticket now, the other agents, and its clients; never whoever worked on it before.

    The directory knows the address of a new assignee whom `people` leaves out. The templates `ticket-assigned` and
    `ticket-assigned-client` get besides:
        ticket: assigned_at
        assignee: name, is_team, is_recipient (the reader is the new assignee, and nobody else reads the same words)
    """
    ticket = event.data
    assignee: dict[str, Any] = {"name": _assignee_name(ticket), "is_team": _is_to_team(ticket), "is_recipient": False}
    words: dict[str, Any] = {
        "ticket": _ticket(ticket) | {"assigned_at": ticket.assigned_at.isoformat() if ticket.assigned_at else None},
        "assignee": assignee,
    }
    told = _audience(ticket, _with_assignee(ticket, _without_predecessor(ticket)))
    own = [] if told.agents.has_copies else [one for one in told.agents.people if _is_assignee(one, ticket)]
    others = Readers(
        people=tuple(one for one in told.agents.people if one not in own), cc=told.agents.cc, bcc=told.agents.bcc
    )
    return [
        *_requests(
            ticket,
            Readers(people=tuple(own)),
            "ticket-assigned",
            words | {"assignee": assignee | {"is_recipient": True}},
        ),
        *_requests(ticket, others, "ticket-assigned", words),
        *_requests(ticket, told.clients, "ticket-assigned-client", words),
    ]


def on_ticket_comment_added(event: CloudEvent[TicketCommentAdded]) -> list[Effect]:
    """Tell everybody concerned what somebody wrote; of an internal comment only those mentioned in an agent's role.

    The templates `ticket-comment-added` and `ticket-comment-added-client` get besides:
        comment: id, author, content, lines, is_cut, is_internal (always false for clients)
    """
    ticket, comment = event.data, event.data.comment
    author = comment.author or _actor_name(ticket)
    words = {
        "ticket": _ticket(ticket),
        "actor": {"name": author},
        "comment": {"id": comment.id, "author": author, "is_internal": comment.is_internal} | excerpt(comment.content),
    }
    if comment.is_internal:
        # What a mention in another role adds, an address or a copy, is not looked at either.
        agents = _audience(ticket, filter(is_agent, ticket.people)).agents
        return [*_requests(ticket, agents, "ticket-comment-added", words)]
    told = _audience(ticket)
    return [
        *_requests(ticket, told.agents, "ticket-comment-added", words),
        *_requests(ticket, told.clients, "ticket-comment-added-client", words),
    ]
