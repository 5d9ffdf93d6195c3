"""The record and open transactions: row, status, ledger and event move together, and only under their fence."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from notifications.content import encode
from notifications.report import Reports
from notifications.status import Reason, Status
from notifications.transition import Fence, Leaves, Opens, Parks, Taken
from storage.ledger import PostgresLedger
from storage.session import Database
from storage.transitions import PostgresTransitions
from storage.workers import Worker
from tests.notifications.builders import NOW, RENDERED, REQUEST, later
from tests.storage.fixtures import VAULT
from tests.storage.rows import (
    Superuser,
    a_change,
    a_claim,
    a_notification_row,
    an_attempt,
    an_event_row,
    id_of,
)

PARKS = Parks(due_at=later(minutes=1), reason=Reason.RETRY, is_pinned=True)
OTHERS = Fence(owner=0, attempt=9)
"""A fence that does not hold."""


@pytest.fixture
def transitions(db: Database) -> PostgresTransitions:
    return PostgresTransitions(db, Reports(secret=b"secret").of_change, VAULT)


@pytest.fixture
async def sent(ledger: PostgresLedger, worker: Worker, tenant: UUID) -> UUID:
    """A notification that `worker` is sending, in its first attempt."""
    await ledger.claim(a_claim(worker.id, an_event_row(tenant)))
    return id_of(tenant, "evt-1")


async def log_of(superuser: Superuser, id_: UUID) -> tuple[str, str | None, int]:
    row = await superuser.one("select status, reason, version from notification_logs where id = $1", id_)
    return row["status"], row["reason"], row["version"]


async def test_an_accepted_mail_leaves_the_queue_and_is_told_once(
    transitions: PostgresTransitions, superuser: Superuser, worker: Worker, tenant: UUID, sent: UUID
) -> None:
    change = a_change(tenant, Status.ACCEPTED, owner=worker.id)

    held = await transitions.apply([change])
    again = await transitions.apply([change])

    assert (held, again) == ({sent}, frozenset())
    assert await log_of(superuser, sent) == ("accepted", None, 2)
    assert await superuser.trail(sent) == [(1, "sending", None), (2, "accepted", None)]
    assert await superuser.count("send_queue") == 0
    assert await superuser.count("delivery_attempts") == 1
    [event] = await superuser.outbox()
    assert (event["type"], event["id"]) == ("email.accepted.v1", f"{sent}/2")


async def test_what_waits_again_is_anybody_s_and_keeps_its_first_opening(
    transitions: PostgresTransitions, superuser: Superuser, worker: Worker, tenant: UUID, sent: UUID
) -> None:
    await transitions.apply([a_change(tenant, Status.QUEUED, owner=worker.id, queue=PARKS, reason=Reason.RETRY)])

    row = await superuser.one("select owner, due_at, reason, pinned, opened_at, provider, attempt from send_queue")
    assert tuple(row) == (None, later(minutes=1), "retry", True, NOW, "smtp", 1)
    assert await log_of(superuser, sent) == ("queued", "retry", 2)
    [event] = await superuser.outbox()
    assert event["data"]["due_at"] == "2026-11-24T02:01:00Z"


async def test_a_failover_is_a_transition_of_the_row_and_not_told(
    transitions: PostgresTransitions, superuser: Superuser, worker: Worker, tenant: UUID, sent: UUID
) -> None:
    opens = Opens(attempt=2, provider="resend", mail_from="noreply@fallback.example", opened_at=NOW)

    await transitions.apply([a_change(tenant, Status.SENDING, owner=worker.id, queue=opens)])

    row = await superuser.one("select owner, attempt, provider, mail_from, reason from send_queue")
    assert tuple(row) == (worker.id, 2, "resend", "noreply@fallback.example", None)
    assert await log_of(superuser, sent) == ("sending", None, 2)
    assert await superuser.outbox() == []
    late = await transitions.apply([a_change(tenant, Status.FAILED, owner=worker.id, reason=Reason.PERMANENT)])
    assert late == frozenset()


async def test_under_a_fence_that_fell_only_the_attempt_is_recorded(
    transitions: PostgresTransitions, superuser: Superuser, worker: Worker, tenant: UUID, sent: UUID
) -> None:
    for fallen in (Fence(owner=worker.id + 1, attempt=1), Fence(owner=worker.id, attempt=2)):
        for status, queue in ((Status.QUEUED, PARKS), (Status.UNCERTAIN, PARKS), (Status.FAILED, Leaves())):
            held = await transitions.apply([a_change(tenant, status, owner=worker.id, fence=fallen, queue=queue)])
            assert held == frozenset()

    assert await log_of(superuser, sent) == ("sending", None, 1)
    assert tuple(await superuser.one("select owner, attempt, reason from send_queue")) == (worker.id, 1, None)
    assert await superuser.count("delivery_attempts") == 1
    assert await superuser.outbox() == []


async def test_a_late_acceptance_lifts_the_status_and_takes_the_row_that_nobody_owns(
    transitions: PostgresTransitions, superuser: Superuser, ledger: PostgresLedger, worker: Worker, tenant: UUID
) -> None:
    waiting = a_notification_row(tenant, owner=None)
    await ledger.claim(a_claim(worker.id, an_event_row(tenant), notifications=[waiting]))

    held = await transitions.apply([a_change(tenant, Status.ACCEPTED, owner=worker.id, fence=OTHERS)])

    assert held == frozenset()
    assert await log_of(superuser, waiting.id) == ("accepted", None, 2)
    assert await superuser.count("send_queue") == 0
    assert (await superuser.outbox())[-1]["type"] == "email.accepted.v1"


async def test_a_late_acceptance_leaves_the_row_that_somebody_owns(
    transitions: PostgresTransitions, superuser: Superuser, worker: Worker, tenant: UUID, sent: UUID
) -> None:
    await transitions.apply([a_change(tenant, Status.ACCEPTED, owner=worker.id, fence=OTHERS)])
    parked = await transitions.apply(
        [a_change(tenant, Status.QUEUED, owner=worker.id, queue=PARKS, attempt=an_attempt(2, "temporary"))]
    )

    assert parked == {sent}
    assert await log_of(superuser, sent) == ("accepted", None, 2)
    assert await superuser.count("delivery_attempts") == 2


@pytest.mark.parametrize("fence", [None, OTHERS])
@pytest.mark.parametrize("is_secret", [False, True])
async def test_the_content_of_a_secret_goes_with_its_acceptance_however_late(
    transitions: PostgresTransitions,
    superuser: Superuser,
    worker: Worker,
    tenant: UUID,
    sent: UUID,
    fence: Fence | None,
    is_secret: bool,
) -> None:
    more: dict[str, Any] = {"fence": fence} if fence else {}

    await transitions.apply([a_change(tenant, Status.ACCEPTED, owner=worker.id, forgets_content=is_secret, **more)])

    assert await superuser.count("message_contents") == (0 if is_secret else 1)


async def test_a_secret_is_kept_for_whoever_sends_it_next(
    transitions: PostgresTransitions, superuser: Superuser, worker: Worker, tenant: UUID, sent: UUID
) -> None:
    change = a_change(tenant, Status.FAILED, owner=worker.id, fence=OTHERS, forgets_content=True)

    await transitions.apply([change])

    assert await superuser.count("message_contents") == 1


async def test_a_refused_mailbox_is_suppressed_once_for_its_tenant(
    transitions: PostgresTransitions, superuser: Superuser, worker: Worker, tenant: UUID, sent: UUID
) -> None:
    change = a_change(tenant, Status.FAILED, owner=worker.id, reason=Reason.PERMANENT, suppresses=True)

    await transitions.apply([change])
    await transitions.apply([change])

    row = await superuser.one(
        "select tenant_id, address_hash, reason, source, created_by, notification_id from suppressions"
    )
    [address_hash] = VAULT.hashes("alice@example.com")
    assert tuple(row) == (tenant, address_hash, "hard_bounce", "provider", "provider:smtp", sent)


async def test_a_mailbox_that_was_listed_for_a_time_and_is_refused_is_listed_for_good(
    transitions: PostgresTransitions, superuser: Superuser, worker: Worker, tenant: UUID, sent: UUID
) -> None:
    await superuser.suppress(VAULT, tenant, "alice@example.com", "hard_bounce", expires_at=NOW)

    await transitions.apply([a_change(tenant, Status.FAILED, owner=worker.id, suppresses=True)])

    row = await superuser.one("select expires_at, source, notification_id from suppressions")
    assert tuple(row) == (None, "provider", sent)


async def test_a_group_over_several_tenants_is_one_transaction(
    transitions: PostgresTransitions, superuser: Superuser, ledger: PostgresLedger, worker: Worker, tenant: UUID
) -> None:
    other = await superuser.add_tenant(uuid4())
    await ledger.claim(a_claim(worker.id, an_event_row(tenant), an_event_row(other)))
    good = a_change(tenant, Status.ACCEPTED, owner=worker.id)
    bad = a_change(other, Status.ACCEPTED, owner=worker.id, attempt=an_attempt(outcome="lone \ud800"))

    with pytest.raises(Exception, match="surrogate"):
        await transitions.apply([good, bad])
    untouched = await superuser.count("send_queue")
    held = await transitions.apply([good, a_change(other, Status.ACCEPTED, owner=worker.id)])

    assert untouched == 2
    assert held == {id_of(tenant, "evt-1"), id_of(other, "evt-1")}
    assert await superuser.count("send_queue") == 0


async def test_what_is_stored_of_a_taken_row_is_its_newest_content_and_its_tries(
    transitions: PostgresTransitions, superuser: Superuser, ledger: PostgresLedger, worker: Worker, tenant: UUID
) -> None:
    row = a_notification_row(tenant, owner=None)
    await ledger.claim(a_claim(worker.id, an_event_row(tenant), notifications=[row]))
    await superuser.sql("update send_queue set owner = $1, attempt = 1", worker.id)
    taken = Taken(
        id=row.id,
        tenant_id=tenant,
        lane=1,
        fence=Fence(owner=worker.id, attempt=1),
        reason=Reason.RATE,
        provider=None,
        mail_from=None,
        opened_at=None,
        is_pinned=False,
    )
    [before] = await transitions.waiting([taken])

    opens = Opens(attempt=1, provider="smtp", mail_from="a@acme.example", opened_at=NOW)
    change = a_change(
        tenant, Status.SENDING, owner=worker.id, queue=opens, content=encode(RENDERED), attempt=an_attempt()
    )
    await transitions.apply([change])
    [after] = await transitions.waiting([taken])

    assert (before.content, before.tries, before.status) == (REQUEST, 0, Status.QUEUED)
    assert (after.content, after.tries, after.status) == (RENDERED, 1, Status.SENDING)
    assert after.origin == change.origin
    assert after.template_name == "ticket-updated"
