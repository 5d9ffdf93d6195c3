"""The spans of the line: one trace from the upstream's event on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer

from notifications.plan import PlannedEvent
from notifications.tracing import LineTracer, context_of, traceparent_of
from tests.notifications.builders import MILLISECONDS, TRACEPARENT, an_entry, plan_of

UPSTREAM_TRACE, UPSTREAM_SPAN = (int(part, 16) for part in TRACEPARENT.split("-")[1:3])


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(spans: InMemorySpanExporter) -> Iterator[Tracer]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    yield provider.get_tracer("test")
    provider.shutdown()


def traced() -> PlannedEvent:
    [event] = plan_of(an_entry(traceparent=TRACEPARENT)).events
    return event


def untraced() -> PlannedEvent:
    [event] = plan_of(an_entry(sequence=1, id="evt-2")).events
    return event


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.name == name]


def test_an_event_is_processed_in_its_own_trace_and_linked_to_its_receipt(
    tracer: Tracer, spans: InMemorySpanExporter
) -> None:
    events = [traced(), untraced()]

    with LineTracer(tracer).batch([event.entry for event in events], events):
        pass

    [receive] = named(spans, "receive outbound:events")
    [first, second] = named(spans, "process outbound:events")
    assert receive.parent is None
    assert receive.attributes is not None
    assert receive.attributes["messaging.batch.message_count"] == 2
    assert [(link.context.trace_id, link.context.span_id) for link in receive.links] == [
        (UPSTREAM_TRACE, UPSTREAM_SPAN)
    ]
    assert first.parent is not None
    assert (first.parent.trace_id, first.parent.span_id) == (UPSTREAM_TRACE, UPSTREAM_SPAN)
    assert second.parent is None
    for span in (first, second):
        assert [link.context.span_id for link in span.links] == [receive.get_span_context().span_id]
    assert first.attributes is not None
    assert first.attributes["messaging.message.id"] == f"{MILLISECONDS}-0"


def test_what_is_stored_with_a_notification_is_the_upstream_s_trace_or_ours(
    tracer: Tracer, spans: InMemorySpanExporter
) -> None:
    events = [traced(), untraced()]

    with LineTracer(tracer).batch([event.entry for event in events], events) as batch:
        stored = [batch.origin(event) for event in events]
        parents = [batch.span_of(event) for event in events]

    [first, second] = named(spans, "process outbound:events")
    assert stored[0] == TRACEPARENT
    assert parents[0] is not None
    assert parents[0].split("-")[1:3] == [f"{UPSTREAM_TRACE:032x}", f"{first.get_span_context().span_id:016x}"]
    assert stored[1] == parents[1]
    assert second.get_span_context().span_id == int((parents[1] or "--0-").split("-")[2], 16)


def test_rendering_is_a_child_of_the_processing(tracer: Tracer, spans: InMemorySpanExporter) -> None:
    event = traced()

    with LineTracer(tracer).batch([event.entry], [event]) as batch, batch.render(event, "ticket-updated"):
        pass

    [render] = named(spans, "render")
    [process] = named(spans, "process outbound:events")
    assert render.parent is not None
    assert render.parent.span_id == process.get_span_context().span_id


def test_spans_end_also_when_the_batch_fails(tracer: Tracer, spans: InMemorySpanExporter) -> None:
    event = traced()

    def fail() -> None:
        with LineTracer(tracer).batch([event.entry], [event]):
            raise LookupError("alice@example.com")

    with pytest.raises(LookupError):
        fail()

    assert len(named(spans, "process outbound:events")) == 1


def test_no_span_holds_the_text_of_an_error(tracer: Tracer, spans: InMemorySpanExporter) -> None:
    event = traced()

    def fail() -> None:
        with LineTracer(tracer).batch([event.entry], [event]) as batch, batch.render(event, "ticket-updated"):
            raise LookupError("alice@example.com")

    with pytest.raises(LookupError):
        fail()

    assert [span.to_json() for span in spans.get_finished_spans() if "alice" in span.to_json()] == []


def test_sending_goes_on_in_the_stored_trace(tracer: Tracer) -> None:
    with LineTracer(tracer).sending(TRACEPARENT):
        assert trace.get_current_span().get_span_context().span_id == UPSTREAM_SPAN

    assert not trace.get_current_span().get_span_context().is_valid


def test_without_a_tracer_there_are_no_spans_and_traces_pass_through() -> None:
    event = traced()

    with LineTracer(None).batch([event.entry], [event]) as batch, batch.render(event, "x"):
        assert batch.origin(event) == TRACEPARENT
        assert batch.origin(untraced()) is None
    with LineTracer(None).sending(TRACEPARENT):
        assert not trace.get_current_span().get_span_context().is_valid


def test_a_traceparent_is_read_and_written_alike() -> None:
    span = trace.get_current_span(context_of(TRACEPARENT))

    assert traceparent_of(span) == TRACEPARENT
    assert traceparent_of(trace.get_current_span(context_of(None))) is None
