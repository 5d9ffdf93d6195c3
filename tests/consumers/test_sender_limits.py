"""What keeps a mail that is at hand from its provider: the account's rate, a switch, files that are not there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from consumers.identity import Identity
from consumers.sender import Sender
from notifications.content import Enclosed, FileRef
from notifications.mail import Mail
from notifications.metrics import LineMetrics
from notifications.ports import UnavailableError
from notifications.tracing import LineTracer
from providers.choice import Choice
from providers.manager import ProviderManager
from providers.receipt import Outcome, SendReceipt
from tests.consumers.stores import KeptFiles, ScriptedAccount
from tests.consumers.test_sender import Record, SlowProvider, until
from tests.notifications.builders import ADDRESSING, NOW, RENDERED, a_mail
from tests.providers.scripted import ScriptedProvider

AWAY = UnavailableError("away")


class Scene:
    """A sender with one lane, and everything it asks."""

    def __init__(self, identity: Identity, metrics: LineMetrics) -> None:
        self.smtp = SlowProvider()
        self.resend = ScriptedProvider("resend", idempotent=True)
        self.providers = ProviderManager({"smtp": self.smtp, "resend": self.resend}, Choice("smtp", "resend"))
        self.account, self.files, self.record = ScriptedAccount(), KeptFiles(), Record()
        self.identity = identity
        self.sender = Sender(
            providers=self.providers,
            account=self.account,
            files=self.files,
            identity=identity,
            record=self.record,
            tracer=LineTracer(None),
            metrics=metrics,
            clock=lambda: NOW,
            at_once=1,
            capacity=10,
            drain_seconds=5,
        )

    def mail(self, key: str = "key", **changes: Any) -> Mail:
        content = replace(RENDERED, addressing=replace(ADDRESSING, key=key))
        return a_mail(**{"id": uuid4(), "owner": self.identity.owner, "content": content} | changes)

    async def receipts(self, count: int) -> list[SendReceipt | None]:
        await until(lambda: len(self.record.attempts) >= count)
        return [one.receipt for one in self.record.attempts]


@pytest.fixture
async def scene(identity: Identity, metrics: LineMetrics) -> AsyncIterator[Scene]:
    scene = Scene(identity, metrics)
    await scene.sender.start()
    yield scene
    scene.smtp.may_end.set()
    await scene.sender.stop()


async def test_an_account_without_a_rate_is_not_counted(scene: Scene) -> None:
    scene.smtp.may_end.set()

    scene.sender.put([scene.mail()])

    [receipt] = await scene.receipts(1)
    assert receipt is not None
    assert (receipt.outcome, scene.account.taken) == (Outcome.ACCEPTED, [])


async def test_without_a_credit_of_the_account_no_attempt_is_made(scene: Scene) -> None:
    scene.smtp.account_rate = 2.0
    scene.account.answer = timedelta(seconds=7)

    scene.sender.put([scene.mail()])

    [receipt] = await scene.receipts(1)
    assert receipt is not None
    assert (receipt.outcome, receipt.error, receipt.retry_after) == (
        Outcome.THROTTLED,
        "paused",
        timedelta(seconds=7),
    )
    assert (scene.smtp.open, scene.account.taken) == ([], [("smtp", 2.0)])


async def test_while_nobody_can_count_the_provider_itself_says_when_it_is_too_much(scene: Scene) -> None:
    scene.smtp.may_end.set()
    scene.smtp.account_rate = 2.0
    scene.account.answer = scene.account.learning_fails = AWAY
    scene.smtp.answer = {"outcome": Outcome.ACCEPTED, "account_rate": 5.0}

    scene.sender.put([scene.mail(), scene.mail("other")])

    assert [receipt and receipt.outcome for receipt in await scene.receipts(2)] == [Outcome.ACCEPTED] * 2


async def test_what_an_answer_tells_of_the_account_is_learnt(scene: Scene) -> None:
    scene.smtp.may_end.set()
    scene.smtp.answer = {"outcome": Outcome.THROTTLED, "account_rate": 5.0}

    scene.sender.put([scene.mail()])

    await scene.receipts(1)
    assert scene.account.learnt == [("smtp", 5.0)]


async def test_what_still_waits_here_when_providers_are_switched_is_chosen_anew(scene: Scene) -> None:
    is_open, chained, waits = scene.mail("a"), scene.mail("a"), scene.mail("b")
    scene.sender.put([is_open, chained, waits])
    await until(lambda: scene.smtp.open)

    scene.providers.switch(Choice("resend", "smtp"))
    scene.sender.put([late := scene.mail("c", provider="resend")])
    scene.smtp.may_end.set()

    await scene.receipts(4)
    went = {one.mail.id: one.receipt and one.receipt.provider for one in scene.record.attempts}
    assert went == {is_open.id: "smtp", chained.id: None, waits.id: None, late.id: "resend"}
    assert (scene.smtp.sent, scene.resend.sent) == (1, 1)


@pytest.mark.parametrize("bound", [{"is_pinned": True}, {"tried_at": frozenset({"resend"})}])
async def test_what_is_bound_to_its_provider_goes_there_whatever_was_switched(
    scene: Scene, bound: dict[str, Any]
) -> None:
    scene.sender.put([scene.mail("a"), scene.mail("b", **bound)])
    await until(lambda: scene.smtp.open)

    scene.providers.switch(Choice("resend"))
    scene.smtp.may_end.set()

    assert [receipt and receipt.provider for receipt in await scene.receipts(2)] == ["smtp", "smtp"]


async def test_a_switch_that_is_none_changes_nothing(scene: Scene) -> None:
    scene.sender.put([scene.mail("a"), scene.mail("b")])
    await until(lambda: scene.smtp.open)

    with pytest.raises(KeyError):
        scene.providers.switch(Choice("pigeon"))
    scene.smtp.may_end.set()

    assert [receipt and receipt.provider for receipt in await scene.receipts(2)] == ["smtp", "smtp"]


REPORT = FileRef(filename="report.pdf", content_type="application/pdf", cid=None, sha256="ab")


@pytest.mark.parametrize(
    ("error", "outcome", "name"),
    [(AWAY, Outcome.NOT_SENT, "not_begun"), (LookupError("ab"), Outcome.PERMANENT, "file_gone")],
)
async def test_a_mail_whose_files_are_not_there_is_not_begun(
    scene: Scene, error: Exception, outcome: Outcome, name: str
) -> None:
    scene.files.error = error
    mail = scene.mail()

    scene.sender.put([replace(mail, content=replace(mail.content, enclosed=Enclosed(files=(REPORT,))))])

    [receipt] = await scene.receipts(1)
    assert receipt is not None
    assert (receipt.outcome, receipt.error) == (outcome, name)
    assert scene.smtp.open == []
