"""Choosing a provider, and making one attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode

from providers.manager import ProviderManager
from providers.message import OutboundMessage
from providers.provider import Begin, Capability
from providers.receipt import Outcome, SendReceipt
from tests.providers.messages import NOTIFICATION, a_message, no, yes

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
DOMAIN = "acme.example.com"


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class ScriptedProvider:
    """Answers as told: receipts, exceptions, or waiting for ever."""

    def __init__(self, name: str, *, idempotent: bool = False, domains: frozenset[str] = frozenset()) -> None:
        self.name = name
        self.capabilities = frozenset({Capability.IDEMPOTENCY}) if idempotent else frozenset[Capability]()
        self.answer: dict[str, Any] | Exception | None = {"outcome": Outcome.ACCEPTED}
        self.asks = True
        self.closed = False
        self.sent = 0
        self._domains = domains

    def validate_config(self) -> list[str]:
        return []

    def may_send_from(self, domain: str) -> bool:
        return not self._domains or domain in self._domains

    async def send(self, message: OutboundMessage, begin: Begin) -> SendReceipt:
        self.sent += 1
        if self.asks:
            await begin()
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            await asyncio.get_running_loop().create_future()
        return SendReceipt(
            provider=self.name,
            timestamp=NOW,
            tenant_id=message.tenant_id,
            from_domain=message.from_.domain,
            **(self.answer or {}),
        )

    async def is_healthy(self) -> bool:
        return True

    async def aclose(self) -> None:
        self.closed = True


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
    return ProviderManager({"first": first, "second": second}, "first", "second", now=clock)


async def fail(manager: ProviderManager, name: str, times: int) -> None:
    for _ in range(times):
        await manager.send(name, a_message(), yes)


async def test_the_primary_is_chosen_while_it_works(manager: ProviderManager) -> None:
    assert manager.choose(from_domain=DOMAIN) == "first"
    assert manager.other("first", DOMAIN) == "second"
    assert manager.other("second", DOMAIN) == "first"


async def test_an_attempt_is_one_attempt_at_one_provider(
    manager: ProviderManager, first: ScriptedProvider, second: ScriptedProvider
) -> None:
    first.answer = {"outcome": Outcome.NOT_SENT, "error": "connect_failed"}

    receipt = await manager.send("first", a_message(), yes)

    assert (receipt.provider, receipt.outcome) == ("first", Outcome.NOT_SENT)
    assert (first.sent, second.sent) == (1, 0)


@pytest.mark.parametrize("outcome", [Outcome.NOT_SENT, Outcome.MISCONFIGURED])
async def test_five_failures_in_a_row_open_the_breaker_for_half_a_minute(
    manager: ProviderManager, first: ScriptedProvider, clock: Clock, outcome: Outcome
) -> None:
    first.answer = {"outcome": outcome, "error": "broken"}

    await fail(manager, "first", 4)
    assert manager.choose(from_domain=DOMAIN) == "first"
    await fail(manager, "first", 1)
    assert manager.choose(from_domain=DOMAIN) == "second"
    assert manager.other("second", DOMAIN) is None
    clock.advance(29)
    assert manager.choose(from_domain=DOMAIN) == "second"
    clock.advance(1)
    assert manager.choose(from_domain=DOMAIN) == "first"


async def test_a_success_in_between_starts_the_count_again(manager: ProviderManager, first: ScriptedProvider) -> None:
    for answer in (Outcome.ACCEPTED, Outcome.PERMANENT, Outcome.TEMPORARY):
        first.answer = {"outcome": Outcome.NOT_SENT, "error": "broken"}
        await fail(manager, "first", 4)
        first.answer = {"outcome": answer}
        await fail(manager, "first", 1)

    assert manager.choose(from_domain=DOMAIN) == "first"


async def test_after_the_pause_one_attempt_finds_out_for_all(
    manager: ProviderManager, first: ScriptedProvider, clock: Clock
) -> None:
    first.answer = {"outcome": Outcome.NOT_SENT, "error": "broken"}
    await fail(manager, "first", 5)
    clock.advance(30)
    first.answer = None
    probe = asyncio.create_task(manager.send("first", a_message(), yes))
    await asyncio.sleep(0)

    assert manager.choose(from_domain=DOMAIN) == "second"

    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    assert manager.choose(from_domain=DOMAIN) == "first"
    first.answer = {"outcome": Outcome.NOT_SENT, "error": "broken"}
    await fail(manager, "first", 1)
    assert manager.choose(from_domain=DOMAIN) == "second"
    clock.advance(30)
    first.answer = {"outcome": Outcome.ACCEPTED}
    await fail(manager, "first", 1)
    first.answer = {"outcome": Outcome.NOT_SENT, "error": "broken"}
    await fail(manager, "first", 4)
    assert manager.choose(from_domain=DOMAIN) == "first"


async def test_a_probe_that_never_reports_does_not_close_the_way_for_ever(clock: Clock) -> None:
    silent = ScriptedProvider("first")
    manager = ProviderManager({"first": silent, "second": ScriptedProvider("second")}, "first", "second", now=clock)
    silent.answer = {"outcome": Outcome.NOT_SENT, "error": "broken"}
    await fail(manager, "first", 5)
    clock.advance(30)
    silent.answer = None
    probe = asyncio.create_task(manager.send("first", a_message(), yes))
    await asyncio.sleep(0)

    clock.advance(30)

    assert manager.choose(from_domain=DOMAIN) == "first"
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)


@pytest.mark.parametrize(
    "answer",
    [
        {"outcome": Outcome.UNKNOWN, "error": "lost"},
        {"outcome": Outcome.THROTTLED, "error": "rate_limit_exceeded"},
        {"outcome": Outcome.NOT_SENT, "error": "not_begun"},
    ],
)
async def test_what_proves_nothing_about_the_provider_does_not_open_the_breaker(
    manager: ProviderManager, first: ScriptedProvider, answer: dict[str, Any]
) -> None:
    first.answer = answer

    await fail(manager, "first", 20)

    assert manager.choose(from_domain=DOMAIN) == "first"


async def test_a_refused_sender_domain_does_not_stop_the_others(
    manager: ProviderManager, first: ScriptedProvider, clock: Clock
) -> None:
    first.answer = {"outcome": Outcome.MISCONFIGURED, "error": "sender_refused"}

    await fail(manager, "first", 5)

    assert manager.choose(from_domain=DOMAIN) == "second"
    assert manager.choose(from_domain="other.example.com") == "first"
    clock.advance(30)
    first.answer = {"outcome": Outcome.ACCEPTED}
    await fail(manager, "first", 1)
    assert manager.choose(from_domain=DOMAIN) == "first"


async def test_a_used_up_quota_opens_the_breaker_until_it_is_there_again(
    manager: ProviderManager, first: ScriptedProvider, clock: Clock
) -> None:
    first.answer = {"outcome": Outcome.NOT_SENT, "error": "quota", "retry_after": timedelta(hours=2)}

    await fail(manager, "first", 1)

    clock.advance(7199)
    assert manager.choose(from_domain=DOMAIN) == "second"
    clock.advance(1)
    assert manager.choose(from_domain=DOMAIN) == "first"


async def test_a_throttled_provider_is_waited_for_and_not_left(
    manager: ProviderManager, first: ScriptedProvider, clock: Clock
) -> None:
    assert manager.paused_until("first") is None
    first.answer = {"outcome": Outcome.THROTTLED, "error": "rate", "retry_after": timedelta(seconds=2)}
    await fail(manager, "first", 1)
    first.answer = {"outcome": Outcome.THROTTLED, "error": "rate", "retry_after": timedelta(seconds=1)}
    await fail(manager, "first", 1)

    assert manager.paused_until("first") == NOW + timedelta(seconds=2)
    assert manager.choose(from_domain=DOMAIN) == "first"
    assert manager.paused_until("second") is None
    clock.advance(2)
    assert manager.paused_until("first") is None


def test_a_domain_that_only_the_fallback_may_use_goes_there(clock: Clock) -> None:
    narrow = ScriptedProvider("narrow", domains=frozenset({"ours.example"}))
    manager = ProviderManager({"narrow": narrow, "wide": ScriptedProvider("wide")}, "narrow", "wide", now=clock)

    assert manager.choose(from_domain="ours.example") == "narrow"
    assert manager.choose(from_domain=DOMAIN) == "wide"
    assert manager.other("wide", DOMAIN) is None


def test_where_neither_can_the_primary_gives_the_reason(clock: Clock) -> None:
    narrow = ScriptedProvider("narrow", domains=frozenset({"ours.example"}))

    assert ProviderManager({"narrow": narrow}, "narrow", now=clock).choose(from_domain=DOMAIN) == "narrow"
    assert ProviderManager({"narrow": narrow}, "narrow", "narrow", now=clock).choice.fallback is None


def test_a_switch_takes_effect_at_the_next_choice_and_an_impossible_one_not_at_all(manager: ProviderManager) -> None:
    manager.switch("second", "first")

    assert manager.choose(from_domain=DOMAIN) == "second"
    with pytest.raises(KeyError):
        manager.switch("pigeon", None)
    with pytest.raises(KeyError):
        manager.switch("first", "pigeon")
    assert manager.choose(from_domain=DOMAIN) == "second"


def test_a_provider_is_known_by_its_name(manager: ProviderManager, first: ScriptedProvider) -> None:
    assert manager.get("first") is first
    assert (manager.is_idempotent("first"), manager.is_idempotent("second")) == (False, True)
    with pytest.raises(KeyError):
        manager.get("pigeon")


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
    manager = ProviderManager(providers, "first", "second", attempt_timeout=timedelta(milliseconds=50), now=clock)
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
    manager = ProviderManager({"stuck": Stuck("stuck"), "last": last}, "last", now=clock)

    with structlog.testing.capture_logs() as logged:
        await manager.aclose()

    assert last.closed
    assert [(line["event"], line["provider"]) for line in logged] == [("provider.close_failed", "stuck")]


async def test_an_attempt_is_a_client_span_without_addresses(first: ScriptedProvider) -> None:
    kept, spans = KeptSpans(), TracerProvider()
    spans.add_span_processor(SimpleSpanProcessor(kept))
    manager = ProviderManager({"first": first}, "first", tracer=spans.get_tracer("outbound.providers"))

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
