"""The templates we ship: each renders with everything and with next to nothing, for any client."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from notifications.categories import SUBTYPES
from notifications.languages import LOCALES
from notifications.render import Rendered, Renderer
from notifications.system_templates import system_layout, system_templates
from notifications.template import (
    Layout,
    TemplateVersion,
    messages_from_json,
    messages_to_json,
    pin,
    template_version,
)
from tests.notifications.sample_data import BARE, BRAND, FULL, TENANT

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
        if tag not in {"meta", "br", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_subtype_has_an_english_template_and_the_other_way_round() -> None:
    assert set(TEMPLATES) == set(SUBTYPES)


def test_every_template_is_said_in_every_language() -> None:
    locales: dict[str, set[str]] = {}
    for template in system_templates():
        locales.setdefault(template.name, set()).add(template.locale)

    assert [name for name, known in locales.items() if known != set(LOCALES)] == []


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

    assert mail.subject == "[1042] Printer on fire: updated"
    assert mail.text.startswith("Printer on fire\n\nTicket 1042, Status: In progress, Priority: High\n\nHello Carol,\n")
    assert "Alice updated this ticket.\n\nStatus: Open -> In progress\nAssigned to name: - -> Bob\n\n" in mail.text


def test_a_ticket_update_without_values_names_the_fields() -> None:
    context = BARE["ticket-updated"] | {"updated_fields": ["status", "due_date"], "tenant": TENANT}

    mail = Renderer().render(TEMPLATES["ticket-updated"], context)

    assert "Changed: Status, Due date" in mail.text
    assert "Changed: Status, Due date" in mail.html


def test_an_invoice_shows_amount_and_due_date() -> None:
    mail = rendered("invoice-issued", FULL)

    assert mail.subject == "Invoice INV-7 from Acme & Co"
    assert "Amount: €1,234.50\nDue on: December 1, 2026\n" in mail.text
    assert "Acme &amp; Co has issued a new invoice to Globex." in mail.html


def test_a_verification_link_says_until_when_it_is_valid_in_the_recipients_time_zone() -> None:
    local = FULL["user-verification"] | {"timezone": "Europe/Berlin", "tenant": TENANT}

    assert "valid until Nov 25, 2026, 10:00 AM UTC." in rendered("user-verification", FULL).text
    assert "valid until Nov 25, 2026, 11:00 AM CET." in Renderer().render(TEMPLATES["user-verification"], local).text


def test_a_mail_looks_as_its_tenant_wants() -> None:
    mail = Renderer().render(TEMPLATES["ticket-updated"], FULL["ticket-updated"] | {"tenant": TENANT, "brand": BRAND})

    attributes = Elements(mail.html).attributes
    assert ("src", "https://cdn.example.com/acme.png") in attributes
    assert ("alt", "Acme <Care>") in attributes
    assert ("bgcolor", "#fde047") in attributes
    assert "color: #111827" in mail.html
    assert "Acme GmbH<br>\n1 Main Street<br>\n10115 Berlin<br>" in mail.html
    assert ("href", "https://acme.example.com/?a=1&b=2") in attributes
    assert "--\nAcme <Care>\nAcme GmbH\n1 Main Street\n10115 Berlin\nhttps://acme.example.com/?a=1&b=2\n\n" in mail.text


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_an_english_mail_about_ascii_is_ascii_but_for_its_money(name: str) -> None:
    mail = rendered(name, FULL)

    assert (mail.subject + mail.html + mail.text).replace("€", "").isascii()


def pinned(**changes: str) -> TemplateVersion:
    sources = {"name": "n", "locale": "en", "subject": "s", "html": "h", "text": "t"} | changes
    return pin(**sources)


def test_a_version_is_32_hex_digits_of_the_sources_alone() -> None:
    version = pinned().version

    assert re.fullmatch(r"[0-9a-f]{32}", version)
    assert pinned(name="other", locale="de").version == version


def test_a_translation_changes_the_version() -> None:
    versions = {
        pin(name="n", locale="de", subject="s", html="h", text="t", messages=messages).version
        for messages in ((), (("Yes", ("Ja",)),), (("Yes", ("Jo",)),), (("Yes", ("Ja", "Jas")),))
    }

    assert len(versions) == 4


def test_messages_are_stored_as_what_they_are_and_read_back() -> None:
    messages = (("%(n)s tickets", ("%(n)s Ticket", "%(n)s Tickets")), ("Yes", ("Ja",)))

    stored = messages_to_json(messages)

    assert json.loads(stored) == {"Yes": "Ja", "%(n)s tickets": ["%(n)s Ticket", "%(n)s Tickets"]}
    assert messages_from_json(stored) == messages
    assert messages_from_json('{"a": 1, "b": [], "c": ["x", 2], "d": null, "e": {}, "Yes": "Ja"}') == (
        ("Yes", ("Ja",)),
    )


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
