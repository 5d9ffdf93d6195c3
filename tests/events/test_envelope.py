"""The envelope: its times, its key, its immutability."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from events.catalog import CATALOG, canonical_type, envelope_of
from events.envelope import CloudEvent
from events.tenant import TenantSuspended

TENANT = UUID("7d0c1f5e-8d2b-4c57-9a3e-0d2f3c1b9a10")


def suspended(**attributes: Any) -> CloudEvent[TenantSuspended]:
    attributes = {"id": "1", "source": "/s", "type": "tenant.suspended.v1", "tenantid": TENANT, "data": {}} | attributes
    return CloudEvent[TenantSuspended](**attributes)


@pytest.mark.parametrize("text", ["2026-11-24T02:00:00", "2026-11-24T02:00:00Z", "2026-11-24T04:00:00+02:00"])
def test_times_are_utc_whatever_they_were_given_in(text: str) -> None:
    event = suspended(time=text, expirytime=text)

    assert event.time == event.expirytime == datetime(2026, 11, 24, 2, tzinfo=UTC)
    assert event.time.tzinfo is UTC


def test_an_event_may_never_expire() -> None:
    assert suspended(expirytime="9999-12-31T23:59:59Z").expirytime.year == 9999


@pytest.mark.parametrize(
    ("attributes", "key"),
    [
        ({}, "/s/1"),
        ({"subject": "ticket/42"}, "ticket/42"),
        ({"subject": "ticket/42", "partitionkey": "p"}, "p"),
        ({"subject": "", "partitionkey": ""}, "/s/1"),
    ],
)
def test_the_key_is_the_tenant_and_the_partition_key_else_the_subject_else_the_event(
    attributes: dict[str, str], key: str
) -> None:
    assert suspended(**attributes).key == f"{TENANT}/{key}"


def test_a_tracestate_that_cannot_be_passed_on_is_dropped() -> None:
    assert suspended(tracestate="a=1").tracestate == "a=1"
    assert [suspended(tracestate=bad).tracestate for bad in ("x" * 513, "a\r\nb", 5)] == [None, None, None]


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        suspended().id = "2"


@pytest.mark.parametrize("name", ["id", "source", "subject", "partitionkey"])
def test_nul_is_refused_in_attributes_even_without_the_wire(name: str) -> None:
    with pytest.raises(ValidationError):
        suspended(**{name: "a\0b"})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ticket.updated.v1", "ticket.updated.v1"),
        ("com.acme.ticket.updated.v1", "ticket.updated.v1"),
        ("updated.v1", "updated.v1"),
        ("", ""),
    ],
)
def test_the_canonical_type_is_the_last_three_words(name: str, expected: str) -> None:
    assert canonical_type(name) == expected


def test_the_envelope_of_a_model_is_built_once() -> None:
    assert envelope_of(TenantSuspended) is envelope_of(TenantSuspended)


def test_mail_types_have_a_category_and_directory_types_have_none() -> None:
    with_mail = {name for name, entry in CATALOG.items() if entry.subtypes}

    assert {name.partition(".")[0] for name in with_mail} == {"ticket", "invoice", "user"}
    assert {name for name, entry in CATALOG.items() if entry.category} == with_mail
