"""Who gets a mail and who a copy of it, and what goes along."""

from __future__ import annotations

import pytest

from consumers.copies import addressed, extras_of
from events.invoice import InvoiceIssued
from events.people import Person
from notifications.request import FileRequest

INVOICE = {"invoice_id": "i-1", "invoice_number": "17", "amount": "1", "currency": "EUR"}


def person(role: str, name: str) -> Person:
    return Person(role=role, user_id=f"u-{name}", email=f"{name}@example.com", name=name)


def test_copies_are_told_from_those_it_concerns() -> None:
    people = [person("client", "a"), person("CC ", "b"), person("bcc", "c"), person("contact", "d")]

    concerned, cc, bcc = addressed(people)

    assert [one.name for one in concerned] == ["a", "d"]
    assert ([one.name for one in cc], [one.name for one in bcc]) == (["b"], ["c"])


def test_somebody_it_concerns_gets_no_copy_besides() -> None:
    concerned, cc, bcc = addressed([person("client", "a"), person("cc", "a"), person("bcc", "a")])

    assert ([one.name for one in concerned], cc, bcc) == (["a"], (), ())


def test_where_it_concerns_nobody_the_visible_copies_are_the_mail() -> None:
    concerned, cc, bcc = addressed([person("cc", "a"), person("bcc", "b")])

    assert ([one.name for one in concerned], cc, [one.name for one in bcc]) == (["a"], (), ["b"])


def test_what_an_event_sends_along_is_passed_on_unchecked() -> None:
    invoice = InvoiceIssued.model_validate(
        INVOICE
        | {
            "attachments": [{"filename": "a.pdf", "path": "2026/a.pdf", "contentType": "application/pdf", "cid": "x"}],
            "replyTo": ["desk@example.com"],
            "tags": ["monthly"],
            "headers": {"X-Run": "7"},
        }
    )

    extras = extras_of(invoice)

    [file] = extras.files
    assert file == FileRequest(filename="a.pdf", path="2026/a.pdf", content_type="application/pdf", cid="x")
    assert (extras.reply_to, extras.tags, extras.headers) == (("desk@example.com",), ("monthly",), {"X-Run": "7"})


@pytest.mark.parametrize("file", [{"filename": "a"}, {"filename": "a", "content": "eA==", "path": "a"}])
def test_a_file_has_one_source(file: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="either content or path"):
        InvoiceIssued.model_validate(INVOICE | {"attachments": [file]})
