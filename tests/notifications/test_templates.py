"""The templates we ship: each renders with everything and with next to nothing, for any client."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from notifications.categories import SUBTYPES
from notifications.render import Rendered, Renderer
from notifications.system_templates import system_layout, system_templates
from notifications.template import Layout, TemplateVersion, pin, template_version
from tests.events import samples
from tests.notifications.contexts import contexts_of

TENANT = {"name": "Acme & Co", "slug": "acme"}

FULL: dict[str, dict[str, Any]] = contexts_of(samples.FULL) | {
    "ticket-updated": {
        "ticket": {
            "id": "42",
            "number": "1042",
            "title": "Printer on fire",
            "status": "in_progress",
            "priority": "high",
            "url": "https://psa.example.com/tickets/42?a=1&b=2",
        },
        "changes": [
            {"field": "status", "previous": "open", "new": "in_progress"},
            {"field": "assigned_to.name", "previous": None, "new": "Bob"},
        ],
        "updated_fields": [],
        "actor": {"name": "Alice"},
        "recipient": {"name": "Carol"},
    },
    "invoice-issued": {
        "invoice": {
            "id": "7",
            "number": "INV-7",
            "amount": "1234.50",
            "currency": "EUR",
            "due_date": "2026-12-01",
            "url": "https://psa.example.com/invoices/7",
            "client_name": "Globex",
        },
        "recipient": {"name": "Carol"},
    },
    "user-verification": {
        "verification": {"url": "https://psa.example.com/verify?t=abc", "expires_at": "2026-11-25T12:00:00+02:00"},
        "recipient": {"name": "Carol"},
    },
    "user-verified": {"recipient": {"name": "Carol", "email": "carol@example.com"}},
}

BARE: dict[str, dict[str, Any]] = contexts_of(samples.BARE) | {
    "ticket-updated": {
        "ticket": {"id": "42", "number": None, "title": None, "status": None, "priority": None, "url": None},
        "changes": [],
        "actor": {"name": None},
        "recipient": {"name": None},
    },
    "invoice-issued": {
        "invoice": {
            "id": "7",
            "number": None,
            "amount": "10",
            "currency": "JPY",
            "due_date": None,
            "url": None,
            "client_name": None,
        },
        "recipient": {"name": None},
    },
    "user-verification": {
        "verification": {"url": "https://psa.example.com/verify?t=abc", "expires_at": None},
        "recipient": {"name": None},
    },
    "user-verified": {"recipient": {"name": None, "email": None}},
}

TEMPLATES = {template.name: template for template in system_templates() if template.locale == "en"}


def rendered(name: str, contexts: dict[str, dict[str, Any]]) -> Rendered:
    return Renderer().render(TEMPLATES[name], contexts[name] | {"tenant": TENANT})


class Elements(HTMLParser):
    """Collects what an HTML part is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_subtype_has_an_english_template_and_the_other_way_round() -> None:
    assert {(template.name, template.locale) for template in system_templates()} == {(name, "en") for name in SUBTYPES}


@pytest.mark.parametrize("name", sorted(TEMPLATES))
@pytest.mark.parametrize("contexts", [FULL, BARE], ids=["full", "bare"])
def test_every_template_gives_a_complete_mail(name: str, contexts: dict[str, dict[str, Any]]) -> None:
    mail = rendered(name, contexts)

    assert mail.subject
    assert "Hello" in mail.text
    assert mail.text.rstrip().splitlines()[-1].startswith("You receive this")
    assert "None" not in mail.subject + mail.text + mail.html
    assert len(mail.html.encode()) < 102 * 1024
    assert max(map(len, mail.html.splitlines() + mail.text.splitlines())) < 998


@pytest.mark.parametrize("name", sorted(TEMPLATES))
@pytest.mark.parametrize("contexts", [FULL, BARE], ids=["full", "bare"])
def test_every_html_part_is_well_formed_and_loads_nothing(name: str, contexts: dict[str, dict[str, Any]]) -> None:
    html = rendered(name, contexts).html

    elements = Elements(html)
    assert elements.open == []
    assert {"img", "link", "script", "iframe", "object", "form"}.isdisjoint(elements.tags)
    assert {"src", "srcset", "background"}.isdisjoint(name for name, _ in elements.attributes)
    assert "url(" not in html
    assert "@import" not in html
    assert ("name", "viewport") in elements.attributes
    assert ("content", "light dark") in elements.attributes


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_html_and_text_tell_the_same_links(name: str) -> None:
    mail = rendered(name, FULL)

    links = {value for attribute, value in Elements(mail.html).attributes if attribute == "href"}
    assert links == set(re.findall(r"https://\S+", mail.text))


def test_a_ticket_update_shows_what_changed_and_who_did_it() -> None:
    mail = rendered("ticket-updated", FULL)

    assert mail.subject == "[Ticket #1042] Updated: Printer on fire"
    assert "Alice updated ticket #1042: Printer on fire." in mail.text
    assert "* Status: open -> in_progress" in mail.text
    assert "* Assigned to name: - -> Bob" in mail.text


def test_a_ticket_update_without_values_names_the_fields() -> None:
    context = BARE["ticket-updated"] | {"updated_fields": ["status", "due_date"], "tenant": TENANT}

    mail = Renderer().render(TEMPLATES["ticket-updated"], context)

    assert "Changed: Status, Due date" in mail.text
    assert "Changed: Status, Due date" in mail.html


def test_an_invoice_shows_amount_and_due_date() -> None:
    mail = rendered("invoice-issued", FULL)

    assert mail.subject == "Invoice INV-7 from Acme & Co"
    assert "Amount:  1234.50 EUR\nDue:     2026-12-01" in mail.text
    assert "Acme &amp; Co has issued a new invoice to Globex." in mail.html


def test_a_verification_link_says_until_when_it_is_valid() -> None:
    assert "valid until 2026-11-25 10:00 UTC." in rendered("user-verification", FULL).text


def pinned(**changes: str) -> TemplateVersion:
    sources = {"name": "n", "locale": "en", "subject": "s", "html": "h", "text": "t"} | changes
    return pin(**sources)


def test_a_version_is_32_hex_digits_of_the_sources_alone() -> None:
    version = pinned().version

    assert re.fullmatch(r"[0-9a-f]{32}", version)
    assert pinned(name="other", locale="de").version == version


@pytest.mark.parametrize("part", ["subject", "html", "text"])
def test_every_source_changes_the_version(part: str) -> None:
    assert pinned(**{part: "other"}).version != pinned().version


def test_the_layout_changes_the_version() -> None:
    layout = Layout(html="{% block content %}{% endblock %}", text="{% block content %}{% endblock %}")

    assert pin(name="n", locale="en", subject="s", html="h", text="t", layout=layout).version != pinned().version


def test_a_character_that_moves_to_the_next_source_changes_the_version() -> None:
    first = template_version(subject="ab", html="c", text="", layout_html="", layout_text="")

    assert template_version(subject="a", html="bc", text="", layout_html="", layout_text="") != first


def test_an_override_uses_the_systems_layout() -> None:
    override = pin(name="ticket-updated", locale="en", subject="Mine", html="<p>Mine</p>", text="Mine")

    mail = Renderer().render(override, FULL["ticket-updated"] | {"tenant": TENANT})

    assert override.layout_html == system_layout().html
    assert "<p>Mine</p>" in mail.html
    assert "Acme &amp; Co" in mail.html
    assert mail.text.startswith("Mine\n")
