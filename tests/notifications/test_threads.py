"""All mails about one ticket are one conversation."""

from __future__ import annotations

from typing import Any

import pytest

from events.header_rules import allowed_headers
from notifications.threads import subject_key, tagged_subject, thread_domain, thread_headers
from tests.notifications.builders import OTHER_TENANT, TENANT

DOMAIN = "example.com"


def test_mails_about_one_ticket_answer_to_the_same_root() -> None:
    headers = thread_headers(TENANT, "ticket/42", DOMAIN)

    assert headers == thread_headers(TENANT, "ticket/42", DOMAIN)
    assert headers["In-Reply-To"] == headers["References"]
    noun, _, rest = headers["References"].strip("<>").partition("-")
    assert (noun, rest.partition("@")[2], len(rest.partition("@")[0])) == ("ticket", DOMAIN, 32)


def test_another_ticket_tenant_or_kind_of_thing_is_another_conversation() -> None:
    roots = {
        thread_headers(tenant, key, DOMAIN)["References"]
        for tenant in (TENANT, OTHER_TENANT)
        for key in ("ticket/42", "ticket/43", "invoice/42")
    }

    assert len(roots) == 6


@pytest.mark.parametrize(
    "hostile", ["ticket/4>\r\nBcc: e@x.example", "ticket/<a@b>", "ticket/=?utf-8?q?x?=", "ticket/\ud800é"]
)
def test_nothing_of_what_an_upstream_calls_its_tickets_stands_in_a_header(hostile: str) -> None:
    headers = thread_headers(TENANT, hostile, DOMAIN)

    assert allowed_headers(headers) == headers
    assert headers["References"].startswith("<ticket-")


def test_what_is_about_nothing_begins_no_conversation() -> None:
    assert thread_headers(TENANT, None, DOMAIN) == {}
    assert thread_headers(TENANT, "ticket/42", None) == {}


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"ticket": {"id": "42", "number": "T-42"}}, "ticket/42"),
        ({"invoice": {"id": "7"}}, "invoice/7"),
        ({"ticket": {"id": ""}}, None),
        ({"ticket": "42"}, None),
        ({"user": {"id": "42"}}, None),
    ],
)
def test_what_a_mail_is_about_is_in_the_words_of_its_template(data: dict[str, Any], key: str | None) -> None:
    assert subject_key(data) == key


@pytest.mark.parametrize(
    ("senders", "domain"),
    [
        (("Acme <noreply@Example.com>", None), "example.com"),
        (("noreply@{tenant}.example.com",), "example.com"),
        (("{tenant}@example.com",), "example.com"),
        ((None, "noreply@mail-{tenant}.example.com"), "example.com"),
        ((None, None, "{tenant}.example.com"), "example.com"),
        ((None, "resend.example.com"), "resend.example.com"),
        (("noreply@localhost", "mail.example.com"), "mail.example.com"),
        (("x@bad domain.example", "x@a>\r\nb.example"), None),
        ((), None),
    ],
)
def test_roots_end_in_the_first_domain_of_the_platform_s_own(
    senders: tuple[str | None, ...], domain: str | None
) -> None:
    assert thread_domain(*senders) == domain


@pytest.mark.parametrize(
    ("subject", "number", "tagged"),
    [
        ("Printer on fire", "T-42", "[T-42] Printer on fire"),
        ("[T-42] Printer: updated", "T-42", "[T-42] Printer: updated"),
        ("7 updates on t-42", "T-42", "7 updates on t-42"),
        ("About T-421 and XT-42", "T-42", "[T-42] About T-421 and XT-42"),
        ("Costs (.*)", ".*", "Costs (.*)"),
        ("Printer", None, "Printer"),
        ("Printer", "", "Printer"),
        ("Printer", "T]42[", "Printer"),
        ("Printer", "T\r\n42", "Printer"),
        ("Printer", "x" * 41, "Printer"),
        ("Printer", 42, "Printer"),
    ],
)
def test_a_ticket_s_number_is_in_its_subject_once(subject: str, number: Any, tagged: str) -> None:
    assert tagged_subject(subject, {"ticket": {"id": "1", "number": number}}) == tagged


def test_an_invoice_s_subject_stays_as_it_is() -> None:
    assert tagged_subject("Invoice", {"invoice": {"id": "7", "number": "INV-7"}}) == "Invoice"
