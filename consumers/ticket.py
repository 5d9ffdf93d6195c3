"""Who hears of a ticket, and what they are told."""

from __future__ import annotations

import json
from typing import Any

from consumers.copies import addressed, extras_of
from consumers.recipient import recipient_of
from events.envelope import CloudEvent
from events.people import Person
from events.ticket import TicketUpdated
from notifications.request import Effect, NotificationRequest

_INTERNAL_ROLES = frozenset({"assignee", "agent"})
_MAX_CHANGES = 20
_MAX_VALUE_CHARS = 200


def on_ticket_updated(event: CloudEvent[TicketUpdated]) -> list[Effect]:
    """Tell everybody concerned, each once, that a ticket was updated.

    Who did it is passed on; that nobody is told of their own action is a gate's decision.

    The template `ticket-updated` gets, None where a value is unknown:
        ticket: id, number, title, status, priority, url
        changes: a list of {field, previous, new}, at most 20; values are text of at most 200 characters, or None
        updated_fields: a list of names, at most 20, where values are not told
        actor: name
        recipient: name
    """
    ticket = event.data
    shared: dict[str, Any] = {
        "ticket": {
            "id": ticket.ticket_id,
            "number": ticket.ticket_number,
            "title": ticket.title,
            "status": ticket.status,
            "priority": ticket.priority,
            "url": ticket.url,
        },
        "changes": [
            {"field": _cut(name), "previous": _shown(change.previous), "new": _shown(change.new)}
            for name, change in list(ticket.changes.items())[:_MAX_CHANGES]
        ],
        "updated_fields": [_cut(name) for name in ticket.updated_fields[:_MAX_CHANGES]],
        "actor": {"name": _actor_name(ticket)},
    }
    concerned, cc, bcc = addressed(person for person in ticket.people if _is_wanted(person, ticket))
    return [
        NotificationRequest(
            subtype="ticket-updated",
            recipient=recipient_of(person),
            data=shared | {"recipient": {"name": person.name}},
            actor_id=ticket.actor_user_id,
            cc=cc,
            bcc=bcc,
            extras=extras_of(ticket),
        )
        for person in concerned
    ]


def _is_wanted(person: Person, ticket: TicketUpdated) -> bool:
    # A role we do not know counts as a contact: better to say less to the outside than more.
    if person.role.strip().lower() in _INTERNAL_ROLES:
        return not ticket.suppress_internal_notifications
    return not ticket.suppress_contact_notifications


def _actor_name(ticket: TicketUpdated) -> str | None:
    if ticket.actor_name or ticket.actor_user_id is None:
        return ticket.actor_name
    return next((person.name for person in ticket.people if person.user_id == ticket.actor_user_id), None)


def _shown(value: Any) -> str | None:
    """Return a changed value as text, however it was given."""
    if value is None:
        return None
    return _cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_VALUE_CHARS else text[: _MAX_VALUE_CHARS - 1] + "…"
