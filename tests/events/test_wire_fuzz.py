"""Whatever is in an entry, it is read or refused, and a refusal repeats nothing of it."""

from __future__ import annotations

import json
import traceback
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from events.catalog import CATALOG
from events.wire import Refusal, UnreadableEventError, decode

SECRET = "zq7secretzq7"
TENANT = "7d0c1f5e-8d2b-4c57-9a3e-0d2f3c1b9a10"

NAMES = st.sampled_from([b"data", b"event", b"ce_id", b"ce_source", b"ce_type", b"ce_tenantid", b"ce_time", b"ce_data"])
FIELDS = st.dictionaries(NAMES | st.binary(max_size=12), st.binary(max_size=80), max_size=6)
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from([SECRET, TENANT])
)
DATA_KEYS = st.sampled_from(
    ["ticket_id", "title", "people", "changes", "url", "amount", "userId", "email", "role", "slug", "due_date", SECRET]
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(DATA_KEYS, inner, max_size=5), max_leaves=12
)


def survives(fields: dict[bytes, bytes]) -> None:
    """Decode and check the only promise: an event, or one kind of error, in the words we have, without the content."""
    refusal = None
    try:
        assert decode(fields).type in CATALOG
    except UnreadableEventError as error:
        refusal = error
    if refusal is not None:
        assert refusal.reason in set(Refusal)
        assert SECRET not in "".join(traceback.format_exception(refusal))


@given(FIELDS)
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_read_or_refused(fields: dict[bytes, bytes]) -> None:
    survives(fields)


@given(
    st.dictionaries(
        st.sampled_from(
            ["id", "source", "time", "subject", "tenantid", "traceparent", "tracestate", "specversion", "x"]
        ),
        JSON,
        max_size=4,
    ),
    st.sampled_from(sorted(CATALOG)),
    JSON,
)
@settings(max_examples=300, deadline=None)
def test_any_json_in_any_attribute_is_read_or_refused(change: dict[str, Any], event_type: str, data: Any) -> None:
    good = {"specversion": "1.0", "id": "1", "source": "/s", "type": event_type, "tenantid": TENANT, "data": data}

    survives({b"data": json.dumps(good | change).encode()})


@given(st.dictionaries(st.sampled_from(["id", "eventType", "timestamp", "payload", "x"]), JSON, max_size=5))
@settings(max_examples=150, deadline=None)
def test_any_legacy_entry_is_read_or_refused(entry: dict[str, Any]) -> None:
    survives({b"event": json.dumps({"id": "1", "eventType": "TICKET_UPDATED"} | entry).encode()})
