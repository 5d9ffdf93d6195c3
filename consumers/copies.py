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

    Somebody in several of these is in the first. Where it concerns nobody, those with a visible copy are the ones it
    concerns; where there are none either, those with a hidden one, each by a mail of their own.
    """
    everybody = distinct(sorted(people, key=_rank))
    concerned, cc, bcc = ([person for person in everybody if _rank(person) == rank] for rank in range(3))
    if not concerned:
        concerned, cc = cc, []
    if not concerned:
        concerned, bcc = bcc, []
    return (
        concerned,
        tuple(recipient_of(person) for person in cc),
        tuple(recipient_of(person) for person in bcc),
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
        send_at=data.send_at,
    )


def role_of(person: Person) -> str:
    """Return the word for why somebody is concerned, however it was written."""
    return person.role.strip().lower()


def _rank(person: Person) -> int:
    """Return 0 for somebody it concerns, 1 for a visible copy, 2 for a hidden one."""
    return {_CC: 1, _BCC: 2}.get(role_of(person), 0)
