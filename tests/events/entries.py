"""Stream entries in each of the three forms."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from events.wire import UnreadableEventError, decode

TENANT = UUID("7d0c1f5e-8d2b-4c57-9a3e-0d2f3c1b9a10")
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

Fields = dict[bytes, bytes]


def structured(event: dict[str, Any]) -> Fields:
    return {b"data": json.dumps(event).encode()}


def binary(event: dict[str, Any]) -> Fields:
    fields = {f"ce_{name}".encode(): str(value).encode() for name, value in event.items() if name != "data"}
    return fields | {b"data": json.dumps(event["data"]).encode(), b"content-type": b"application/json"}


def legacy(event_type: str, payload: dict[str, Any]) -> Fields:
    entry = {"id": "01JD7T", "eventType": event_type, "timestamp": "2026-11-24T02:00:00Z", "payload": payload}
    return {b"event": json.dumps(entry).encode(), b"channel": b"internal-notifications"}


def refused(fields: Fields, **options: int) -> UnreadableEventError:
    """Return the error that decoding these fields raises."""
    with pytest.raises(UnreadableEventError) as caught:
        decode(fields, **options)
    return caught.value
