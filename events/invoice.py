"""What is said when something happens to an invoice."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from events.fields import Identifier, Name, UtcTime, WebUrl
from events.mail import MailData
from events.people import People


def _plain_number(value: Any) -> Any:
    """Refuse what Decimal would read but nobody writes on an invoice: 1_000, or 0E-999999, a megabyte when printed."""
    if isinstance(value, str) and not (value.isascii() and value.removeprefix("-").replace(".", "", 1).isdigit()):
        raise PydanticCustomError("amount", "Input should be a plain decimal number, such as 1234.50")
    return value


Amount = Annotated[Decimal, BeforeValidator(_plain_number), Field(max_digits=18, decimal_places=4)]
"""An amount of money; a string keeps its digits as they are."""
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{3}$", to_upper=True)]
"""A currency code of ISO 4217, such as EUR."""


class _InvoiceData(MailData):
    """What all events of an invoice say."""

    invoice_id: Identifier
    """The upstream's key of the invoice."""
    currency: Currency
    """In which currency."""
    client_name: Name | None = None
    """Who is to pay."""
    url: WebUrl | None = None
    """Where to look at it."""
    actor_user_id: Identifier | None = None
    """Who did it; they are not told of it."""
    notify_actor: bool = False
    """Tell them as well, where they are among the people."""
    people: People = ()
    """Whom it concerns."""


class InvoiceIssued(_InvoiceData):
    """An invoice was issued."""

    invoice_number: Identifier
    """The number written on it."""
    amount: Amount
    """What is to be paid."""
    due_date: date | None = None
    """Until when."""


class InvoiceOverdue(_InvoiceData):
    """An invoice was not paid in time."""

    invoice_number: Identifier | None = None
    """The number written on it."""
    amount: Amount
    """What is still to be paid."""
    due_date: date | None = None
    """When it should have been paid."""
    days_overdue: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """How many days ago that was."""


class InvoicePaid(_InvoiceData):
    """An invoice was paid, or a part of it."""

    invoice_number: Identifier | None = None
    """The number written on it."""
    amount: Amount
    """What was paid."""
    payment_id: Identifier | None = None
    """The upstream's key of the payment."""
    paid_at: UtcTime | None = None
    """When it was paid."""
