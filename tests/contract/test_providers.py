"""What every provider must do, whatever it sends with. A new one joins with one wire; capabilities say what applies."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Protocol
from uuid import UUID

import pytest

from providers.provider import Capability, EmailProvider
from providers.receipt import Outcome
from providers.recording import RecordingProvider
from providers.resend import ResendConfig, ResendProvider
from providers.resend.payload import payload
from providers.smtp import SmtpConfig, SmtpProvider
from tests.providers.messages import NOTIFICATION, TENANT, a_message, no, yes
from tests.wires import resend as resend_wires
from tests.wires import smtp as smtp_wires

SHORT = timedelta(milliseconds=300)


class Far(Protocol):
    """The far end, as the suite needs it."""

    provider: EmailProvider

    def delivered(self) -> list[bytes]:
        """What arrived, as bytes, each mail once per time it would reach the inbox."""

    def refuse_for_good(self) -> None: ...
    def refuse_for_now(self) -> None: ...
    def lose_the_reply(self) -> None: ...
    def hang(self) -> None: ...
    def heal(self) -> None: ...
    def unplugged(self) -> EmailProvider | None:
        """The same provider where nothing listens; None if it needs no network."""


class SmtpFar:
    def __init__(self, wire: smtp_wires.SmtpWire) -> None:
        self.wire = wire
        self.provider = self._provider(wire.port)

    def _provider(self, port: int) -> SmtpProvider:
        return SmtpProvider(
            SmtpConfig(
                hostname="127.0.0.1",
                port=port,
                tls="none",
                connect_timeout=timedelta(seconds=5),
                command_timeout=timedelta(seconds=5),
                data_timeout=SHORT,
            )
        )

    def delivered(self) -> list[bytes]:
        return [received.content for received in self.wire.accepted]

    def refuse_for_good(self) -> None:
        self.wire.at(smtp_wires.Step.RCPT, smtp_wires.Answer("550 5.7.1 not from you"))

    def refuse_for_now(self) -> None:
        self.wire.at(smtp_wires.Step.RCPT, smtp_wires.Answer("450 4.2.0 come back later"))

    def lose_the_reply(self) -> None:
        self.wire.once(smtp_wires.Step.DOT, smtp_wires.Drop(accepted=True))

    def hang(self) -> None:
        self.wire.at(smtp_wires.Step.DOT, smtp_wires.Hang())

    def heal(self) -> None:
        self.wire.heal()

    def unplugged(self) -> EmailProvider:
        return self._provider(free_port())


class ResendFar:
    def __init__(self, wire: resend_wires.ResendWire) -> None:
        self.wire = wire
        self.provider = self._provider(wire.base_url)

    def _provider(self, base_url: str) -> ResendProvider:
        return ResendProvider(
            ResendConfig(
                api_key="re_test", base_url=base_url, timeout=SHORT, verified_domains=frozenset({"acme.example.com"})
            )
        )

    def delivered(self) -> list[bytes]:
        return [received.body for received in self.wire.accepted]

    def refuse_for_good(self) -> None:
        self.wire.always(resend_wires.Refuse(422, "validation_error"))

    def refuse_for_now(self) -> None:
        pytest.skip("Resend takes every valid mail and tries again by itself")

    def lose_the_reply(self) -> None:
        self.wire.once(resend_wires.Drop(accepted=True))

    def hang(self) -> None:
        self.wire.always(resend_wires.Hang())

    def heal(self) -> None:
        self.wire.heal()

    def unplugged(self) -> EmailProvider:
        return self._provider(f"http://127.0.0.1:{free_port()}")


class RecordingFar:
    def __init__(self) -> None:
        self.recorder = RecordingProvider()
        self.provider = self.recorder

    def delivered(self) -> list[bytes]:
        return [repr(payload(message)).encode() for message in self.recorder.accepted]

    def refuse_for_good(self) -> None:
        self.recorder.answer = Outcome.PERMANENT

    def refuse_for_now(self) -> None:
        self.recorder.answer = Outcome.TEMPORARY

    def lose_the_reply(self) -> None:
        pytest.skip("memory does not lose replies")

    def hang(self) -> None:
        pytest.skip("memory does not hang")

    def heal(self) -> None:
        self.recorder.answer = Outcome.ACCEPTED

    def unplugged(self) -> None:
        return None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(params=["smtp", "resend", "recording"])
async def far(request: pytest.FixtureRequest) -> AsyncIterator[Far]:
    async with AsyncExitStack() as stack:
        if request.param == "smtp":
            far: Far = SmtpFar(await stack.enter_async_context(smtp_wires.smtp_wire()))
        elif request.param == "resend":
            far = ResendFar(await stack.enter_async_context(resend_wires.resend_wire()))
        else:
            far = RecordingFar()
        assert far.provider.name == request.param
        yield far
        await far.provider.aclose()


async def test_a_mail_is_accepted_and_arrives_once(far: Far) -> None:
    receipt = await far.provider.send(a_message(tags=("spring",)), yes)

    assert receipt.outcome is Outcome.ACCEPTED
    assert (receipt.provider, receipt.tenant_id, receipt.from_domain, receipt.tags) == (
        far.provider.name,
        TENANT,
        "acme.example.com",
        ("spring",),
    )
    assert receipt.error is None
    assert receipt.provider_message_id
    assert receipt.timestamp.tzinfo is not None
    [content] = far.delivered()
    assert b"Ticket 42 was updated" in content


async def test_many_mails_at_once_all_arrive(far: Far) -> None:
    messages = [a_message(notification_id=UUID(int=number)) for number in range(1, 41)]

    receipts = await asyncio.gather(*(far.provider.send(message, yes) for message in messages))

    assert {receipt.outcome for receipt in receipts} == {Outcome.ACCEPTED}
    assert len(far.delivered()) == 40
    assert all(any(str(message.notification_id).encode() in mail for mail in far.delivered()) for message in messages)


async def test_letters_of_every_alphabet_arrive(far: Far) -> None:
    receipt = await far.provider.send(a_message(subject="Ключ 鍵 🔑", html=None, text="Grüße, 鍵"), yes)

    assert receipt.outcome is Outcome.ACCEPTED
    assert len(far.delivered()) == 1


async def test_the_same_message_twice_is_the_same_bytes(far: Far) -> None:
    await far.provider.send(a_message(), yes)
    await far.provider.send(a_message(), yes)

    if Capability.IDEMPOTENCY in far.provider.capabilities:
        assert len(far.delivered()) == 1
    else:
        [first, second] = far.delivered()
        assert first == second


async def test_a_permanent_refusal_is_told_as_one(far: Far) -> None:
    far.refuse_for_good()

    receipt = await far.provider.send(a_message(), yes)

    assert receipt.outcome is Outcome.PERMANENT
    assert receipt.error
    assert far.delivered() == []


async def test_a_temporary_refusal_is_told_as_one_and_the_next_mail_goes_through(far: Far) -> None:
    far.refuse_for_now()
    receipt = await far.provider.send(a_message(), yes)
    far.heal()

    assert receipt.outcome is Outcome.TEMPORARY
    assert (await far.provider.send(a_message(), yes)).outcome is Outcome.ACCEPTED
    assert len(far.delivered()) == 1


async def test_where_nothing_listens_nothing_is_sent(far: Far) -> None:
    provider = far.unplugged()
    if provider is None:
        pytest.skip("needs no network")

    receipt = await provider.send(a_message(), yes)
    healthy = await provider.is_healthy()
    await provider.aclose()

    assert receipt.outcome is Outcome.NOT_SENT
    assert not healthy


async def test_a_lost_reply_is_unknown_and_not_called_a_failure(far: Far) -> None:
    far.lose_the_reply()

    receipt = await far.provider.send(a_message(), yes)

    assert receipt.outcome is Outcome.UNKNOWN
    assert receipt.error
    assert len(far.delivered()) == 1


async def test_a_repeat_after_a_lost_reply_is_one_mail_where_the_provider_promises_it(far: Far) -> None:
    if Capability.IDEMPOTENCY not in far.provider.capabilities:
        pytest.skip("the provider promises nothing of the kind")
    far.lose_the_reply()
    await far.provider.send(a_message(), yes)

    receipt = await far.provider.send(a_message(), yes)

    assert receipt.outcome is Outcome.ACCEPTED
    assert len(far.delivered()) == 1


async def test_a_far_end_that_hangs_ends_the_attempt_as_unknown(far: Far) -> None:
    far.hang()

    async with asyncio.timeout(10):
        receipt = await far.provider.send(a_message(), yes)

    assert receipt.outcome is Outcome.UNKNOWN
    assert receipt.error is not None
    assert receipt.error.endswith("timeout")


async def test_a_refused_mark_stops_a_provider_that_cannot_repeat(far: Far) -> None:
    if Capability.IDEMPOTENCY in far.provider.capabilities:
        pytest.skip("the provider needs no mark")

    receipt = await far.provider.send(a_message(), no)

    assert (receipt.outcome, receipt.error) == (Outcome.NOT_SENT, "not_begun")
    assert far.delivered() == []
    assert (await far.provider.send(a_message(), yes)).outcome is Outcome.ACCEPTED


async def test_the_far_end_is_asked_for_its_health_without_a_mail(far: Far) -> None:
    assert await far.provider.is_healthy()
    assert far.delivered() == []


async def test_a_complete_configuration_has_no_problems(far: Far) -> None:
    assert far.provider.validate_config() == []
    assert far.provider.may_send_from("acme.example.com")


async def test_closing_twice_is_closing_once(far: Far) -> None:
    await far.provider.send(replace(a_message(), notification_id=NOTIFICATION), yes)

    await far.provider.aclose()
    await far.provider.aclose()
