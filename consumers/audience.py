"""Who reads of a ticket as somebody who works on it, and who as a client: roles decide."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from consumers.copies import addressed, role_of
from events.people import Person
from notifications.request import Recipient

AGENT_ROLES = frozenset({"agent", "additional_agent", "assignee", "team", "watcher_internal"})
"""Those who work on a ticket. Every other word, known or not, is a client: better to say less to the outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """People who are told the same in the same words, and who gets copies of their mails."""

    people: tuple[Person, ...] = ()
    cc: tuple[Recipient, ...] = ()
    bcc: tuple[Recipient, ...] = ()

    @property
    def has_copies(self) -> bool:
        """Whether somebody else reads these mails as well."""
        return bool(self.cc or self.bcc)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Everybody who is told of a ticket's event, each once and in one wording."""

    agents: Readers
    clients: Readers


def is_agent(person: Person) -> bool:
    """Tell whether this mention of somebody is as one of those who work on the ticket."""
    return role_of(person) in AGENT_ROLES


def audience(people: Iterable[Person], *, tells_agents: bool = True, tells_clients: bool = True) -> Audience:
    """Divide people by the wording they get; mentions in roles that are not told count for nothing.

    Somebody mentioned in both kinds of role is an agent. Copies are of the clients' mails; only where all whom it
    concerns are agents, copies are of theirs, as the event asked for copies of something between agents.
    """
    told = (person for person in people if (tells_agents if is_agent(person) else tells_clients))
    concerned, cc, bcc = addressed(sorted(told, key=is_agent, reverse=True))
    agents = tuple(person for person in concerned if is_agent(person))
    clients = tuple(person for person in concerned if not is_agent(person))
    if clients:
        return Audience(agents=Readers(people=agents), clients=Readers(people=clients, cc=cc, bcc=bcc))
    return Audience(agents=Readers(people=agents, cc=cc, bcc=bcc), clients=Readers())
