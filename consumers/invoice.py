"""Who hears of an invoice, and what they are told."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from consumers.copies import addressed, extras_of
from consumers.recipient import recipient_of
from events.envelope import CloudEvent
from events.invoice import InvoiceIssued, InvoiceOverdue, InvoicePaid
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
    return _mails(event.data, "invoice-issued", due_date=_day(event.data.due_date))


def on_invoice_overdue(event: CloudEvent[InvoiceOverdue]) -> list[Effect]:
    """Tell everybody concerned that an invoice should have been paid by now.

    The template `invoice-overdue` gets, None where a value is unknown (never for id, amount and currency):
        invoice: id, number, amount (what is still to be paid), currency, due_date, days_overdue (a number), url,
            client_name
        recipient: name
    """
    invoice = event.data
    return _mails(invoice, "invoice-overdue", due_date=_day(invoice.due_date), days_overdue=invoice.days_overdue)


def on_invoice_paid(event: CloudEvent[InvoicePaid]) -> list[Effect]:
    """Tell everybody concerned that a payment arrived.

    The template `invoice-paid` gets, None where a value is unknown (never for id, amount and currency):
        invoice: id, number, amount (what was paid), currency, paid_at ("2026-11-25T02:00:00+00:00"), payment_id, url,
            client_name
        recipient: name
    """
    invoice = event.data
    paid_at = invoice.paid_at.isoformat() if invoice.paid_at else None
    return _mails(invoice, "invoice-paid", paid_at=paid_at, payment_id=invoice.payment_id)


def _mails(
    invoice: InvoiceIssued | InvoiceOverdue | InvoicePaid, subtype: str, **words: str | int | None
) -> list[Effect]:
    shared: dict[str, Any] = {
        "invoice": {
            "id": invoice.invoice_id,
            "number": invoice.invoice_number,
            "amount": _amount(invoice.amount, invoice.currency),
            "currency": invoice.currency,
            "url": invoice.url,
            "client_name": invoice.client_name,
        }
        | words,
    }
    concerned, cc, bcc = addressed(invoice.people)
    return [
        NotificationRequest(
            subtype=subtype,
            recipient=recipient_of(person),
            data=shared | {"recipient": {"name": person.name}},
            actor_id=None if invoice.notify_actor else invoice.actor_user_id,
            cc=cc,
            bcc=bcc,
            extras=extras_of(invoice),
        )
        for person in concerned
    ]


def _day(value: date | None) -> str | None:
    return value.isoformat() if value else None


def _amount(amount: Decimal, currency: str) -> str:
    """Return the amount with the digits it came with, and at least those its currency is written with."""
    if currency in _WHOLE_CURRENCIES:
        return f"{amount:f}"
    exponent = amount.as_tuple().exponent
    return f"{amount:f}" if isinstance(exponent, int) and exponent < -1 else f"{amount:.2f}"
