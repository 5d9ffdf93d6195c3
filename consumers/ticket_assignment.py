"""Who hears that a ticket was given to somebody, and what they are told."""

from __future__ import annotations

from typing import Any

from consumers.audience import Readers
from consumers.copies import role_of
from consumers.ticket_mail import mails, moment, name_of, ticket_words, told_of
from events.envelope import CloudEvent
from events.people import Person
from events.ticket import TicketAssigned
from notifications.request import Effect

_ASSIGNEE = "assignee"
_PREVIOUS_ASSIGNEE = "previous_assignee"
_TEAM = "team"


def on_ticket_assigned(event: CloudEvent[TicketAssigned]) -> list[Effect]:
    """Tell whoever is to work on a ticket now, the other agents, and its clients; never whoever worked on it before.

    The directory knows the address of a new assignee whom `people` leaves out.

    The templates `ticket-assigned` and `ticket-assigned-client` get besides what consumers/ticket_mail.py says, None
    where a value is unknown:
        ticket: assigned_at ("2026-11-25T02:00:00+00:00")
        assignee: name, is_team, is_recipient (the reader is meant, and nobody gets a copy of their mail)
    """
    ticket = event.data
    is_team = _is_team(ticket)
    assignee: dict[str, Any] = {"name": _assignee_name(ticket), "is_team": is_team, "is_recipient": False}
    words = {"ticket": ticket_words(ticket) | {"assigned_at": moment(ticket.assigned_at)}, "assignee": assignee}
    told = told_of(ticket, _concerned(ticket))
    agents = told.agents
    own = () if agents.has_copies else tuple(one for one in agents.people if _is_meant(one, ticket))
    others = tuple(one for one in agents.people if one not in own)
    return [
        *mails(ticket, Readers(people=own), "ticket-assigned", words | {"assignee": assignee | {"is_recipient": True}}),
        *mails(ticket, Readers(people=others, cc=agents.cc, bcc=agents.bcc), "ticket-assigned", words),
        *mails(ticket, told.clients, "ticket-assigned-client", words),
    ]


def _concerned(ticket: TicketAssigned) -> list[Person]:
    """Return the people without whoever worked on it before, and with the new assignee."""
    gone = [person for person in ticket.people if _is_predecessor(person, ticket)]
    addresses = {_address(person) for person in gone} - {None}
    users = {person.user_id for person in gone} - {None}
    stayed = [
        person
        for person in ticket.people
        if not (_is_predecessor(person, ticket) or person.user_id in users or _address(person) in addresses)
    ]
    if ticket.new_assignee_id is None or _is_team(ticket):
        return stayed
    return [Person(role=_ASSIGNEE, user_id=ticket.new_assignee_id, name=ticket.new_assignee_name), *stayed]


def _is_predecessor(person: Person, ticket: TicketAssigned) -> bool:
    if person.user_id is not None and person.user_id == ticket.new_assignee_id:
        return False
    return role_of(person) == _PREVIOUS_ASSIGNEE or (
        person.user_id is not None and person.user_id == ticket.previous_assignee_id
    )


def _is_meant(person: Person, ticket: TicketAssigned) -> bool:
    if _is_team(ticket):
        return role_of(person) == _TEAM
    if ticket.new_assignee_id is None:
        return role_of(person) == _ASSIGNEE
    return person.user_id == ticket.new_assignee_id


def _is_team(ticket: TicketAssigned) -> bool:
    return (ticket.new_assignee_type or "").strip().lower() == _TEAM


def _assignee_name(ticket: TicketAssigned) -> str | None:
    if ticket.new_assignee_name or _is_team(ticket):
        return ticket.new_assignee_name
    if ticket.new_assignee_id is not None:
        return name_of(ticket, ticket.new_assignee_id)
    return next((person.name for person in ticket.people if role_of(person) == _ASSIGNEE), None)


def _address(person: Person) -> str | None:
    return (person.email or "").strip().lower() or None
