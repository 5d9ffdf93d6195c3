"""From a mail to its webhook and back: the tags that we set are the tags that find the notification."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from providers.mailbox import Mailbox
from providers.message import OutboundMessage
from providers.receipt import Outcome, SendReceipt
from providers.resend import ResendConfig, ResendProvider
from providers.resend.webhook import BadSignatureError, DeliveryReport, parse, verify
from tests.providers.messages import a_message, yes
from tests.wires.resend import ResendWire, resend_wire, serving


@pytest.fixture
async def wire() -> AsyncIterator[ResendWire]:
    async with resend_wire() as wire:
        yield wire


@pytest.fixture
async def provider(wire: ResendWire) -> AsyncIterator[ResendProvider]:
    provider = ResendProvider(ResendConfig(api_key="re_test", base_url=wire.base_url))
    yield provider
    await provider.aclose()


def a_mail(number: int, address: str) -> OutboundMessage:
    return a_message(
        notification_id=UUID(int=number),
        tenant_id=UUID(int=1000 + number),
        rcpt_to=address,
        to=(Mailbox(None, address),),
        tags=("notification", "tenant: other"),  # an upstream's own labels cannot pose as ours
    )


def reports_of(wire: ResendWire, receipt: SendReceipt) -> list[DeliveryReport]:
    """What arrives by webhook about a mail, each delivery checked as ours would be."""
    reports = []
    for event in wire.hooks.of(receipt.provider_message_id or ""):
        headers, body = wire.hooks.signed(event)
        assert verify(body, headers, [wire.hooks.secret], datetime.now(UTC)) == event.id
        reports.append(parse(body))
    return reports


@pytest.mark.parametrize(
    ("address", "types"),
    [
        ("delivered@resend.dev", ["email.sent", "email.delivered"]),
        ("delivered+user.7@resend.dev", ["email.sent", "email.delivered"]),
        ("bounced@resend.dev", ["email.sent", "email.bounced"]),
        ("complained+x@resend.dev", ["email.sent", "email.delivered", "email.complained"]),
        ("suppressed@resend.dev", ["email.sent", "email.suppressed"]),
        ("jane@example.org", ["email.sent"]),
    ],
)
async def test_a_webhook_leads_back_to_the_message_that_was_sent(
    wire: ResendWire, provider: ResendProvider, address: str, types: list[str]
) -> None:
    message = a_mail(7, address)

    receipt = await provider.send(message, yes)

    assert receipt.outcome is Outcome.ACCEPTED
    reports = reports_of(wire, receipt)
    assert [report.type for report in reports] == types
    for report in reports:
        assert report.notification_id == message.notification_id
        assert report.tenant_id == message.tenant_id
        assert report.provider_message_id == receipt.provider_message_id
        assert report.recipients == (address,)
        assert report.message_id
        assert report.occurred_at is not None


async def test_a_bounce_and_a_suppression_tell_what_kind_they_are(wire: ResendWire, provider: ResendProvider) -> None:
    bounced = await provider.send(a_mail(1, "bounced@resend.dev"), yes)
    suppressed = await provider.send(a_mail(2, "suppressed@resend.dev"), yes)

    [_, bounce] = reports_of(wire, bounced)
    [_, suppression] = reports_of(wire, suppressed)

    assert (bounce.bounce_type, bounce.bounce_subtype) == ("Permanent", "General")
    assert bounce.diagnostic == ("smtp; 550 5.1.1 user unknown",)
    assert suppression.reason == "previous_bounce"


async def test_webhooks_that_are_posted_out_of_order_and_twice_find_each_their_own_mail(
    wire: ResendWire, provider: ResendProvider
) -> None:
    received: list[tuple[str, DeliveryReport]] = []

    async def endpoint(request: Request) -> Response:
        body = await request.body()
        try:
            delivery_id = verify(body, request.headers, [wire.hooks.secret], datetime.now(UTC))
        except BadSignatureError:
            return Response(status_code=401)
        received.append((delivery_id, parse(body)))
        return Response(status_code=204)

    messages = [a_mail(number, f"delivered+{number}@resend.dev") for number in range(20)]
    async with serving(Starlette(routes=[Route("/webhooks/resend", endpoint, methods=["POST"])])) as web:
        wire.hooks.send_to(f"{web.base_url}/webhooks/resend")
        receipts = await asyncio.gather(*(provider.send(message, yes) for message in messages))
        await wire.hooks.idle()
        for event in reversed(wire.hooks.events):
            assert await wire.hooks.post(event) == 204

    sent = {
        (receipt.provider_message_id, message.notification_id, message.tenant_id, (message.rcpt_to,))
        for receipt, message in zip(receipts, messages, strict=True)
    }
    told = {
        (report.provider_message_id, report.notification_id, report.tenant_id, report.recipients)
        for _, report in received
    }
    assert told == sent
    assert len(received) == 80
    assert len({delivery_id for delivery_id, _ in received}) == 40
    assert wire.hooks.failed == []


async def test_a_secret_that_was_not_ours_leads_nowhere(wire: ResendWire, provider: ResendProvider) -> None:
    receipt = await provider.send(a_mail(1, "delivered@resend.dev"), yes)
    headers, body = wire.hooks.signed(wire.hooks.of(receipt.provider_message_id or "")[0])

    with pytest.raises(BadSignatureError):
        verify(body, headers, ["whsec_bm90IG91cnM="], datetime.now(UTC))
    with pytest.raises(BadSignatureError):
        verify(body.replace(b"delivered@", b"attacker@"), headers, [wire.hooks.secret], datetime.now(UTC))
