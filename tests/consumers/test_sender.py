"""Mails from memory: many at once, one at a time of a key, and none dropped on the way out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from consumers.identity import Identity
from consumers.sender import Sender
from notifications.mail import Mail
from notifications.metrics import LineMetrics
from notifications.outcome import Attempted
from notifications.tracing import LineTracer
from providers.choice import Choice
from providers.manager import ProviderManager
from providers.message import OutboundMessage
from providers.provider import Begin
from providers.receipt import Outcome, SendReceipt
from tests.consumers.stores import KeptFiles, ScriptedAccount
from tests.notifications.builders import ADDRESSING, NOW, RENDERED, a_mail
from tests.providers.scripted import ScriptedProvider

AT_ONCE = 3


class SlowProvider(ScriptedProvider):
    """Holds every attempt until it is let go, and knows which are open."""

    def __init__(self) -> None:
        super().__init__("smtp")
        self.may_end = asyncio.Event()
        self.open: list[UUID] = []
        self.ended: list[UUID] = []
        self.most = 0

    async def send(self, message: OutboundMessage, begin: Begin) -> SendReceipt:
        self.open.append(message.notification_id)
        self.most = max(self.most, len(self.open))
        await self.may_end.wait()
        receipt = await super().send(message, begin)
        self.open.remove(message.notification_id)
        self.ended.append(message.notification_id)
        return receipt


class Record:
    """Keeps finished attempts."""

    def __init__(self) -> None:
        self.attempts: list[Attempted] = []

    def put(self, attempted: Attempted) -> None:
        self.attempts.append(attempted)

    def outcomes(self) -> list[Outcome | None]:
        return [one.receipt.outcome if one.receipt else None for one in self.attempts]


@pytest.fixture
def provider() -> SlowProvider:
    return SlowProvider()


@pytest.fixture
def record() -> Record:
    return Record()


@pytest.fixture
def providers(provider: SlowProvider) -> ProviderManager:
    return ProviderManager({"smtp": provider, "resend": ScriptedProvider("resend", idempotent=True)}, Choice("smtp"))


@pytest.fixture
def account() -> ScriptedAccount:
    return ScriptedAccount()


@pytest.fixture
def files() -> KeptFiles:
    return KeptFiles()


@pytest.fixture
async def sender(
    identity: Identity,
    provider: SlowProvider,
    providers: ProviderManager,
    account: ScriptedAccount,
    files: KeptFiles,
    record: Record,
    metrics: LineMetrics,
) -> AsyncIterator[Sender]:
    sender = Sender(
        providers=providers,
        account=account,
        files=files,
        identity=identity,
        record=record,
        tracer=LineTracer(None),
        metrics=metrics,
        clock=lambda: NOW,
        at_once=AT_ONCE,
        capacity=10,
        drain_seconds=5,
    )
    await sender.start()
    yield sender
    provider.may_end.set()
    await sender.stop()


def mails(identity: Identity, count: int, *, key: str | None = None, **changes: Any) -> list[Mail]:
    """Mails of this epoch, each with a key of its own unless one is given."""
    return [
        a_mail(
            id=uuid4(),
            owner=identity.owner,
            content=replace(RENDERED, addressing=replace(ADDRESSING, key=key or f"key-{number}")),
            **changes,
        )
        for number in range(count)
    ]


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - of what a lane does, no event tells
            await asyncio.sleep(0.005)


async def test_many_are_sent_at_once_and_no_more_than_allowed(
    sender: Sender, provider: SlowProvider, record: Record, identity: Identity
) -> None:
    sender.put(mails(identity, 7))
    await until(lambda: len(provider.open) == AT_ONCE)
    held = sender.free()

    provider.may_end.set()
    await until(lambda: len(record.attempts) == 7)

    assert (held, sender.free(), provider.most) == (3, 10, AT_ONCE)
    assert record.outcomes() == [Outcome.ACCEPTED] * 7


async def test_mails_of_one_key_go_one_after_the_other_in_their_order(
    sender: Sender, provider: SlowProvider, record: Record, identity: Identity
) -> None:
    chained, other = mails(identity, 4, key="ticket/42"), mails(identity, 1)
    sender.put([*chained, *other])
    await until(lambda: len(provider.open) == 2)

    provider.may_end.set()
    await until(lambda: len(record.attempts) == 5)

    assert provider.most == 2
    assert [id_ for id_ in provider.ended if id_ != other[0].id] == [mail.id for mail in chained]


async def test_new_mail_finds_no_room_while_what_is_due_waits(sender: Sender, identity: Identity) -> None:
    sender.put(mails(identity, 4))
    sender.is_behind = True

    assert (sender.room(), sender.free()) == (0, 6)
    sender.is_behind = False
    assert sender.room() == 6


async def test_who_waits_for_room_gets_it_when_a_mail_is_done(
    sender: Sender, provider: SlowProvider, identity: Identity
) -> None:
    sender.put(mails(identity, 10))
    waiting = asyncio.create_task(sender.wait_for_room(4))
    await until(lambda: len(provider.open) == AT_ONCE)
    assert not waiting.done()

    provider.may_end.set()

    async with asyncio.timeout(5):
        await waiting
    assert sender.free() >= 4


async def test_on_the_way_out_what_is_open_ends_and_the_rest_is_handed_back(
    sender: Sender, provider: SlowProvider, record: Record, identity: Identity
) -> None:
    sender.put([*mails(identity, 5), *mails(identity, 3, key="ticket/42")])
    await until(lambda: len(provider.open) == AT_ONCE)

    stopping = asyncio.create_task(sender.stop())
    await until(lambda: sender.free() == 0)
    provider.may_end.set()
    await stopping

    assert sorted(record.outcomes(), key=str) == [None] * 5 + [Outcome.ACCEPTED] * AT_ONCE
    assert len({one.mail.id for one in record.attempts}) == 8


async def test_a_drain_that_takes_too_long_ends_and_the_sender_goes_on(
    sender: Sender, provider: SlowProvider, record: Record, identity: Identity
) -> None:
    sender.put(mails(identity, 1))
    await until(lambda: provider.open)

    await sender.drain(0.05)
    provider.may_end.set()
    sender.put(mails(identity, 1))
    await until(lambda: len(record.attempts) == 2)

    assert record.outcomes() == [Outcome.ACCEPTED] * 2


async def test_a_mail_of_an_epoch_that_ended_is_handed_back_unopened(
    sender: Sender, provider: SlowProvider, record: Record, identity: Identity
) -> None:
    [mail] = mails(identity, 1)

    sender.put([replace(mail, owner=identity.owner - 1)])
    await until(lambda: record.attempts)

    assert (record.outcomes(), provider.sent) == ([None], 0)


async def test_a_mail_that_cannot_be_a_message_is_refused_and_the_next_one_goes(
    sender: Sender, provider: SlowProvider, record: Record, identity: Identity
) -> None:
    provider.may_end.set()
    bad, good = mails(identity, 2, key="ticket/42")
    bad = replace(bad, mail_from="not an address")

    sender.put([bad, good])
    await until(lambda: len(record.attempts) == 2)

    refused = record.attempts[0].receipt
    assert refused is not None
    assert (refused.outcome, refused.error) == (Outcome.PERMANENT, "invalid_message")
    assert record.outcomes()[1] is Outcome.ACCEPTED


async def test_while_the_heart_does_not_beat_nothing_is_opened(
    sender: Sender, provider: SlowProvider, record: Record, identity: Identity
) -> None:
    provider.may_end.set()
    beat_at, identity._beat_at = identity._beat_at, float("-inf")

    sender.put(mails(identity, 1))
    await asyncio.sleep(0.1)
    before = provider.sent
    identity._beat_at = beat_at
    await until(lambda: record.attempts)

    assert before == 0
    assert record.outcomes() == [Outcome.ACCEPTED]
