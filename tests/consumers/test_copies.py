"""Who gets a mail and who a copy of it, and what goes along."""

from __future__ import annotations

import pytest

from consumers.audience import audience
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


@pytest.mark.parametrize("roles", [("client", "cc", "bcc"), ("bcc", "cc", "client"), ("cc", "client", "bcc")])
def test_somebody_it_concerns_gets_no_copy_besides(roles: tuple[str, ...]) -> None:
    concerned, cc, bcc = addressed([person(role, "a") for role in roles])

    assert ([one.name for one in concerned], cc, bcc) == (["a"], (), ())


def test_where_it_concerns_nobody_the_visible_copies_are_the_mail() -> None:
    concerned, cc, bcc = addressed([person("cc", "a"), person("bcc", "b")])

    assert ([one.name for one in concerned], cc, [one.name for one in bcc]) == (["a"], (), ["b"])


def test_where_there_are_hidden_copies_alone_each_is_a_mail_of_its_own() -> None:
    concerned, cc, bcc = addressed([person("bcc", "a"), person("bcc", "b")])

    assert ([one.name for one in concerned], cc, bcc) == (["a", "b"], (), ())


@pytest.mark.parametrize(
    ("roles", "agents", "agents_cc", "clients", "clients_cc"),
    [
        ("agent client cc", ["agent"], [], ["client"], ["cc"]),
        ("cc client agent", ["agent"], [], ["client"], ["cc"]),
        ("agent cc", ["agent"], ["cc"], [], []),
        ("agent assignee cc", ["agent", "assignee"], ["cc"], [], []),
        ("client cc", [], [], ["client"], ["cc"]),
        ("cc", [], [], ["cc"], []),
        ("agent", ["agent"], [], [], []),
    ],
)
def test_copies_are_of_the_clients_mails_unless_it_concerns_agents_alone(
    roles: str, agents: list[str], agents_cc: list[str], clients: list[str], clients_cc: list[str]
) -> None:
    found = audience(person(role, role) for role in roles.split())

    assert [one.name for one in found.agents.people] == agents
    assert [one.name for one in found.agents.cc] == agents_cc
    assert [one.name for one in found.clients.people] == clients
    assert [one.name for one in found.clients.cc] == clients_cc


def test_where_agents_are_not_told_a_copy_is_of_the_clients_words() -> None:
    found = audience([person("agent", "a"), person("cc", "b"), person("bcc", "c")], tells_agents=False)

    assert (found.agents.people, [one.name for one in found.clients.people]) == ((), ["b"])
    assert [one.name for one in found.clients.bcc] == ["c"]


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
