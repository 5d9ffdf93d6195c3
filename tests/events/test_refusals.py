"""Every way in which an entry can be wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from events.legacy import LEGACY
from events.wire import MAX_ENTRY_BYTES, Refusal, decode
from notifications.status import Reason
from tests.events.entries import TENANT, TRACEPARENT, binary, legacy, refused, structured


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {b"payload": b"{}"},
        {b"data": b""},
        {b"data": b"not json"},
        {b"data": b"\xff\xfe"},
        {b"data": b'{"a": NaN}'},
        {b"data": b'"\\ud800"'},
        {b"data": b"[1]"},
        {b"data": b"null"},
        {b"event": b'"text"'},
        {b"data": b"[" * 100_000},
        {b"data": b'{"a":' * 1000 + b"1" + b"}" * 1000},
        {b"data": b"1" * 100_000},
        {b"ce_id": b"\xff", b"data": b"{}"},
        {b"ce_\xff": b"1", b"data": b"{}"},
        {b"ce_id": b"1", b"data": b"not json"},
    ],
)
def test_what_is_not_one_of_the_three_forms_is_undecodable(fields: dict[bytes, bytes]) -> None:
    assert refused(fields).reason == Refusal.UNDECODABLE


@pytest.mark.parametrize("change", [{"id": "a\0b"}, {"data": {"title": "a\0b"}}, {"data": {"people": [{"a\0b": 1}]}}])
def test_nul_characters_anywhere_are_undecodable(ticket: dict[str, Any], change: dict[str, Any]) -> None:
    error = refused(structured(ticket | change))

    assert (error.reason, error.tenantid) == (Refusal.UNDECODABLE, TENANT)


def test_nul_characters_in_a_binary_attribute_are_undecodable(ticket: dict[str, Any]) -> None:
    error = refused(binary(ticket) | {b"ce_id": b"a\0b"})

    assert (error.reason, error.event_id, error.source) == (Refusal.UNDECODABLE, None, "/psa/tickets")


def test_the_text_of_the_nul_escape_is_no_nul(ticket: dict[str, Any]) -> None:
    ticket["data"]["title"] = "print \\u0000"

    assert decode(structured(ticket)).data.title == "print \\u0000"


@pytest.mark.parametrize(
    ("change", "reason", "detail"),
    [
        ({"specversion": None}, Refusal.UNSUPPORTED_SPECVERSION, "specversion: Input should be '1.0'"),
        ({"specversion": "0.3"}, Refusal.UNSUPPORTED_SPECVERSION, "specversion: Input should be '1.0'"),
        ({"specversion": 1.0}, Refusal.UNSUPPORTED_SPECVERSION, "specversion: Input should be '1.0'"),
        ({"tenantid": None}, Refusal.MISSING_TENANT, "tenantid: Field required"),
        ({"tenantid": ""}, Refusal.MISSING_TENANT, "tenantid: Field required"),
        ({"tenantid": "acme"}, Refusal.INVALID_ENVELOPE, "tenantid: Input should be a valid UUID"),
        (
            {"tenantid": ["acme"]},
            Refusal.INVALID_ENVELOPE,
            "tenantid: UUID input should be a string, bytes or UUID object",
        ),
        ({"type": None}, Refusal.INVALID_ENVELOPE, "type: Input should be a valid string"),
        ({"type": "com.dapr.event.sent"}, Refusal.UNKNOWN_TYPE, "type: not in the catalogue, see schemas/"),
        ({"type": "ticket.updated.v2"}, Refusal.UNKNOWN_TYPE, "type: not in the catalogue, see schemas/"),
        ({"type": ""}, Refusal.UNKNOWN_TYPE, "type: not in the catalogue, see schemas/"),
        ({"id": ""}, Refusal.INVALID_ENVELOPE, "id: String should have at least 1 character"),
        ({"id": 7}, Refusal.INVALID_ENVELOPE, "id: Input should be a valid string"),
        ({"id": "x" * 257}, Refusal.INVALID_ENVELOPE, "id: String should have at most 256 characters"),
        ({"source": "x" * 513}, Refusal.INVALID_ENVELOPE, "source: String should have at most 512 characters"),
        ({"time": "yesterday"}, Refusal.INVALID_ENVELOPE, "time: Input should be a valid datetime or date"),
        (
            {"time": "0001-01-01T00:00:00+23:00"},
            Refusal.INVALID_ENVELOPE,
            "time: Input should be within the years 1 to 9999 in UTC",
        ),
        ({"time": "9999-12-31T23:59:59Z"}, Refusal.INVALID_ENVELOPE, "time: Input should be before the year 9999"),
        ({"expirytime": {}}, Refusal.INVALID_ENVELOPE, "expirytime: Input should be a valid datetime"),
        ({"data": None}, Refusal.INVALID_DATA, "data: Input should be a valid dictionary or instance of TicketUpdated"),
        ({"data": [1]}, Refusal.INVALID_DATA, "data: Input should be a valid dictionary or instance of TicketUpdated"),
        ({"data": {}}, Refusal.INVALID_DATA, "data.ticket_id: Field required (and 1 more)"),
        (
            {"data": {"ticket_id": 5, "title": "x"}},
            Refusal.INVALID_DATA,
            "data.ticket_id: Input should be a valid string",
        ),
        (
            {"data": {"ticketId": 5, "title": "x"}},
            Refusal.INVALID_DATA,
            "data.ticket_id: Input should be a valid string",
        ),
        (
            {"data": {"ticket_id": "5", "title": "x", "people": [{"email": "a@example.com"}]}},
            Refusal.INVALID_DATA,
            "data.people.0.role: Field required",
        ),
        (
            {"data": {"ticket_id": "5", "title": "x", "url": "javascript:alert(1)"}},
            Refusal.INVALID_DATA,
            "data.url: Input should be an absolute http or https link without a user name",
        ),
        (
            {"data": {"ticket_id": "5", "title": "x", "changes": {"bob@example.com": 1}}},
            Refusal.INVALID_DATA,
            "data.changes.*: Input should be a valid dictionary or instance of Change",
        ),
        ({"id": "", "data": {}}, Refusal.INVALID_ENVELOPE, "id: String should have at least 1 character (and 2 more)"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(
    ticket: dict[str, Any], change: dict[str, Any], reason: str, detail: str
) -> None:
    error = refused(structured(ticket | change))

    assert (error.reason, error.detail) == (reason, detail)


@pytest.mark.parametrize(
    ("absent", "reason"),
    [
        ("specversion", Refusal.UNSUPPORTED_SPECVERSION),
        ("tenantid", Refusal.MISSING_TENANT),
        ("type", Refusal.INVALID_ENVELOPE),
        ("id", Refusal.INVALID_ENVELOPE),
        ("source", Refusal.INVALID_ENVELOPE),
        ("data", Refusal.INVALID_DATA),
    ],
)
def test_an_absent_attribute_is_refused(ticket: dict[str, Any], absent: str, reason: str) -> None:
    del ticket[absent]

    assert refused(structured(ticket)).reason == reason


def test_an_entry_over_the_cap_is_too_large_and_not_parsed() -> None:
    error = refused({b"data": b"[" * 10_000_000})

    assert (error.reason, error.detail) == (Refusal.TOO_LARGE, f"10000004 bytes, {MAX_ENTRY_BYTES} are allowed")


def test_the_cap_counts_all_fields_and_their_names(ticket: dict[str, Any]) -> None:
    fields = structured(ticket) | {b"metadata": b"{}"}
    size = sum(len(name) + len(value) for name, value in fields.items())

    assert decode(fields, max_bytes=size)
    assert refused(fields, max_bytes=size - 1).reason == Refusal.TOO_LARGE


def test_what_could_be_read_of_a_refused_event_is_on_the_error(ticket: dict[str, Any]) -> None:
    ticket["data"] = "text"

    error = refused(structured(ticket | {"type": "com.acme.ticket.updated.v1"}))

    assert (error.tenantid, error.event_id, error.event_type) == (TENANT, "01JD7T", "com.acme.ticket.updated.v1")
    assert (error.source, error.traceparent) == ("/psa/tickets", TRACEPARENT)


def test_what_is_recorded_of_a_refused_event_is_short_and_storable(ticket: dict[str, Any]) -> None:
    error = refused(structured(ticket | {"id": "x" * 100_000, "source": "a\0b", "traceparent": "junk"}))

    assert (len(error.event_id), error.source, error.traceparent) == (512, None, None)


def test_the_detail_is_one_short_line(ticket: dict[str, Any]) -> None:
    ticket["data"]["changes"] = {"x" * 5000: 1, "a\nb": 2}

    error = refused(structured(ticket))

    assert len(error.detail) <= 500
    assert "\n" not in error.detail


def test_refusals_are_reasons_the_whole_house_knows() -> None:
    assert {refusal.value for refusal in Refusal} <= {reason.value for reason in Reason}


@pytest.mark.parametrize("name", ["TICKET_MERGED", "PAYMENT_FAILED", "ticket.updated.v1", ""])
def test_a_legacy_name_outside_the_table_is_an_unknown_type(name: str) -> None:
    error = refused(legacy(name, {"tenantId": str(TENANT)}))

    assert error.reason == Refusal.UNKNOWN_TYPE
    assert (error.tenantid, error.event_id, error.event_type) == (TENANT, "01JD7T", name)
    assert error.detail == f"eventType: not one of {', '.join(LEGACY)}"


def test_a_cloud_event_in_the_field_of_the_legacy_form_is_told_where_it_belongs(ticket: dict[str, Any]) -> None:
    error = refused({b"event": structured(ticket)[b"data"]})

    assert error.reason == Refusal.INVALID_ENVELOPE
    assert error.detail == (
        "event: not the legacy shape {id, eventType, timestamp, payload}; CloudEvents go into the field data"
    )
    assert (error.tenantid, error.event_id) == (TENANT, "01JD7T")


def test_all_problems_are_on_the_error_where_the_detail_counts_them(ticket: dict[str, Any]) -> None:
    error = refused(structured(ticket | {"data": {}}))

    assert error.problems == ("data.ticket_id: Field required", "data.title: Field required")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"eventType": 5}, Refusal.INVALID_ENVELOPE),
        ({"id": 5}, Refusal.INVALID_ENVELOPE),
        ({"timestamp": "yesterday"}, Refusal.INVALID_ENVELOPE),
        ({"payload": None}, Refusal.MISSING_TENANT),
        ({"payload": {"ticketId": "42"}}, Refusal.MISSING_TENANT),
        ({"payload": {"tenantId": str(TENANT), "ticketId": 42}}, Refusal.INVALID_DATA),
    ],
)
def test_a_broken_legacy_event_is_refused(entry: dict[str, Any], reason: str) -> None:
    good = {
        "id": "1",
        "eventType": "TICKET_UPDATED",
        "payload": {"tenantId": str(TENANT), "ticketId": "42"},
    }

    assert refused({b"event": json.dumps(good | entry).encode()}).reason == reason
