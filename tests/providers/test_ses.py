"""What is SES's own: its errors, its request, its client. What all providers do is in tests/contract."""

from __future__ import annotations

import asyncio
import email
import email.policy
import logging
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from botocore.exceptions import ClientError

from outbound.email import build_providers
from outbound.settings import load
from providers.attachment import Attachment
from providers.mailbox import Mailbox
from providers.receipt import Outcome
from providers.ses import SesProvider, classify
from tests.providers.messages import NOTIFICATION, TENANT, a_message, yes
from tests.wires.ses import REGION, Drop, Fault, Hang, Raw, Refuse, SesWire, a_config, raw_mail, ses_wire

SENDER = "noreply@acme.example.com"
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
NOT_VERIFIED = "Email address is not verified. The following identities failed the check in region EU-WEST-1: "
USED_UP = "Daily message quota exceeded."
FAST = "Maximum sending rate exceeded."

ANSWERS = [
    (400, "AccountSuspendedException", "", Outcome.MISCONFIGURED, "AccountSuspendedException", None),
    (400, "BadRequestException", "Missing final '@domain'", Outcome.PERMANENT, "BadRequestException", None),
    (400, "LimitExceededException", "", Outcome.NOT_SENT, "quota", HOUR),
    (400, "MailFromDomainNotVerifiedException", "", Outcome.MISCONFIGURED, "sender_refused", None),
    (400, "MessageRejected", "it contains a virus", Outcome.PERMANENT, "MessageRejected", None),
    (400, "MessageRejected", f"{NOT_VERIFIED}NoReply@acme.example.com", Outcome.MISCONFIGURED, "sender_refused", None),
    (400, "MessageRejected", f"{NOT_VERIFIED}jane@example.org", Outcome.MISCONFIGURED, "sandbox", None),
    (404, "NotFoundException", "Configuration set <x>", Outcome.MISCONFIGURED, "NotFoundException", None),
    (400, "SendingPausedException", "", Outcome.MISCONFIGURED, "SendingPausedException", None),
    (429, "TooManyRequestsException", "", Outcome.THROTTLED, "TooManyRequestsException", SECOND),
    (400, "ThrottlingException", FAST, Outcome.THROTTLED, "ThrottlingException", SECOND),
    (400, "Throttling", USED_UP, Outcome.NOT_SENT, "quota", HOUR),
    (429, "TooManyRequestsException", USED_UP, Outcome.NOT_SENT, "quota", HOUR),
    (403, "AccessDeniedException", "", Outcome.MISCONFIGURED, "AccessDeniedException", None),
    (403, "ExpiredTokenException", "", Outcome.MISCONFIGURED, "ExpiredTokenException", None),
    (403, "InvalidClientTokenId", "", Outcome.MISCONFIGURED, "InvalidClientTokenId", None),
    (403, "InvalidSignatureException", "", Outcome.MISCONFIGURED, "InvalidSignatureException", None),
    (403, "SignatureDoesNotMatch", "", Outcome.MISCONFIGURED, "SignatureDoesNotMatch", None),
    (403, "UnrecognizedClientException", "", Outcome.MISCONFIGURED, "UnrecognizedClientException", None),
    (403, "SomethingNewAboutUs", "", Outcome.MISCONFIGURED, "http_403", None),
    (400, "SomethingNew", "", Outcome.UNKNOWN, "http_400", None),
    (409, "ConflictException", "", Outcome.UNKNOWN, "http_409", None),
    (413, "413", "<html>", Outcome.PERMANENT, "http_413", None),
    (429, "429", "<html>", Outcome.THROTTLED, "http_429", SECOND),
    (404, "404", "<html>", Outcome.UNKNOWN, "http_404", None),
    (500, "InternalServiceErrorException", "", Outcome.UNKNOWN, "http_500", None),
    (500, "InternalFailure", "", Outcome.UNKNOWN, "http_500", None),
    (503, "ServiceUnavailable", "", Outcome.UNKNOWN, "http_503", None),
]


@pytest.fixture
async def wire() -> AsyncIterator[SesWire]:
    async with ses_wire() as wire:
        yield wire


@pytest.fixture
async def provider(wire: SesWire) -> AsyncIterator[SesProvider]:
    provider = SesProvider(a_config(wire))
    yield provider
    await provider.aclose()


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave botocore no place where it could find credentials or a region."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("BOTO_CONFIG", str(tmp_path / "none"))


def an_answer(status: int, code: str, text: str, operation: str = "SendEmail") -> ClientError:
    """An error as botocore raises it."""
    answer: Any = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)


@pytest.mark.parametrize(("status", "code", "text", "outcome", "error", "retry_after"), ANSWERS)
def test_an_answer_says_what_to_do(
    status: int, code: str, text: str, outcome: Outcome, error: str, retry_after: timedelta | None
) -> None:
    verdict = classify(an_answer(status, code, text), SENDER)

    assert (verdict.outcome, verdict.error, verdict.retry_after) == (outcome, error, retry_after)
    assert verdict.status == status
    assert verdict.response == f"{status} {code}: {text}"


def test_an_answer_to_the_search_for_credentials_is_no_answer_to_the_mail() -> None:
    verdict = classify(an_answer(400, "SomethingNew", "", operation="AssumeRole"), SENDER)

    assert (verdict.outcome, verdict.error) == (Outcome.MISCONFIGURED, "not_ready")


def test_a_long_answer_is_cut() -> None:
    assert len(classify(an_answer(400, "MessageRejected", "x" * 5000), SENDER).response or "") == 1000


@pytest.mark.parametrize(
    ("fault", "outcome", "error", "arrived"),
    [
        (Refuse(400, "MessageRejected"), Outcome.PERMANENT, "MessageRejected", 0),
        (Refuse(429, "TooManyRequestsException"), Outcome.THROTTLED, "TooManyRequestsException", 0),
        (Refuse(500, "InternalServiceErrorException"), Outcome.UNKNOWN, "http_500", 0),
        (Raw(503, b"<html>", "text/html"), Outcome.UNKNOWN, "http_503", 0),
        (Raw(200, b"<html>", "text/html", accepted=True), Outcome.UNKNOWN, "no_id", 1),
        (Raw(200, b"{}", accepted=True), Outcome.UNKNOWN, "no_id", 1),
        (Raw(200, b"[1]", accepted=True), Outcome.UNKNOWN, "unreadable_answer", 1),
        (Raw(200, b"\xff\xfe", accepted=True), Outcome.UNKNOWN, "unreadable_answer", 1),
        (Raw(200, b"", accepted=True), Outcome.UNKNOWN, "no_id", 1),
        (Drop(), Outcome.UNKNOWN, "lost", 0),
        (Drop(accepted=True), Outcome.UNKNOWN, "lost", 1),
        (Drop(reset=True), Outcome.UNKNOWN, "lost", 0),
        (Drop(accepted=True, reset=True), Outcome.UNKNOWN, "lost", 1),
        (Hang(), Outcome.UNKNOWN, "timeout", 0),
    ],
)
async def test_a_fault_is_told_after_one_request_and_no_other(
    wire: SesWire, fault: Fault, outcome: Outcome, error: str, arrived: int
) -> None:
    provider = SesProvider(a_config(wire, read_timeout=timedelta(milliseconds=300 if fault == Hang() else 5000)))
    wire.once(fault)

    receipt = await provider.send(a_message(), yes)
    await provider.aclose()

    assert (receipt.outcome, receipt.error) == (outcome, error)
    assert len(wire.requests) == 1
    assert len(wire.accepted) == arrived


async def test_wrong_credentials_are_ours_to_mend_as_moto_says_it(wire: SesWire, provider: SesProvider) -> None:
    from moto.core.authorization import enable_iam_authentication  # noqa: PLC0415 -- seconds, and the wire's by now

    with enable_iam_authentication():
        receipt = await provider.send(a_message(), yes)

    assert (receipt.outcome, receipt.reply_code) == (Outcome.MISCONFIGURED, 403)
    assert wire.accepted == []


async def test_the_request_holds_the_mail_its_one_recipient_and_the_correlation_tags(wire: SesWire) -> None:
    provider = SesProvider(a_config(wire, configuration_set="main"))
    message = a_message(
        from_=Mailbox("Zoë, Support", SENDER),
        to=(Mailbox("Jane Doe", "jane@example.org"), Mailbox(None, "shown@example.org")),
        cc=(Mailbox(None, "copy@example.org"),),
        category="billing & more",
        attachments=(
            Attachment(filename="a.pdf", content=b"%PDF", content_type="application/pdf"),
            Attachment(filename="i.png", content=b"\x89PNG", content_type="image/png", cid="logo"),
        ),
    )
    await provider.send(message, yes)
    await provider.aclose()

    [request] = wire.requests
    mail = email.message_from_bytes(raw_mail(request), policy=email.policy.default)
    assert request["Destination"] == {"ToAddresses": ["jane@example.org"]}
    assert request["ConfigurationSetName"] == "main"
    assert request["FromEmailAddress"] == "=?utf-8?b?Wm/DqywgU3VwcG9ydA==?= <noreply@acme.example.com>"
    assert str(mail["From"]) == '"Zoë, Support" <noreply@acme.example.com>'
    assert {tag["Name"]: tag["Value"] for tag in request["EmailTags"]} == {
        "tenant": str(TENANT),
        "notification": str(NOTIFICATION),
        "category": "billing-more",
        "domain": "acme-example-com",
    }
    assert [part.get_filename() for part in mail.walk() if part.get_filename()] == ["i.png", "a.pdf"]


async def test_variables_alone_put_it_to_use(wire: SesWire) -> None:
    words = {
        "EMAIL_ENABLE": "true",
        "EMAIL_PROVIDER": "ses",
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "SES_ENDPOINT_URL": wire.url,
        "SES_VERIFIED_DOMAINS": "acme.example.com",
    }
    manager = build_providers(load(overrides=words))

    receipt = await manager.send("ses", a_message(), yes)
    await manager.aclose()

    assert receipt.outcome is Outcome.ACCEPTED
    assert len(wire.accepted) == 1


async def test_connections_are_kept_between_mails(wire: SesWire, provider: SesProvider) -> None:
    for number in range(5):
        await provider.send(a_message(notification_id=UUID(int=number)), yes)

    assert len(wire.connections) == 1


async def test_the_first_mails_may_come_at_once_and_a_closed_provider_opens_again(
    wire: SesWire, provider: SesProvider
) -> None:
    await asyncio.gather(*(provider.send(a_message(notification_id=UUID(int=number)), yes) for number in range(5)))
    await provider.aclose()
    receipt = await provider.send(a_message(), yes)

    assert receipt.outcome is Outcome.ACCEPTED
    assert len(wire.accepted) == 6


@pytest.mark.usefixtures("nobody")
async def test_without_credentials_or_region_nothing_is_begun_and_what_comes_later_is_used(
    wire: SesWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[bool] = []

    async def begin() -> bool:
        begun.append(True)
        return True

    nowhere = SesProvider(a_config(wire, region=""))
    nobody = SesProvider(a_config(wire, access_key_id=None, secret_access_key=None))
    receipts = [await provider.send(a_message(), begin) for provider in (nowhere, nobody)]
    healthy = [await provider.is_healthy() for provider in (nowhere, nobody)]

    assert [(receipt.outcome, receipt.error) for receipt in receipts] == [(Outcome.MISCONFIGURED, "not_ready")] * 2
    assert (healthy, begun, wire.requests) == ([False, False], [], [])

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    receipt = await nobody.send(a_message(), begin)
    await nobody.aclose()

    assert receipt.outcome is Outcome.ACCEPTED


async def test_health_is_that_of_the_account_and_tells_its_rate(wire: SesWire, provider: SesProvider) -> None:
    configured = SesProvider(a_config(wire, rate_per_second=3.0))
    assert provider.account_rate is None
    assert await provider.is_healthy()
    assert await configured.is_healthy()
    assert (provider.account_rate, configured.account_rate) == (14.0, 3.0)

    wire.account = {"SendingEnabled": False}
    assert not await provider.is_healthy()
    wire.account_fault = Refuse(403, "UnrecognizedClientException")
    assert not await provider.is_healthy()
    wire.account_fault = Refuse(403, "AccessDeniedException", "not authorized to perform: ses:GetAccount")
    assert await provider.is_healthy()
    await configured.aclose()


async def test_botocore_s_own_log_tells_nothing_of_a_mail(
    wire: SesWire, provider: SesProvider, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        for name in ("aiobotocore", "botocore"):
            logging.getLogger(name).setLevel(logging.NOTSET)
        await provider.send(a_message(), yes)

    assert len(wire.accepted) == 1
    assert "jane@" not in caplog.text
    assert "Authorization" not in caplog.text
