"""Spans of the line (OpenTelemetry messaging conventions): none unless tracing is configured."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from notifications.entry import Entry
from notifications.facts import EventKey
from notifications.plan import PlannedEvent

_W3C = TraceContextTextMapPropagator()


def context_of(traceparent: str | None) -> Context:
    """Return the context a stored traceparent stands for."""
    return _W3C.extract({"traceparent": traceparent}) if traceparent else Context()


def traceparent_of(span: Span) -> str | None:
    """Return the traceparent that makes a span the parent; None for a span that is not real."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(span, Context()))
    return carrier.get("traceparent")


class BatchTrace:
    """The spans of one batch: one process span an event, whose parent is where the event came from."""

    def __init__(self, tracer: Tracer | None) -> None:
        self._tracer = tracer
        self._spans: dict[EventKey, tuple[Span, str | None]] = {}

    def begin(self, event: PlannedEvent, receive: Span) -> None:
        """Start an event's process span."""
        if self._tracer is None:
            return
        link = Link(receive.get_span_context())
        span = self._tracer.start_span(
            f"process {event.entry.stream}",
            context_of(event.event.traceparent),
            SpanKind.CONSUMER,
            _messaging(event.entry.stream, "process")
            | {
                "messaging.message.id": event.entry.entry_id,
                "cloudevents.event_type": event.event.type,
                "outbound.tenant_id": str(event.key.tenant_id),
            },
            [link],
        )
        self._spans[event.key] = span, traceparent_of(span)

    def origin(self, event: PlannedEvent) -> str | None:
        """Return what is stored with the event's notifications: the trace it began in, which may be ours."""
        return event.event.traceparent or self.span_of(event)

    def span_of(self, event: PlannedEvent) -> str | None:
        """Return the traceparent of the event's process span."""
        known = self._spans.get(event.key)
        return known[1] if known else event.event.traceparent

    def render(self, event: PlannedEvent, template: str) -> AbstractContextManager[object]:
        """Span the rendering of one mail; what is raised in it makes it a failed one."""
        if self._tracer is None or event.key not in self._spans:
            return nullcontext()
        context = trace.set_span_in_context(self._spans[event.key][0], Context())
        return _span(self._tracer, "render", context, attributes={"outbound.template": template})

    def end(self) -> None:
        """End the process spans."""
        for span, _ in self._spans.values():
            span.end()


class LineTracer:
    """Makes the line's spans; without a tracer it makes none, which costs nothing."""

    def __init__(self, tracer: Tracer | None) -> None:
        self._tracer = tracer

    @contextmanager
    def batch(self, entries: Sequence[Entry], events: Sequence[PlannedEvent]) -> Generator[BatchTrace, None, None]:
        """Span the receipt and processing of a batch."""
        batch = BatchTrace(self._tracer)
        if self._tracer is None or not entries:
            yield batch
            return
        links = [Link(context) for event in events if (context := _span_context(event.event.traceparent)) is not None]
        stream = entries[0].stream
        with _span(
            self._tracer,
            f"receive {stream}",
            Context(),
            kind=SpanKind.CLIENT,
            attributes=_messaging(stream, "receive") | {"messaging.batch.message_count": len(entries)},
            links=links,
        ) as receive:
            for event in events:
                batch.begin(event, receive)
            try:
                yield batch
            finally:
                batch.end()

    @contextmanager
    def sending(self, traceparent: str | None) -> Generator[None, None, None]:
        """Make the provider manager's span a child of what a mail came from."""
        if self._tracer is None:
            yield
            return
        context = trace.get_current_span(context_of(traceparent))
        with trace.use_span(context, end_on_exit=False):
            yield


@contextmanager
def _span(tracer: Tracer, name: str, context: Context, **options: Any) -> Generator[Span, None, None]:
    """Open a span that tells of an exception by its type alone: its words may quote people's mail."""
    with tracer.start_as_current_span(
        name, context, record_exception=False, set_status_on_exception=False, **options
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(StatusCode.ERROR)
            raise


def _span_context(traceparent: str | None) -> trace.SpanContext | None:
    context = trace.get_current_span(context_of(traceparent)).get_span_context()
    return context if context.is_valid else None


def _messaging(stream: str, operation: str) -> dict[str, str | int]:
    return {
        "messaging.system": "redis",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": stream,
    }
