"""What the data of an event may hold."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from events.invoice import InvoiceIssued
from events.people import Person, distinct
from events.tenant import TenantRegistered, TenantUpdated
from events.ticket import TicketUpdated
from events.user import UserUpdated, UserVerificationRequested

INVOICE = {"invoice_id": "7", "invoice_number": "R-7", "amount": "10", "currency": "EUR"}


@pytest.mark.parametrize(
    "url",
    [
        "https://psa.example/t/42?x=1&sig=a%2Fb=#top",
        "http://localhost:8080/t",
        "https://[::1]:8443/",
        "HTTPS://psa.example",
        "https://münchen.example/ü",
    ],
)
def test_web_links_are_kept_to_the_letter(url: str) -> None:
    assert TicketUpdated(ticket_id="1", title="t", url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://psa.example/",
        "//psa.example/t",
        "/t/42",
        "https://",
        "https:///t",
        "https://:80/",
        "https://bank.example@evil.example/",
        "https://psa.example\\@evil.example/",
        'https://psa.example/"><script>',
        "https://psa.example/a b",
        "https://psa.example/\r\nX-Header: 1",
        "https://psa.example/\n",
        " https://psa.example/",
        "https://psa.example/" + "x" * 2048,
    ],
)
def test_other_links_are_refused_wherever_a_link_may_stand(url: str) -> None:
    with pytest.raises(ValidationError):
        TicketUpdated(ticket_id="1", title="t", url=url)
    with pytest.raises(ValidationError):
        InvoiceIssued(**INVOICE, url=url)
    with pytest.raises(ValidationError):
        UserVerificationRequested(user_id="u", email="a@example.com", verification_url=url)


@pytest.mark.parametrize(
    ("amount", "text"), [("1234.50", "1234.50"), ("-5.00", "-5.00"), (1234.5, "1234.5"), (12, "12")]
)
def test_amounts_keep_their_digits(amount: Any, text: str) -> None:
    assert str(InvoiceIssued(**INVOICE | {"amount": amount}).amount) == text


@pytest.mark.parametrize(
    "amount",
    [
        "",
        ".",
        "-",
        "1,50",
        "1_000",
        "1e3",
        "0E-999999",
        "NaN",
        "Infinity",
        "\u0661",
        "--1",
        "1.2.3",
        "1.00001",
        "1" * 19,
    ],
)
def test_text_that_nobody_writes_on_an_invoice_is_no_amount(amount: str) -> None:
    with pytest.raises(ValidationError):
        InvoiceIssued(**INVOICE | {"amount": amount})


@pytest.mark.parametrize("amount", [float("inf"), 1e300, 1e-9, True, None, [], 10**4000])
def test_values_that_are_no_amount_of_money_are_refused(amount: Any) -> None:
    with pytest.raises(ValidationError):
        InvoiceIssued(**INVOICE | {"amount": amount})


def test_currencies_are_three_letters_in_upper_case() -> None:
    assert InvoiceIssued(**INVOICE | {"currency": "eur"}).currency == "EUR"
    for currency in ("EURO", "€", "E1R", ""):
        with pytest.raises(ValidationError):
            InvoiceIssued(**INVOICE | {"currency": currency})


def test_due_dates_are_days() -> None:
    assert InvoiceIssued(**INVOICE, dueDate="2026-12-31").due_date.isoformat() == "2026-12-31"
    with pytest.raises(ValidationError):
        InvoiceIssued(**INVOICE, due_date="soon")


@pytest.mark.parametrize("email", ["no address", "a@b\r\nBcc: c@d", '"x" <a@example.com>', ""])
def test_people_may_have_addresses_that_a_gate_will_refuse(email: str) -> None:
    assert Person(role="contact", email=email).email == email


@pytest.mark.parametrize(
    "values", [{"name": "x" * 201}, {"email": "x" * 321}, {"role": ""}, {"user_id": ""}, {"locale": 5}]
)
def test_people_fields_are_bounded(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Person(**{"role": "contact"} | values)


def test_the_number_of_people_is_bounded() -> None:
    people = [{"role": "watcher", "user_id": str(number)} for number in range(501)]

    with pytest.raises(ValidationError):
        TicketUpdated(ticket_id="1", title="t", people=people)


@pytest.mark.parametrize("slug", ["", "Acme", "a_b", "-a", "a-", "a.b", "x" * 64, "a\n"])
def test_slugs_are_domain_labels(slug: str) -> None:
    assert TenantRegistered(name="Acme", slug="acme-2").slug == "acme-2"
    with pytest.raises(ValidationError):
        TenantUpdated(slug=slug)


def test_a_user_update_may_leave_everything_out_but_the_user() -> None:
    assert UserUpdated(userId="u1", emailVerified=True).model_dump(exclude_none=True) == {
        "user_id": "u1",
        "email_verified": True,
    }


def test_a_person_mentioned_twice_is_one_with_what_both_mentions_say() -> None:
    people = [
        Person(role="requester", user_id="u1"),
        Person(role="watcher", user_id="u1", email="ann@example.com", name="Ann"),
        Person(role="contact", email="ANN@example.com ", locale="de"),
    ]

    [ann] = distinct(people)

    assert ann == Person(role="requester", user_id="u1", email="ann@example.com", name="Ann", locale="de")


def test_two_mentions_are_joined_by_a_third() -> None:
    people = [
        Person(role="a", user_id="u1"),
        Person(role="b", email="ann@example.com"),
        Person(role="c", user_id="u2"),
        Person(role="d", user_id="u1", email="ann@example.com"),
        Person(role="e", email="ann@example.com", name="Ann"),
    ]

    assert [(person.role, person.user_id, person.name) for person in distinct(people)] == [
        ("a", "u1", "Ann"),
        ("c", "u2", None),
    ]


def test_people_without_user_or_address_are_told_apart_by_name() -> None:
    people = [Person(role="a", name="Ann"), Person(role="b", name="Bob"), Person(role="c", name="Ann")]

    assert [person.name for person in distinct(people)] == ["Ann", "Bob"]
