"""What we tell the bus: the delivery events (DESIGN §5, Out). No address, no subject line, no body."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from events.fields import UtcTime

SOURCE = "/outbound"

EMAIL_STATUSES = (
    "queued",
    "skipped",
    "accepted",
    "delivered",
    "delayed",
    "bounced",
    "complained",
    "failed",
    "suppressed",
    "uncertain",
    "cancelled",
    "digested",
)
"""Each is a type `email.<status>.v1`. `queued` is told only of what waits."""
EVENT_STATUSES = ("skipped", "dead_lettered")
"""Each is a type `event.<status>.v1`, about an event that led to no notification."""

_EmailStatus = Annotated[str, StringConstraints(pattern=f"^({'|'.join(EMAIL_STATUSES)})$")]
_EventStatus = Annotated[str, StringConstraints(pattern=f"^({'|'.join(EVENT_STATUSES)})$")]


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class EmailReport(_Report):
    """What became of a notification."""

    notification_id: UUID
    """The notification."""
    version: int = Field(ge=1)
    """Rises with each change of the notification: of two reports the higher one is the newer."""
    status: _EmailStatus
    """What became of it."""
    reason: str | None = None
    """Why, where there is something to say."""
    due_at: UtcTime | None = None
    """Until when it waits."""
    attempt: int | None = None
    """The attempt this was the result of."""
    provider: str | None = None
    """The provider of that attempt."""
    provider_message_id: str | None = None
    """The provider's own id of the mail."""
    category: str | None = None
    """The kind of mail."""
    subtype: str | None = None
    """The kind of mail, closer."""
    template: str | None = None
    """The template it was rendered from."""
    user_id: str | None = None
    """The upstream's own key of the recipient."""
    recipient_hash: str | None = None
    """A keyed hash of the address: equal for equal addresses, and not to be turned back."""

    @property
    def type(self) -> str:
        """The type of the event that carries this."""
        return f"email.{self.status}.v1"

    @property
    def id(self) -> str:
        """The id of the event that carries this: the same whenever it is told again."""
        return f"{self.notification_id}/{self.version}"

    @property
    def subject(self) -> str | None:
        """The subject of the event that carries this."""
        return str(self.notification_id)


class EventReport(_Report):
    """An event that led to no notification: nobody to tell, told before, or not readable."""

    stream: str
    """The stream it came in."""
    entry_id: str
    """Its entry there."""
    status: _EventStatus
    """What became of it."""
    reason: str
    """Why."""
    detail: str | None = None
    """Where and what, in one line, without any of its content."""
    event_id: str | None = None
    """Its id, if that could be read."""
    event_type: str | None = None
    """Its type, if that could be read."""
    event_source: str | None = None
    """Its source, if that could be read."""

    @property
    def type(self) -> str:
        """The type of the event that carries this."""
        return f"event.{self.status}.v1"

    @property
    def id(self) -> str:
        """The id of the event that carries this: the same whenever it is told again."""
        return f"{self.stream}/{self.entry_id}/{self.status}"

    @property
    def subject(self) -> str | None:
        """The subject of the event that carries this."""
        return self.event_id


DELIVERY_TYPES: Mapping[str, type[EmailReport | EventReport]] = {
    **{f"email.{status}.v1": EmailReport for status in EMAIL_STATUSES},
    **{f"event.{status}.v1": EventReport for status in EVENT_STATUSES},
}
"""The one list of the events we emit."""


def delivery_event(
    report: EmailReport | EventReport,
    *,
    time: datetime,
    tenantid: UUID | None,
    causationid: str | None,
    correlationid: str | None = None,
    traceparent: str | None = None,
    tracestate: str | None = None,
) -> dict[str, Any]:
    """Return the event that tells of a report, as plain JSON values.

    `causationid` is the id of the domain event behind it; correlation and trace are that event's own. The tenant is
    None only for a dead letter that does not say whose it is.
    """
    return _event(
        report.id,
        report.type,
        report.subject,
        report.model_dump(mode="json", exclude_none=True),
        time=time,
        tenantid=tenantid,
        causationid=causationid,
        correlationid=correlationid,
        traceparent=traceparent,
        tracestate=tracestate,
    )


def email_event(
    report: Mapping[str, Any],
    *,
    time: datetime,
    tenantid: UUID,
    causationid: str,
    correlationid: str | None = None,
    traceparent: str | None = None,
) -> dict[str, Any]:
    """Return the event of an EmailReport that is given as its JSON values; those that are None are left out.

    The same as `delivery_event` of the model, for one who has just made the values and need not check them: the line
    tells of every mail.
    """
    return _event(
        f"{report['notification_id']}/{report['version']}",
        f"email.{report['status']}.v1",
        report["notification_id"],
        {name: value for name, value in report.items() if value is not None},
        time=time,
        tenantid=tenantid,
        causationid=causationid,
        correlationid=correlationid,
        traceparent=traceparent,
    )


def written(moment: datetime) -> str:
    """Return a moment as it stands in events: ISO 8601, in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _event(
    id_: str,
    type_: str,
    subject: str | None,
    data: dict[str, Any],
    *,
    time: datetime,
    tenantid: UUID | None,
    **known: str | None,
) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": id_,
        "source": SOURCE,
        "type": type_,
        "time": written(time),
        "subject": subject,
        "datacontenttype": "application/json",
        "tenantid": None if tenantid is None else str(tenantid),
        **known,
        "data": data,
    }
    return {name: value for name, value in attributes.items() if value is not None}
