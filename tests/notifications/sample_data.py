"""What the templates we ship are rendered with in tests: everything they can be told, and next to nothing."""

from __future__ import annotations

from typing import Any

from tests.events import samples
from tests.notifications.contexts import contexts_of

BRAND = {
    "name": "Acme <Care>",
    "logo_url": "https://cdn.example.com/acme.png",
    "color": "#fde047",
    "on_color": "#111827",
    "address": "Acme GmbH\n1 Main Street\n10115 Berlin",
    "url": "https://acme.example.com/?a=1&b=2",
}
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
    "digest": {
        "digest": {"count": 23, "more": 1, "frequency": "daily", "about": None},
        "items": [
            {"title": "[T-42] Printer on fire: updated", "url": "https://psa.example.com/tickets/42"},
            {"title": "[T-43] <Screen> dark", "url": None},
        ],
        "recipient": {"name": "Carol"},
    },
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
    "digest": {
        "digest": {"count": 2, "more": 0, "frequency": None, "about": "T-42"},
        "items": [{"title": "One", "url": None}, {"title": "Two", "url": None}],
        "recipient": {"name": None},
    },
}
