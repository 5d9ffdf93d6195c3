"""Choosing a provider, and making one attempt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode

from providers.choice import Choice
from providers.manager import ProviderManager
from providers.provider import Begin
from providers.receipt import Outcome
from tests.providers.messages import NOTIFICATION, a_message, no, yes
from tests.providers.scripted import NOW, Clock, ScriptedProvider


class KeptSpans(SpanExporter):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def first() -> ScriptedProvider:
    return ScriptedProvider("first")


@pytest.fixture
def second() -> ScriptedProvider:
    return ScriptedProvider("second", idempotent=True)


@pytest.fixture
def manager(first: ScriptedProvider, second: ScriptedProvider, clock: Clock) -> ProviderManager:
    return ProviderManager({"first": first, "second": second}, Choice("first", "second"), now=clock)


async def test_an_attempt_is_one_attempt_at_one_provider(
    manager: ProviderManager, first: ScriptedProvider, second: ScriptedProvider
) -> None:
    first.answer = {"outcome": Outcome.NOT_SENT, "error": "connect_failed"}

    receipt = await manager.send("first", a_message(), yes)

    assert (receipt.provider, receipt.outcome) == ("first", Outcome.NOT_SENT)
    assert (first.sent, second.sent) == (1, 0)


def test_a_switch_takes_effect_at_once_and_an_impossible_one_not_at_all(manager: ProviderManager) -> None:
    manager.switch(Choice("second", "first"))

    for impossible in (Choice("pigeon"), Choice("first", "pigeon"), Choice("first", "second", {"pigeon": 10})):
        with pytest.raises(KeyError):
            manager.switch(impossible)
    assert manager.choice == Choice("second", "first")


def test_a_provider_is_known_by_its_name(manager: ProviderManager, first: ScriptedProvider) -> None:
    assert manager.get("first") is first
    assert (manager.is_known("first"), manager.is_known("pigeon")) == (True, False)
    assert (manager.is_idempotent("first"), manager.is_idempotent("second")) == (False, True)
    with pytest.raises(KeyError):
        manager.get("pigeon")


def test_a_provider_that_was_not_in_use_is_made_once_when_it_is_first_asked_for(first: ScriptedProvider) -> None:
    asked: list[str] = []
    third = ScriptedProvider("third")

    def find(name: str) -> ScriptedProvider | None:
        asked.append(name)
        return third if name == "third" else None

    manager = ProviderManager({"first": first}, Choice("first"), find=find)
    manager.switch(Choice("third", "first"))
    known = [manager.is_known(name) for name in ("third", "pigeon", "third", "pigeon")]

    assert manager.get("third") is third
    assert known == [True, False, True, False]
    assert asked == ["third", "pigeon"]


@pytest.mark.parametrize(
    ("name", "asks", "begin", "outcome"),
    [
        ("first", False, yes, Outcome.NOT_SENT),
        ("first", True, no, Outcome.NOT_SENT),
        ("first", True, yes, Outcome.UNKNOWN),
        ("second", False, yes, Outcome.UNKNOWN),
    ],
)
@pytest.mark.parametrize(
    ("answer", "error"), [(RuntimeError("jane@example.org"), "provider_error"), (None, "attempt_timeout")]
)
async def test_a_broken_provider_is_told_by_whether_the_mail_may_have_left(
    clock: Clock, *, name: str, asks: bool, begin: Begin, outcome: Outcome, answer: Exception | None, error: str
) -> None:
    providers = {"first": ScriptedProvider("first"), "second": ScriptedProvider("second", idempotent=True)}
    manager = ProviderManager(
        providers, Choice("first", "second"), attempt_timeout=timedelta(milliseconds=50), now=clock
    )
    providers[name].asks, providers[name].answer = asks, answer

    with structlog.testing.capture_logs() as logged:
        receipt = await manager.send(name, a_message(), begin)

    assert (receipt.provider, receipt.outcome, receipt.error) == (name, outcome, error)
    assert receipt.timestamp == NOW
    assert "jane@example.org" not in str(logged)
    assert [line["event"] for line in logged] == (["provider.broke_its_contract"] if answer is not None else [])


async def test_closing_closes_all_of_them_also_after_one_that_fails(clock: Clock) -> None:
    class Stuck(ScriptedProvider):
        async def aclose(self) -> None:
            raise OSError

    last = ScriptedProvider("last")
    manager = ProviderManager({"stuck": Stuck("stuck"), "last": last}, Choice("last"), now=clock)

    with structlog.testing.capture_logs() as logged:
        await manager.aclose()

    assert last.closed
    assert [(line["event"], line["provider"]) for line in logged] == [("provider.close_failed", "stuck")]


async def test_an_attempt_is_a_client_span_without_addresses(first: ScriptedProvider) -> None:
    kept, spans = KeptSpans(), TracerProvider()
    spans.add_span_processor(SimpleSpanProcessor(kept))
    manager = ProviderManager({"first": first}, Choice("first"), tracer=spans.get_tracer("outbound.providers"))

    await manager.send("first", a_message(), yes)
    first.answer = {"outcome": Outcome.PERMANENT, "error": "recipient_refused", "smtp_response": "550 jane@example.org"}
    await manager.send("first", a_message(), yes)
    first.answer = RuntimeError("jane@example.org")
    await manager.send("first", a_message(), yes)
    spans.shutdown()

    [good, refused, broken] = kept.spans
    assert (good.name, good.kind, good.status.status_code) == ("send first", SpanKind.CLIENT, StatusCode.UNSET)
    assert good.attributes == {
        "outbound.provider": "first",
        "outbound.notification_id": str(NOTIFICATION),
        "outbound.outcome": "accepted",
    }
    assert refused.attributes is not None
    assert refused.attributes["error.type"] == "recipient_refused"
    assert refused.status.status_code is StatusCode.ERROR
    assert all("jane@example.org" not in span.to_json() for span in kept.spans)
    assert broken.events == ()
