"""What every provider must do, whatever it sends with. A new one joins with one wire; capabilities say what applies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from providers.provider import Capability
from providers.receipt import Outcome
from tests.contract.far_ends import PROVIDERS, Far, far_end
from tests.providers.messages import TENANT, a_message, no, yes


@pytest.fixture(params=PROVIDERS)
async def far(request: pytest.FixtureRequest) -> AsyncIterator[Far]:
    async with far_end(request.param) as far:
        assert far.provider.name == request.param
        yield far


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
    await far.provider.send(a_message(), yes)

    await far.provider.aclose()
    await far.provider.aclose()
