"""The Resend provider against a stand-in that keeps the API's promises."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
import resend

from providers.attachment import Attachment
from providers.correlation import tag_value
from providers.errors import InvalidConfigError
from providers.mailbox import Mailbox
from providers.receipt import Outcome
from providers.resend import ResendConfig, ResendProvider
from providers.resend.payload import payload
from providers.resend.transport import BoundTransport, Credentials, bound
from tests.providers.messages import NOTIFICATION, TENANT, a_message, no, yes
from tests.providers.resend_provider import a_provider
from tests.wires.resend import Drop, Fault, Hang, Raw, Refuse, ResendWire, resend_wire


@pytest.fixture
async def wire() -> AsyncIterator[ResendWire]:
    async with resend_wire() as wire:
        yield wire


@pytest.fixture
async def provider(wire: ResendWire) -> AsyncIterator[ResendProvider]:
    provider = a_provider(wire)
    yield provider
    await provider.aclose()


async def test_a_request_says_everything_once_and_nothing_more(wire: ResendWire, provider: ResendProvider) -> None:
    message = a_message(
        from_=Mailbox("Zoë, Support", "noreply@acme.example.com"),
        to=(Mailbox("Jane", "jane@example.org"), Mailbox("Joe", "joe@example.org")),
        cc=(Mailbox(None, "cc@example.org"),),
        reply_to=(Mailbox("Help", "help@acme.example.com"),),
        subject="Ticket =?utf-8?q?x?=",
        category="tickets & more",
        headers={"References": "<a@example.org>"},
        attachments=(
            Attachment(filename="logo.png", content=b"\x89PNG" * 40, content_type="image/png", cid="logo"),
            Attachment(filename="terms.pdf", content=b"%PDF", content_type="application/octet-stream"),
        ),
    )

    receipt = await provider.send(message, yes)

    [received] = wire.accepted
    assert received.api_key == "re_test"
    assert received.idempotency_key == str(NOTIFICATION)
    assert received.headers["user-agent"].startswith("resend-python")
    assert received.mail == {
        "from": '"Zoë, Support" <noreply@acme.example.com>',
        "to": ["jane@example.org"],
        "subject": "Ticket =\u200b?utf-8?q?x?=",
        "html": "<p>Hello Jane</p>\n",
        "text": "Hello Jane\n",
        "reply_to": ['"Help" <help@acme.example.com>'],
        "headers": {
            "X-Outbound-Id": str(NOTIFICATION),
            "References": "<a@example.org>",
            "Auto-Submitted": "auto-generated",
        },
        "attachments": [
            {
                "filename": "logo.png",
                "content": base64.b64encode(b"\x89PNG" * 40).decode(),
                "content_type": "image/png",
                "content_id": "logo",
            },
            # the extension decides, because Resend drops a mail where the two disagree
            {"filename": "terms.pdf", "content": "JVBERg==", "content_type": "application/pdf"},
        ],
        "tags": [
            {"name": "tenant", "value": str(TENANT)},
            {"name": "notification", "value": str(NOTIFICATION)},
            {"name": "category", "value": "tickets-more"},
            {"name": "domain", "value": "acme-example-com"},
        ],
    }
    assert receipt.provider_message_id == "00000000-0000-4000-8000-000000000000"


async def test_requests_and_answers_follow_the_published_document(wire: ResendWire, provider: ResendProvider) -> None:
    if not wire.is_checked:
        pytest.skip("the OpenAPI document is not beside this repository")
    file = Attachment(filename="a.txt", content=b"a", content_type="text/plain")

    await provider.send(a_message(attachments=(file,), reply_to=(Mailbox(None, "help@acme.example.com"),)), yes)

    assert len(wire.accepted) == 1
    assert wire.violations == []


async def test_the_mark_is_not_asked_for(wire: ResendWire, provider: ResendProvider) -> None:
    receipt = await provider.send(a_message(), no)

    assert receipt.outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(
    ("fault", "outcome", "error"),
    [
        (Refuse(422, "validation_error", message="jane@example.org"), Outcome.PERMANENT, "validation_error"),
        (Refuse(403, "validation_error"), Outcome.MISCONFIGURED, "sender_refused"),
        (Refuse(403, "invalid_api_key"), Outcome.MISCONFIGURED, "invalid_api_key"),
        (Refuse(409, "concurrent_idempotent_requests"), Outcome.UNKNOWN, "concurrent_idempotent_requests"),
        (Refuse(429, "rate_limit_exceeded", {"retry-after": "2"}), Outcome.THROTTLED, "rate_limit_exceeded"),
        (Refuse(429, "monthly_quota_exceeded"), Outcome.NOT_SENT, "quota"),
        (Refuse(500, "internal_server_error"), Outcome.UNKNOWN, "internal_server_error"),
        (Raw(503, b"<html>", "text/html"), Outcome.UNKNOWN, "http_503"),
        (Raw(200, b"<html>", "text/html", accepted=True), Outcome.UNKNOWN, "no_id"),
        (Raw(200, b"{broken", accepted=True), Outcome.UNKNOWN, "no_id"),
        (Raw(200, b"{}", accepted=True), Outcome.UNKNOWN, "no_id"),
        (Raw(200, b"[1]", accepted=True), Outcome.UNKNOWN, "no_id"),
        (Raw(200, b'{"id": 7}', accepted=True), Outcome.UNKNOWN, "no_id"),
        (Raw(200, b"null", accepted=True), Outcome.UNKNOWN, "no_id"),
        (Raw(204, b"", accepted=True), Outcome.UNKNOWN, "no_id"),
        (Raw(200, b'{"id": ""}', accepted=True), Outcome.UNKNOWN, "no_id"),
        (Raw(200, b'{"id": "\\u0000"}', accepted=True), Outcome.UNKNOWN, "no_id"),
        # the SDK takes the status in the body for the answer's own
        (Raw(200, b'{"statusCode": 422, "name": "validation_error"}', accepted=True), Outcome.UNKNOWN, "no_id"),
        # nested too deeply, a number of too many digits, a name that cannot be a key: the SDK breaks on each
        (Raw(200, b"[" * 100_000, accepted=True), Outcome.UNKNOWN, "no_id"),
        (Raw(200, b"1" * 5000, accepted=True), Outcome.UNKNOWN, "no_id"),
        (Raw(429, b'{"name": ["rate_limit_exceeded"]}'), Outcome.THROTTLED, "http_429"),
        (Raw(307, b'{"id": "x"}'), Outcome.UNKNOWN, "http_307"),
        (Drop(), Outcome.UNKNOWN, "lost"),
        (Drop(accepted=True), Outcome.UNKNOWN, "lost"),
        (Hang(), Outcome.UNKNOWN, "timeout"),
        (Hang(accepted=True), Outcome.UNKNOWN, "timeout"),
    ],
)
async def test_a_fault_is_told_and_a_repeat_makes_it_exactly_one_mail(
    wire: ResendWire, fault: Fault, outcome: Outcome, error: str
) -> None:
    provider = a_provider(wire, timeout=timedelta(milliseconds=200 if isinstance(fault, Hang) else 5000))
    wire.once(fault)

    receipt = await provider.send(a_message(), yes)
    repeat = await provider.send(a_message(), yes)
    await provider.aclose()

    assert (receipt.outcome, receipt.error) == (outcome, error)
    assert receipt.smtp_response is None
    assert repeat.outcome is Outcome.ACCEPTED
    assert len(wire.accepted) == 1


async def test_another_body_under_the_same_key_is_refused(wire: ResendWire, provider: ResendProvider) -> None:
    await provider.send(a_message(), yes)

    receipt = await provider.send(a_message(subject="Another"), yes)

    assert (receipt.outcome, receipt.error) == (Outcome.PERMANENT, "invalid_idempotent_request")
    assert receipt.reply_code == 409


async def test_a_hundred_keys_at_once_never_mix(wire: ResendWire) -> None:
    async with httpx.AsyncClient() as client:
        providers = [a_provider(wire, client=client, api_key=f"re_{number}") for number in range(100)]

        receipts = await asyncio.gather(
            *(
                provider.send(a_message(notification_id=UUID(int=number)), yes)
                for number, provider in enumerate(providers)
            )
        )

    assert {receipt.outcome for receipt in receipts} == {Outcome.ACCEPTED}
    assert len(wire.accepted) == 100
    assert len({mail.api_key for mail in wire.accepted}) == 100
    assert all(mail.api_key == f"re_{UUID(mail.idempotency_key).int}" for mail in wire.accepted)


async def test_connections_are_kept_between_mails(wire: ResendWire, provider: ResendProvider) -> None:
    for number in range(5):
        await provider.send(a_message(notification_id=UUID(int=number)), yes)

    assert len(wire.connections) == 1


async def test_a_hundred_mails_at_once_share_a_bounded_pool(wire: ResendWire) -> None:
    provider = a_provider(wire, max_connections=8)

    for _ in range(2):  # the second round is repeats, over the same connections
        await asyncio.gather(
            *(provider.send(a_message(notification_id=UUID(int=number)), yes) for number in range(100))
        )
    await provider.aclose()

    assert len(wire.requests) == 200
    assert len(wire.accepted) == 100
    assert len(wire.connections) <= 8


async def test_without_bound_credentials_nothing_leaves(wire: ResendWire, provider: ResendProvider) -> None:
    await provider.send(a_message(), yes)  # by now the SDK's globals point at the seam
    asked = len(wire.requests)

    with pytest.raises(LookupError):
        await BoundTransport().request("post", f"{wire.base_url}/emails", {})
    with pytest.raises(resend.exceptions.ResendError):
        await resend.Emails.send_async({"from": "a@example.com", "to": "b@example.com", "subject": "s"})

    assert len(wire.requests) == asked


async def test_a_call_that_got_no_answer_does_not_keep_an_earlier_one(wire: ResendWire) -> None:
    async with httpx.AsyncClient() as client:
        with bound(Credentials("re_test", wire.base_url, client)) as call:
            await resend.Domains.list_async()
            assert call.answer is not None
            wire.once(Drop(), "GET /domains")
            with pytest.raises(resend.exceptions.ResendError):
                await resend.Domains.list_async()

    assert call.answer is None


def test_a_key_does_not_show_in_a_repr() -> None:
    credentials = Credentials(api_key="re_secret", base_url="x", client=httpx.AsyncClient())

    with bound(credentials):
        assert "re_secret" not in repr(credentials)
    assert "re_secret" not in repr(ResendConfig(api_key="re_secret"))


def test_what_is_missing_or_wrong_in_the_configuration_is_said_without_its_value() -> None:
    empty, odd = ResendProvider.from_config({}), ResendProvider.from_config({"RESEND_API_KEY": "re_ secret"})

    assert [sentence.split(" ")[0] for sentence in empty.validate_config()] == ["RESEND_API_KEY", "Neither"]
    assert odd.validate_config()[0] == "RESEND_API_KEY holds a character that no key has."


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf", "many"])
def test_a_rate_is_a_positive_number(rate: str) -> None:
    with pytest.raises(InvalidConfigError, match="RESEND_RATE_PER_SECOND"):
        ResendConfig.from_mapping({"RESEND_RATE_PER_SECOND": rate})


def test_only_verified_domains_and_the_default_may_stand_in_from() -> None:
    config = ResendConfig(
        api_key="re_x", verified_domains=frozenset({"acme.example.com"}), default_domain="ours.example"
    )
    provider = ResendProvider(config)

    assert provider.may_send_from("ACME.example.com")
    assert provider.may_send_from("ours.example")
    assert not provider.may_send_from("example.com")
    assert not provider.may_send_from("sub.acme.example.com")


def test_the_body_is_a_function_of_the_message() -> None:
    assert payload(a_message()) == payload(a_message())


@pytest.mark.parametrize(
    ("text", "value"),
    [("tickets", "tickets"), ("a.b/c", "a-b-c"), ("Zoë", "Zo"), ("…", "none"), ("x" * 300, "x" * 256)],
)
def test_a_tag_is_in_the_permitted_characters(text: str, value: str) -> None:
    assert tag_value(text) == value
