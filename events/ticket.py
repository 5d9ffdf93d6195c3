"""What is said when something happens to a ticket."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from events.fields import EventData, Identifier, Line, Name, WebUrl
from events.mail import MailData, at_most
from events.people import People


class Change(EventData):
    """One field before and after."""

    previous: Any = None
    """The value it had."""
    new: Any = None
    """The value it has."""


class TicketUpdated(MailData):
    """A ticket was updated."""

    ticket_id: Identifier
    """The upstream's key of the ticket."""
    ticket_number: Identifier | None = None
    """The number people know it by."""
    title: Line
    """Its title, after the change."""
    status: Line | None = None
    """Its status, after the change."""
    priority: Line | None = None
    """Its priority, after the change."""
    url: WebUrl | None = None
    """Where to look at it."""
    changes: Annotated[dict[str, Change], BeforeValidator(at_most(1000))] = Field(default_factory=dict[str, Change])
    """What changed, by dotted path."""
    updated_fields: Annotated[tuple[str, ...], Field(fail_fast=True, max_length=1000)] = ()
    """The names of what changed, where values are not told."""
    actor_user_id: Identifier | None = None
    """Who did it; they are not told of it."""
    actor_name: Name | None = None
    """Who did it, for display; taken from `people` where absent."""
    people: People = ()
    """Whom it concerns."""
    suppress_contact_notifications: bool = False
    """Tell only those who work on the ticket (roles assignee and agent)."""
    suppress_internal_notifications: bool = False
    """Tell only the others."""
