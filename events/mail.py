"""What an event may ask of the mails that come of it: files, where answers go, labels and headers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from events.fields import Address, EventData, LocalTime
from events.header_rules import is_allowed_name, is_allowed_value

_MAX_BASE64_CHARS = 10 * 1024 * 1024


def at_most(count: int) -> Callable[[Any], Any]:
    """Refuse a long object before its values are looked at: each bad one would be an error of its own."""

    def check(value: Any) -> Any:
        if isinstance(value, Mapping) and len(value) > count:
            raise ValueError(f"should have at most {count} items")
        return value

    return check


def _allowed_name(name: str) -> str:
    if not is_allowed_name(name):
        raise PydanticCustomError("header_name", "Input should be a header field that may be set, such as X-Invoice")
    return name


def _allowed_value(value: str) -> str:
    if not is_allowed_value(value):
        raise PydanticCustomError("header_value", "Input should be words of printable ASCII, one space between two")
    return value


HeaderName = Annotated[str, StringConstraints(max_length=80), AfterValidator(_allowed_name)]
HeaderValue = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_allowed_value)]


class File(EventData):
    """A file that goes with the mails: by its content, or by its path below the folder that the operator opened."""

    filename: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    """Its name, as the recipient sees it."""
    content: Annotated[str, StringConstraints(max_length=_MAX_BASE64_CHARS)] | None = Field(default=None, repr=False)
    """What is in it, in base64."""
    path: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None
    """Where it lies below OUTBOUND_ATTACHMENT_ROOT; a URL is refused."""
    content_type: Annotated[str, StringConstraints(max_length=128)] | None = None
    """Its media type; taken from the name's extension where absent."""
    cid: Annotated[str, StringConstraints(max_length=128)] | None = None
    """The name by which the html shows it (`cid:`), without angle brackets."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.content is None) == (self.path is None):
            raise PydanticCustomError("file_source", "Input should have either content or path")
        return self


class MailData(EventData):
    """What events share whose mails carry more than words."""

    attachments: Annotated[tuple[File, ...], Field(max_length=20, fail_fast=True)] = ()
    """Files that go with every mail of this event."""
    reply_to: Annotated[tuple[Address, ...], Field(max_length=5, fail_fast=True)] = ()
    """Where answers go, instead of the tenant's address."""
    send_at: LocalTime | None = None
    """Not before this; a time without a zone is meant by each recipient's clock."""
    tags: Annotated[tuple[Annotated[str, StringConstraints(max_length=64)], ...], Field(max_length=20)] = ()
    """Labels, beside the tenant's own."""
    headers: Annotated[
        dict[HeaderName, HeaderValue], BeforeValidator(at_most(20)), Field(default_factory=dict[str, str])
    ]
    """Header fields: X-*, List-*, In-Reply-To, References, Auto-Submitted, Feedback-ID; words of printable ASCII."""
