"""Who gets a mail and who gets a copy of it, and what goes along: the part that handlers share."""

from __future__ import annotations

from collections.abc import Iterable

from consumers.recipient import recipient_of
from events.mail import MailData
from events.people import Person, distinct
from notifications.request import Extras, FileRequest, Recipient

_CC = "cc"
_BCC = "bcc"


def addressed(people: Iterable[Person]) -> tuple[list[Person], tuple[Recipient, ...], tuple[Recipient, ...]]:
    """Return everybody once: whom it concerns, who gets a visible copy, who a hidden one.

    Where it concerns nobody, those with a visible copy are the ones it concerns.
    """
    everybody = distinct(people)
    copies = {role: [person for person in everybody if _role(person) == role] for role in (_CC, _BCC)}
    concerned = [person for person in everybody if _role(person) not in copies]
    if not concerned:
        concerned, copies[_CC] = copies[_CC], []
    return (
        concerned,
        tuple(recipient_of(person) for person in copies[_CC]),
        tuple(recipient_of(person) for person in copies[_BCC]),
    )


def extras_of(data: MailData) -> Extras:
    """Return what an event sends along with its words."""
    return Extras(
        files=tuple(
            FileRequest(
                filename=file.filename,
                content=file.content,
                path=file.path,
                content_type=file.content_type,
                cid=file.cid,
            )
            for file in data.attachments
        ),
        reply_to=data.reply_to,
        tags=data.tags,
        headers=data.headers,
    )


def _role(person: Person) -> str:
    return person.role.strip().lower()
