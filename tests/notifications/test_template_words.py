"""What the templates of the catalogue say to whom, given what the handlers make of an event."""

from __future__ import annotations

from typing import Any

import pytest

from consumers.routes import ROUTES
from notifications.render import Rendered, Renderer
from notifications.system_templates import system_templates
from tests.events import samples
from tests.events.samples import event_of
from tests.notifications.contexts import contexts_of

TEMPLATES = {template.name: template for template in system_templates() if template.locale == "en"}
TENANT = {"name": "Acme & Co", "slug": "acme"}
HOSTILE = "<script>alert(1)</script><img src=x onerror=y>\"'{{ 7 * 7 }}{% raw %}\r\nBcc: x@evil.example"


def mail(event_type: str, subtype: str, **changes: Any) -> Rendered:
    """Return the mail of this subtype that the full event leads to, with these fields changed."""
    context = contexts_of({event_type: samples.FULL[event_type] | changes})[subtype]
    return Renderer().render(TEMPLATES[subtype], context | {"tenant": TENANT})


def hostile(value: Any) -> Any:
    """Put hostile text wherever free text may stand; links and times have forms of their own."""
    if isinstance(value, dict):
        return {key: spoilt(key, item) for key, item in value.items()}
    return [hostile(item) for item in value] if isinstance(value, list) else value


def spoilt(key: str, value: Any) -> Any:
    kept = ("_at", "url", "_date", "_id", "role", "locale", "timezone", "currency", "amount", "_type", "days_overdue")
    return HOSTILE if isinstance(value, str) and not key.endswith(kept) else hostile(value)


@pytest.mark.parametrize("samples_", [samples.FULL, samples.BARE], ids=["full", "bare"])
@pytest.mark.parametrize("event_type", sorted(samples.FULL))
def test_everything_a_handler_asks_for_can_be_rendered(event_type: str, samples_: dict[str, dict[str, Any]]) -> None:
    requests = [one for one in ROUTES[event_type](event_of(event_type, samples_[event_type])) if hasattr(one, "data")]

    assert requests
    for request in requests:
        rendered = Renderer().render(TEMPLATES[request.subtype], dict(request.data) | {"tenant": TENANT})
        assert "None" not in rendered.subject + rendered.html + rendered.text


@pytest.mark.parametrize("event_type", sorted(samples.FULL))
def test_hostile_text_stays_text(event_type: str) -> None:
    for subtype, context in contexts_of({event_type: hostile(samples.FULL[event_type])}).items():
        rendered = Renderer().render(TEMPLATES[subtype], context | {"tenant": {"name": HOSTILE, "slug": "acme"}})

        assert "<script" not in rendered.html
        assert "<img" not in rendered.html
        assert "\n" not in rendered.subject
        assert "49" not in rendered.html
        assert "{{ 7 * 7 }}" in rendered.html


@pytest.mark.parametrize("event_type", sorted(name for name in samples.FULL if name.startswith("ticket.")))
def test_a_ticket_template_names_the_ticket_at_the_front_of_its_subject(event_type: str) -> None:
    for subtype in contexts_of({event_type: samples.FULL[event_type]}):
        assert mail(event_type, subtype).subject.startswith("[T-42] Printer on fire: ")


@pytest.mark.parametrize(
    ("event_type", "subtype", "subject", "sentence"),
    [
        ("ticket.created.v1", "ticket-created", "new ticket", "Cleo opened a new ticket."),
        (
            "ticket.created.v1",
            "ticket-created-client",
            "we have received your ticket",
            "Thank you for your message. We have received it as ticket T-42 and will get back to you.",
        ),
        ("ticket.updated.v1", "ticket-updated", "updated", "Ada updated this ticket."),
        ("ticket.updated.v1", "ticket-updated-client", "updated", "Ada updated your ticket."),
        ("ticket.closed.v1", "ticket-closed", "closed", "Ada closed this ticket."),
        ("ticket.closed.v1", "ticket-closed-client", "closed", "Ada closed your ticket."),
        ("ticket.assigned.v1", "ticket-assigned", "assigned to you", "Ada assigned this ticket to you."),
        (
            "ticket.assigned.v1",
            "ticket-assigned-client",
            "Ben takes care of it",
            "Your ticket is now handled by Ben.",
        ),
        ("ticket.comment_added.v1", "ticket-comment-added", "new comment", "Ada wrote a comment."),
        (
            "ticket.comment_added.v1",
            "ticket-comment-added-client",
            "new comment",
            "Ada wrote a comment on your ticket.",
        ),
    ],
)
def test_agents_and_clients_read_different_words(event_type: str, subtype: str, subject: str, sentence: str) -> None:
    rendered = mail(event_type, subtype)

    assert rendered.subject == f"[T-42] Printer on fire: {subject}"
    assert sentence in rendered.text
    assert sentence in rendered.html


def test_what_somebody_wrote_keeps_its_lines() -> None:
    rendered = mail("ticket.comment_added.v1", "ticket-comment-added")

    assert "> On my way.\n> Keep the door closed.\n" in rendered.text
    assert "On my way.<br>\nKeep the door closed." in rendered.html


def test_a_long_text_is_shortened_and_says_so() -> None:
    rendered = mail("ticket.closed.v1", "ticket-closed", reason="word " * 2000)

    assert len(rendered.text) < 5_000
    assert "The text is longer than this." in rendered.text
    assert "The text is longer than this." in rendered.html


def test_an_internal_comment_is_called_one() -> None:
    comment = samples.FULL["ticket.comment_added.v1"]["comment"] | {"is_internal": True}

    rendered = mail("ticket.comment_added.v1", "ticket-comment-added", comment=comment)

    assert rendered.subject == "[T-42] Printer on fire: internal comment"
    assert "Ada wrote an internal comment. Clients do not see it." in rendered.text


@pytest.mark.parametrize(
    ("event_type", "subtype", "lines"),
    [
        (
            "invoice.overdue.v1",
            "invoice-overdue",
            ["Still to pay: €1,234.50", "Due on: December 1, 2026", "Days overdue: 3"],
        ),
        ("invoice.paid.v1", "invoice-paid", ["Paid: €1,234.50", "Paid on: November 25, 2026", "Payment: p-9"]),
    ],
)
def test_an_invoice_mail_tells_what_counts(event_type: str, subtype: str, lines: list[str]) -> None:
    assert "\n".join(lines) in mail(event_type, subtype).text


@pytest.mark.parametrize(
    ("event_type", "subtype", "link"),
    [
        ("user.password_reset_requested.v1", "password-reset", "https://psa.example.com/reset?t=abc&u=1"),
        ("user.invited.v1", "user-invitation", "https://psa.example.com/join?t=abc&u=1"),
    ],
)
def test_a_secret_link_is_there_to_click_and_to_copy_with_its_last_moment(
    event_type: str, subtype: str, link: str
) -> None:
    rendered = mail(event_type, subtype)

    assert rendered.html.count(link.replace("&", "&amp;")) == 2
    assert f"\n{link}\n" in rendered.text
    assert "The link is valid until Nov 25, 2026, 10:00 AM UTC." in rendered.text
    assert "The link is valid until Nov 25, 2026, 10:00 AM UTC." in rendered.html
    assert link not in rendered.subject
