"""Attempts of which nobody knows: told as uncertain, then repeated or given up as the subtype wants it."""

from __future__ import annotations

from typing import Any

import pytest

from notifications.categories import UncertainPolicy
from notifications.status import Reason, Status
from notifications.transition import Leaves, Parks
from tests.notifications.builders import NOW, RENDERED, REQUEST, a_subtype, a_tenant, later
from tests.notifications.waiting import Setting, retried

IN_DOUBT: dict[str, Any] = {"reason": Reason.IN_DOUBT, "is_pinned": True, "content": RENDERED}


async def test_an_attempt_in_doubt_is_told_as_uncertain_recorded_and_repeated_later() -> None:
    reopened = await Setting().decide(retried(**IN_DOUBT))

    change = reopened.change
    assert reopened.mail is None
    assert change.status is Status.UNCERTAIN
    assert change.queue == Parks(due_at=later(minutes=5), reason=Reason.UNCONFIRMED, is_pinned=True)
    assert change.attempt is not None
    assert (change.attempt.n, change.attempt.outcome, change.attempt.error) == (2, "unknown", "worker_died")
    assert change.attempt.started_at == later(hours=-1)


async def test_at_most_once_gives_an_attempt_in_doubt_up() -> None:
    once = a_subtype(uncertain_policy=UncertainPolicy.AT_MOST_ONCE, is_secret=True)

    change = (await Setting(tenant=a_tenant(once)).decide(retried(**IN_DOUBT))).change

    assert (change.status, change.reason, change.queue) == (Status.FAILED, Reason.UNCONFIRMED, Leaves())
    assert change.forgets_content


async def test_a_repeat_whose_key_is_forgotten_is_in_doubt_once() -> None:
    setting = Setting(idempotent=True)
    row: dict[str, Any] = {"is_pinned": True, "opened_at": later(hours=-23)}

    stale = (await setting.decide(retried(**row))).change
    fresh = await setting.decide(retried(**row | {"opened_at": later(hours=-22)}))
    again = await setting.decide(retried(**row | {"reason": Reason.UNCONFIRMED}))

    assert (stale.status, stale.attempt) == (Status.UNCERTAIN, None)
    assert fresh.mail is not None
    assert again.mail is not None


@pytest.mark.parametrize("missing", [{"content": REQUEST}, {"opened_at": None}, {"provider": None}])
async def test_what_is_in_doubt_without_ever_having_been_opened_is_simply_sent(missing: dict[str, Any]) -> None:
    change = (await Setting().decide(retried(**IN_DOUBT | missing))).change

    assert change.queue == Parks(due_at=NOW, reason=Reason.HANDED_BACK, is_pinned=True)
