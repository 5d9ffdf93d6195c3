"""Who hears of an invoice, and what they are told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from consumers.copies import addressed, extras_of
from consumers.recipient import recipient_of
from events.envelope import CloudEvent
from events.invoice import InvoiceIssued
from notifications.request import Effect, NotificationRequest

# ISO 4217, list one: the currencies without a minor unit.
_WHOLE_CURRENCIES = frozenset(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()  # noqa: SIM905 - a list of words
)


def on_invoice_issued(event: CloudEvent[InvoiceIssued]) -> list[Effect]:
    """Tell everybody concerned, each once, that an invoice was issued.

    The template `invoice-issued` gets, None where a value is unknown (never for id, number, amount and currency):
        invoice: id, number, amount ("1234.50"), currency ("EUR"), due_date ("2026-12-31"), url, client_name
        recipient: name
    """
    invoice = event.data
    shared: dict[str, Any] = {
        "invoice": {
            "id": invoice.invoice_id,
            "number": invoice.invoice_number,
            "amount": _amount(invoice.amount, invoice.currency),
            "currency": invoice.currency,
            "due_date": invoice.due_date.isoformat() if invoice.due_date else None,
            "url": invoice.url,
            "client_name": invoice.client_name,
        },
    }
    concerned, cc, bcc = addressed(invoice.people)
    return [
        NotificationRequest(
            subtype="invoice-issued",
            recipient=recipient_of(person),
            data=shared | {"recipient": {"name": person.name}},
            actor_id=invoice.actor_user_id,
            cc=cc,
            bcc=bcc,
            extras=extras_of(invoice),
        )
        for person in concerned
    ]


def _amount(amount: Decimal, currency: str) -> str:
    """Return the amount with the digits it came with, and at least those its currency is written with."""
    if currency in _WHOLE_CURRENCIES:
        return f"{amount:f}"
    exponent = amount.as_tuple().exponent
    return f"{amount:f}" if isinstance(exponent, int) and exponent < -1 else f"{amount:.2f}"
