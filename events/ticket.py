"""What is said when something happens to a ticket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from events.fields import EventData, Identifier, Line, Name, UtcTime, WebUrl
from events.mail import MailData, at_most
from events.people import People

_MAX_TEXT_CHARS = 256 * 1024

Text = Annotated[str, StringConstraints(max_length=_MAX_TEXT_CHARS)]
"""What somebody wrote, as plain text of many lines; a mail shows its beginning."""


class Change(EventData):
    """One field before and after."""

    previous: Any = None
    """The value it had."""
    new: Any = None
    """The value it has."""


class Comment(EventData):
    """What somebody wrote on a ticket."""

    id: Identifier
    """The upstream's key of the comment."""
    content: Text
    """What was written, as plain text."""
    author: Name | None = None
    """Who wrote it, for display; `actor_name` where absent."""
    is_internal: bool = False
    """Only for those who work on the ticket: nobody in another role is told of it, not even that it exists."""
    author_type: Line | None = None
    """internal, client or unknown. Whether contacts may read the comment, `is_internal` alone says."""

    @model_validator(mode="before")
    @classmethod
    def _says_once_for_whom(cls, value: Any) -> Any:
        """Refuse a comment that is internal in one spelling and not in the other: neither can be believed."""
        if isinstance(value, Mapping):
            given = cast("Mapping[str, Any]", value)
            if "is_internal" in given and "isInternal" in given and given["is_internal"] != given["isInternal"]:
                raise PydanticCustomError("contradiction", "Input should say is_internal once")
        return value


class TicketData(MailData):
    """What all events of a ticket say."""

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
    actor_user_id: Identifier | None = None
    """Who did it; they are not told of it."""
    actor_name: Name | None = None
    """Who did it, for display; taken from `people` where absent."""
    notify_actor: bool = False
    """Tell them as well, where they are among the people."""
    people: People = ()
    """Whom it concerns."""
    suppress_contact_notifications: bool = False
    """Tell only those who work on the ticket (roles agent, additional_agent, assignee, team, watcher_internal)."""
    suppress_internal_notifications: bool = False
    """Tell only the others."""


class TicketCreated(TicketData):
    """A ticket was created."""

    description: Text | None = None
    """What it is about, as plain text."""
    client_name: Name | None = None
    """The company it was created for."""
    created_at: UtcTime | None = None
    """When it was created."""


class TicketUpdated(TicketData):
    """A ticket was updated."""

    changes: Annotated[dict[str, Change], BeforeValidator(at_most(1000))] = Field(default_factory=dict[str, Change])
    """What changed, by dotted path. A path with `internal` in it is told only to those who work on the ticket."""
    updated_fields: Annotated[tuple[str, ...], Field(fail_fast=True, max_length=1000)] = ()
    """The names of what changed, where values are not told."""


class TicketClosed(TicketData):
    """A ticket was closed."""

    reason: Text | None = None
    """Why, or how it was solved, as plain text."""
    closed_at: UtcTime | None = None
    """When it was closed."""


class TicketAssigned(TicketData):
    """Somebody, or a team, was given a ticket to work on."""

    new_assignee_id: Identifier | None = None
    """Who works on it now: a user, told even if `people` leaves them out, or a team; the role assignee where absent."""
    new_assignee_type: Line | None = None
    """user or team: what `new_assignee_id` is; a user where absent."""
    new_assignee_name: Name | None = None
    """Their name, for display; taken from `people` where absent."""
    previous_assignee_id: Identifier | None = None
    """Who worked on it before; they are not told of it. The role previous_assignee means the same."""
    assigned_at: UtcTime | None = None
    """When it was assigned."""


class TicketCommentAdded(TicketData):
    """Somebody commented on a ticket: the actor is the author."""

    comment: Comment
    """What they wrote."""
