"""What the mails of every event of a ticket have in common.

Those who work on a ticket (consumers/audience.py) and clients read different words: a subtype `…` and a subtype
`…-client`. Who did it is passed on, unless the event asks that they are told as well; that nobody is told of their own
action is a gate's decision. Every template gets, None where a value is unknown (never for id and title):

    ticket: id, number, title, status, priority, url
    actor: name
    recipient: name

and what its handler adds. Times are ISO 8601 in UTC. A longer text is what consumers/excerpt.py makes of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from consumers.audience import Audience, Readers, audience
from consumers.copies import extras_of
from consumers.recipient import recipient_of
from events.people import Person
from events.ticket import TicketData
from notifications.request import NotificationRequest


def told_of(ticket: TicketData, people: Iterable[Person]) -> Audience:
    """Return who is told, as far as the event does not silence agents or clients."""
    return audience(
        people,
        tells_agents=not ticket.suppress_internal_notifications,
        tells_clients=not ticket.suppress_contact_notifications,
    )


def mails(ticket: TicketData, readers: Readers, subtype: str, words: Mapping[str, Any]) -> list[NotificationRequest]:
    """Return one mail for each reader: the words all templates get, with these over them."""
    extras = extras_of(ticket)
    shared = {"ticket": ticket_words(ticket), "actor": {"name": actor_name(ticket)}, **words}
    return [
        NotificationRequest(
            subtype=subtype,
            recipient=recipient_of(person),
            data=shared | {"recipient": {"name": person.name}},
            actor_id=None if ticket.notify_actor else ticket.actor_user_id,
            cc=readers.cc,
            bcc=readers.bcc,
            extras=extras,
        )
        for person in readers.people
    ]


def ticket_words(ticket: TicketData) -> dict[str, Any]:
    """Return what every template is told of the ticket itself."""
    return {
        "id": ticket.ticket_id,
        "number": ticket.ticket_number,
        "title": ticket.title,
        "status": ticket.status,
        "priority": ticket.priority,
        "url": ticket.url,
    }


def actor_name(ticket: TicketData) -> str | None:
    """Return the name of whoever did it: the event's own, else the one they have among the people."""
    if ticket.actor_name or ticket.actor_user_id is None:
        return ticket.actor_name
    return name_of(ticket, ticket.actor_user_id)


def name_of(ticket: TicketData, user_id: str) -> str | None:
    """Return the name a user has among the people."""
    return next((person.name for person in ticket.people if person.user_id == user_id and person.name), None)


def moment(time: datetime | None) -> str | None:
    """Return a time as templates get it."""
    return time.isoformat() if time else None
