"""Received spans as a test and a reader want them: by name, by parent, and as an indented tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_SHOWN = (
    "messaging.batch.message_count",
    "cloudevents.event_type",
    "outbound.template",
    "outbound.outcome",
    "error.type",
)


def named(spans: Iterable[Span], name: str) -> list[Span]:
    """Return the spans of one name, in the order of their start."""
    return sorted((span for span in spans if span.name == name), key=lambda span: span.start_time_unix_nano)


def attributes(span: Span) -> dict[str, str | int]:
    """Return what a span says of itself."""
    return {item.key: _value(item.value) for item in span.attributes}


def place(span: Span) -> str:
    """Return where a span is: its trace and itself, as in a traceparent."""
    return f"{span.trace_id.hex()}-{span.span_id.hex()}"


def place_in(traceparent: str) -> str:
    """Return what a traceparent points at. Its flags are left out: OTLP does not tell them of a span."""
    return traceparent[3:-3]


def parent_of(span: Span) -> str:
    """Return where a span's parent is."""
    return f"{span.trace_id.hex()}-{span.parent_span_id.hex()}"


def links_of(span: Span) -> list[str]:
    """Return the places a span links to."""
    return [f"{link.trace_id.hex()}-{link.span_id.hex()}" for link in span.links]


def tree(spans: Iterable[Span]) -> str:
    """Draw spans as indented trees, one a trace, in the order of their start; a parent nobody sent is named."""
    ordered = sorted(spans, key=lambda span: span.start_time_unix_nano)
    known = {span.span_id: span for span in ordered}
    lines: list[str] = []
    for trace_id in dict.fromkeys(span.trace_id for span in ordered):
        lines.append(f"trace {trace_id.hex()}")
        members = [span for span in ordered if span.trace_id == trace_id]
        for parent_id in dict.fromkeys(span.parent_span_id for span in members if span.parent_span_id not in known):
            depth = 1
            if parent_id:
                lines.append(f"  {parent_id.hex()} (the upstream's span)")
                depth = 2
            lines += _below(parent_id, members, depth, known)
    return "\n".join(lines)


def _below(parent_id: bytes, members: list[Span], depth: int, known: dict[bytes, Span]) -> Iterator[str]:
    for span in members:
        if span.parent_span_id != parent_id:
            continue
        yield f"{'  ' * depth}{_line(span, known)}"
        yield from _below(span.span_id, members, depth + 1, known)


def _line(span: Span, known: dict[bytes, Span]) -> str:
    milliseconds = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
    kind = Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower()
    told = [f"{name}={value}" for name, value in attributes(span).items() if name in _SHOWN]
    linked = [known[link.span_id].name if link.span_id in known else link.span_id.hex() for link in span.links]
    return "  ".join(
        [
            f"{span.name} [{kind}, {milliseconds:.1f} ms] {span.span_id.hex()}",
            *told,
            *(f"-> {name}" for name in linked),
        ]
    )


def _value(value: AnyValue) -> str | int:
    return value.int_value if value.HasField("int_value") else value.string_value
