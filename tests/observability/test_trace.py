"""One trace runs from the upstream's event to what became of the mail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from outbound.wiring import is_tracing
from tests.line.harness import Line
from tests.observability.process import Workers
from tests.observability.spans import attributes, links_of, named, parent_of, place, place_in, tree
from tests.wires.otlp import Receiver, otlp_receiver
from tests.wires.smtp import SmtpWire

ORIGIN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHER = "00-5bf92f3577b34da6a3ce929d0e0e4736-11f067aa0ba902b7-01"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with otlp_receiver() as receiver:
        yield receiver


def exporting_to(receiver: Receiver) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}


def of_trace(receiver: Receiver, origin: str) -> list[Span]:
    return [span for span in receiver.spans if span.trace_id.hex() == origin.split("-")[1]]


async def stored(line: Line) -> dict[str, Any]:
    [row] = await line.notifications()
    [event] = await line.sql("select traceparent from consumed_events")
    [delivery] = await line.deliveries(1)
    return {"row": row["traceparent"], "event": event["traceparent"], "delivery": delivery["traceparent"]}


async def test_the_event_s_trace_holds_its_processing_and_the_attempt_and_is_stored_and_carried_on(
    line: Line, workers: Workers, receiver: Receiver
) -> None:
    async with workers.running(**exporting_to(receiver)):
        await line.publish(line.ticket(id="evt-1", traceparent=ORIGIN))
        [notification] = await line.settled(1)
        carried = await stored(line)

    [receive] = named(receiver.spans, "receive outbound:events")
    [process] = named(receiver.spans, "process outbound:events")
    [render] = named(receiver.spans, "render")
    [send] = named(receiver.spans, "send smtp")
    assert parent_of(process) == place_in(ORIGIN)
    assert parent_of(render) == place(process)
    assert parent_of(send) == place(process)
    assert links_of(receive) == [place_in(ORIGIN)]
    assert links_of(process) == [place(receive)]
    assert receive.trace_id != process.trace_id
    assert carried == dict.fromkeys(carried, ORIGIN)
    assert attributes(send)["outbound.notification_id"] == str(notification["id"])
    assert attributes(send)["outbound.outcome"] == "accepted"
    assert attributes(process)["cloudevents.event_type"] == "ticket.updated.v1"
    assert [Span.SpanKind.Name(span.kind) for span in (receive, process, send)] == [
        "SPAN_KIND_CLIENT",
        "SPAN_KIND_CONSUMER",
        "SPAN_KIND_CLIENT",
    ]
    assert [line.split(" [")[0] for line in tree(of_trace(receiver, ORIGIN)).splitlines()] == [
        "trace 4bf92f3577b34da6a3ce929d0e0e4736",
        "  00f067aa0ba902b7 (the upstream's span)",
        "    process outbound:events",
        "      render",
        "      send smtp",
    ]


async def test_every_event_of_a_batch_keeps_its_own_trace(line: Line, workers: Workers, receiver: Receiver) -> None:
    async with line.redis() as client:
        await client.xgroup_create("outbound:events", "outbound", id="0", mkstream=True)
    await line.publish(line.ticket("T-1", traceparent=ORIGIN), line.ticket("T-2", traceparent=OTHER))

    async with workers.running(**exporting_to(receiver)):
        await line.settled(2)

    [receive] = named(receiver.spans, "receive outbound:events")
    assert sorted(links_of(receive)) == [place_in(ORIGIN), place_in(OTHER)]
    assert attributes(receive)["messaging.batch.message_count"] == 2
    for origin in (ORIGIN, OTHER):
        names = sorted(span.name for span in of_trace(receiver, origin))
        assert names == ["process outbound:events", "render", "send smtp"]


async def test_a_mail_that_waited_for_its_slot_is_sent_in_the_trace_of_its_event(
    line: Line, workers: Workers, receiver: Receiver
) -> None:
    slow = await line.add_tenant(rate=60, burst=1)

    async with workers.running(**exporting_to(receiver)):
        await line.publish(line.ticket("T-1", tenant=slow, traceparent=ORIGIN))
        await line.settled(1)
        await line.publish(line.ticket("T-2", id="waits", tenant=slow, traceparent=OTHER))
        await line.settled(2)
        deliveries = await line.deliveries(3)

    [waited] = await line.notifications("waits")
    [process] = named(of_trace(receiver, OTHER), "process outbound:events")
    [send] = named(of_trace(receiver, OTHER), "send smtp")
    assert [step["reason"] for step in waited["trail"]] == ["rate", None, None]
    assert (parent_of(process), parent_of(send)) == (place_in(OTHER), place_in(OTHER))
    assert [event["traceparent"] for event in deliveries if event["causationid"] == "waits"] == [OTHER, OTHER]


async def test_an_event_without_a_trace_gets_one_of_ours(line: Line, workers: Workers, receiver: Receiver) -> None:
    async with workers.running(**exporting_to(receiver)):
        await line.publish(line.ticket())
        await line.settled(1)
        carried = await stored(line)

    [process] = named(receiver.spans, "process outbound:events")
    [send] = named(receiver.spans, "send smtp")
    assert process.parent_span_id == b""
    assert parent_of(send) == place(process)
    assert {name: place_in(value) for name, value in carried.items()} == dict.fromkeys(carried, place(process))


async def test_what_fails_is_a_failed_span_with_its_kind_and_its_log_line_names_the_trace(
    line: Line, workers: Workers, receiver: Receiver
) -> None:
    await line.change(
        "insert into tenant_email_templates (tenant_id, name, locale, version, subject, html, text, layout_html,"
        " layout_text, created_by)"
        " values ($1, 'ticket-updated-client', 'en', 'v1', 'x', '{{ ticket.no_such_thing }}', 'x',"
        " '{% block content %}{% endblock %}', '{% block content %}{% endblock %}', 'test')",
        line.tenant,
    )

    async with workers.running(**exporting_to(receiver)) as worker:
        await line.publish(line.ticket())
        await line.settled(1)
        logged = await worker.logged("notification.rendering_failed")

    [receive] = named(receiver.spans, "receive outbound:events")
    [render] = named(receiver.spans, "render")
    assert render.status.code == Status.STATUS_CODE_ERROR
    assert attributes(render)["error.type"] == "RenderingError"
    assert (list(render.events), render.status.message) == ([], "")
    assert logged["trace_id"] == receive.trace_id.hex()


async def test_without_the_variables_no_sdk_is_loaded_and_the_event_s_trace_is_carried_all_the_same(
    line: Line, workers: Workers
) -> None:
    async with workers.started(python=("-X", "importtime")) as worker:
        await line.publish(line.ticket(traceparent=ORIGIN))
        await line.settled(1)
        carried = await stored(line)

    assert "opentelemetry.trace" in worker.output
    assert "opentelemetry.sdk.trace" not in worker.output
    assert carried == dict.fromkeys(carried, ORIGIN)


async def test_without_the_variables_no_provider_is_installed_and_no_trace_is_made_up(
    line: Line, wire: SmtpWire
) -> None:
    async with line.worker():
        await line.publish(line.ticket())
        [row] = await line.settled(1)
        [delivery] = await line.deliveries(1)

    assert not is_tracing()
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    assert row["traceparent"] is None
    assert "traceparent" not in delivery
    assert len(wire.accepted) == 1
