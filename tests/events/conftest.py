"""One ticket event, whole and correct, for tests to spoil."""

from __future__ import annotations

from typing import Any

import pytest

from tests.events.entries import TENANT, TRACEPARENT


@pytest.fixture
def ticket() -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "01JD7T",
        "source": "/psa/tickets",
        "type": "ticket.updated.v1",
        "time": "2026-11-24T02:00:00Z",
        "subject": "ticket/42",
        "tenantid": str(TENANT),
        "traceparent": TRACEPARENT,
        "data": {
            "ticket_id": "42",
            "ticket_number": "T-42",
            "title": "Printer on fire",
            "changes": {"status": {"previous": "open", "new": "closed"}},
            "people": [{"role": "requester", "user_id": "u1", "email": "ann@example.com", "name": "Ann"}],
        },
    }
