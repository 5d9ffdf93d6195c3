"""What becomes of a dead worker's rows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from notifications.adoption import Adopted, OwnedRow, adopt
from notifications.status import Reason
from notifications.transition import Fence
from tests.notifications.builders import NOTIFICATION, NOW, later

ATTEMPT = 3
MINE = frozenset({(NOTIFICATION, ATTEMPT)})
OLDER = frozenset({(NOTIFICATION, ATTEMPT - 1), (UUID(int=1), ATTEMPT)})
LOST = None
IDEMPOTENT = {"smtp": False, "resend": True}


def adopted(marks: frozenset[tuple[UUID, int]] | None, **changes: Any) -> Adopted:
    fields: dict[str, Any] = {
        "id": NOTIFICATION,
        "fence": Fence(owner=0, attempt=ATTEMPT),
        "provider": "smtp",
        "was_opened": True,
        "is_pinned": False,
        "reason": None,
        "due_at": later(minutes=-1),
    }
    [row] = adopt([OwnedRow(**fields | changes)], marks, now=NOW, is_idempotent=IDEMPOTENT.get)
    assert (row.id, row.due_at) == (NOTIFICATION, NOW)
    return row


@pytest.mark.parametrize("is_pinned", [False, True])
@pytest.mark.parametrize(
    ("provider", "marks", "reason", "pins"),
    [
        ("smtp", frozenset(), Reason.HANDED_BACK, False),
        ("smtp", OLDER, Reason.HANDED_BACK, False),
        ("smtp", MINE, Reason.IN_DOUBT, True),
        ("smtp", LOST, Reason.IN_DOUBT, True),
        ("resend", frozenset(), Reason.HANDED_BACK, True),
        ("resend", LOST, Reason.HANDED_BACK, True),
        ("no longer configured", frozenset(), Reason.IN_DOUBT, True),
        ("no longer configured", LOST, Reason.IN_DOUBT, True),
    ],
)
def test_an_opened_attempt_is_sent_repeated_or_doubted(
    provider: str, marks: frozenset[tuple[UUID, int]] | None, reason: Reason, pins: bool, is_pinned: bool
) -> None:
    row = adopted(marks, provider=provider, is_pinned=is_pinned)

    assert (row.reason, row.is_pinned) == (reason, pins or is_pinned)


@pytest.mark.parametrize("provider", ["smtp", "resend", "no longer configured"])
@pytest.mark.parametrize("marks", [frozenset(), MINE, LOST])
@pytest.mark.parametrize("is_pinned", [False, True])
@pytest.mark.parametrize("reason", [Reason.RETRY, Reason.UNCONFIRMED, Reason.IN_DOUBT])
def test_what_was_taken_and_not_opened_again_stays_as_it_was(
    provider: str, marks: frozenset[tuple[UUID, int]] | None, is_pinned: bool, reason: Reason
) -> None:
    row = adopted(marks, provider=provider, is_pinned=is_pinned, reason=reason)

    assert (row.reason, row.is_pinned) == (reason, is_pinned)


@pytest.mark.parametrize("marks", [frozenset(), LOST])
def test_what_was_never_opened_anywhere_is_simply_sent(marks: frozenset[tuple[UUID, int]] | None) -> None:
    row = adopted(marks, provider=None, was_opened=False, reason=Reason.RATE)

    assert (row.reason, row.is_pinned) == (Reason.RATE, False)
