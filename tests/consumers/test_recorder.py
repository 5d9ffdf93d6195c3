"""Outcomes are committed in groups, and only then does the next attempt begin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis

from consumers.identity import Identity
from consumers.recorder import Recorder
from notifications.after import RetryPolicy
from notifications.mail import Mail
from notifications.metrics import LineMetrics
from notifications.outcome import Attempted
from notifications.report import Reports
from notifications.routing import Routing
from notifications.sender_address import SenderPolicy
from providers.choice import Choice
from providers.manager import ProviderManager
from providers.receipt import Outcome, SendReceipt
from storage.address_vault import AddressVault
from storage.flight import flight_key
from storage.ledger import PostgresLedger
from storage.session import Database
from storage.transitions import PostgresTransitions
from tests.notifications.builders import ADDRESSING, NOW, RENDERED, a_mail, a_receipt, a_tenant, an_origin
from tests.providers.scripted import ScriptedProvider
from tests.storage.rows import Superuser, a_claim, an_event_row, id_of, key_of


class Onwards:
    """Takes mails whose next attempt is committed."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    def put(self, mails: Sequence[Mail]) -> None:
        self.mails += mails


@pytest.fixture
def onwards() -> Onwards:
    return Onwards()


@pytest.fixture
async def recorder(db: Database, identity: Identity, metrics: LineMetrics, onwards: Onwards) -> AsyncIterator[Recorder]:
    providers = ProviderManager(
        {"smtp": ScriptedProvider("smtp"), "resend": ScriptedProvider("resend", idempotent=True)},
        Choice("smtp", "resend"),
    )
    recorder = Recorder(
        transitions=PostgresTransitions(db, Reports(secret=b"secret").of_change, AddressVault([b"secret"])),
        identity=identity,
        routing=Routing(policy=SenderPolicy(email_from="noreply@outbound.example"), providers=providers),
        retry=RetryPolicy(),
        metrics=metrics,
        clock=lambda: NOW,
        drain_seconds=5,
    )
    recorder.lane = onwards
    await recorder.start()
    yield recorder
    await recorder.stop()


async def sent(ledger: PostgresLedger, identity: Identity, tenant: UUID, *event_ids: str) -> list[Mail]:
    """Mails that are being sent in their first attempt."""
    await ledger.claim(a_claim(identity.owner, *(an_event_row(tenant, event_id) for event_id in event_ids)))
    return [
        a_mail(
            id=id_of(tenant, event_id),
            origin=an_origin(event=key_of(tenant, event_id)),
            owner=identity.owner,
            attempt=1,
            content=replace(RENDERED, addressing=ADDRESSING),
            tenant=a_tenant(id=tenant),
        )
        for event_id in event_ids
    ]


def attempted(mail: Mail, receipt: SendReceipt | None) -> Attempted:
    return Attempted(mail=mail, receipt=receipt, started_at=NOW, finished_at=NOW)


async def statuses(superuser: Superuser) -> dict[str, str]:
    return dict(await superuser.sql("select event_id, status from notification_logs"))


async def test_an_outcome_is_committed_and_its_mark_taken_away(
    recorder: Recorder, ledger: PostgresLedger, identity: Identity, superuser: Superuser, redis: Redis, tenant: UUID
) -> None:
    mails = await sent(ledger, identity, tenant, "evt-1", "evt-2")
    for mail in mails:
        await identity.begin(identity.owner, mail.id, mail.attempt)

    recorder.put(attempted(mails[0], a_receipt()))
    recorder.put(attempted(mails[1], a_receipt(Outcome.TEMPORARY)))
    await recorder.flush(5)

    assert await statuses(superuser) == {"evt-1": "accepted", "evt-2": "queued"}
    assert await superuser.count("send_queue") == 1
    assert await redis.hkeys(flight_key("worker-1", identity.owner)) == [b"open"]


async def test_what_was_never_opened_goes_back_and_nothing_is_recorded_of_it(
    recorder: Recorder, ledger: PostgresLedger, identity: Identity, superuser: Superuser, tenant: UUID
) -> None:
    [mail] = await sent(ledger, identity, tenant, "evt-1")

    recorder.put(attempted(mail, None))
    await recorder.flush(5)

    row = await superuser.one("select owner, reason, due_at from send_queue")
    assert tuple(row) == (None, "handed_back", NOW)
    assert await superuser.count("delivery_attempts") == 0


async def test_a_failover_begins_once_it_is_committed(
    recorder: Recorder,
    ledger: PostgresLedger,
    identity: Identity,
    superuser: Superuser,
    onwards: Onwards,
    tenant: UUID,
) -> None:
    [mail] = await sent(ledger, identity, tenant, "evt-1")

    recorder.put(attempted(mail, a_receipt(Outcome.NOT_SENT)))
    await recorder.flush(5)

    row = await superuser.one("select owner, attempt, provider from send_queue")
    assert tuple(row) == (identity.owner, 2, "resend")
    assert [(one.attempt, one.tries, one.provider) for one in onwards.mails] == [(2, 1, "resend")]


async def test_a_failover_of_a_row_that_is_no_longer_ours_does_not_begin(
    recorder: Recorder,
    ledger: PostgresLedger,
    identity: Identity,
    superuser: Superuser,
    onwards: Onwards,
    tenant: UUID,
) -> None:
    [mail] = await sent(ledger, identity, tenant, "evt-1")
    await superuser.sql("update send_queue set owner = null")

    recorder.put(attempted(mail, a_receipt(Outcome.NOT_SENT)))
    await recorder.flush(5)

    assert onwards.mails == []
    assert await superuser.count("delivery_attempts") == 1


async def test_an_outcome_that_cannot_be_stored_holds_up_no_other(
    recorder: Recorder, ledger: PostgresLedger, identity: Identity, superuser: Superuser, tenant: UUID
) -> None:
    mails = await sent(ledger, identity, tenant, "evt-1", "evt-2", "evt-3")
    receipts: list[Any] = [a_receipt(), a_receipt(smtp_response="lone \ud800"), a_receipt()]

    for mail, receipt in zip(mails, receipts, strict=True):
        recorder.put(attempted(mail, receipt))
    await recorder.flush(20)

    assert await statuses(superuser) == {"evt-1": "accepted", "evt-2": "sending", "evt-3": "accepted"}


@pytest.mark.parametrize("is_older_first", [True, False])
async def test_two_attempts_at_one_mail_in_a_group_both_count(
    recorder: Recorder,
    ledger: PostgresLedger,
    identity: Identity,
    superuser: Superuser,
    tenant: UUID,
    is_older_first: bool,
) -> None:
    [mail] = await sent(ledger, identity, tenant, "evt-1")
    old = attempted(replace(mail, owner=identity.owner - 1, attempt=0), a_receipt())
    new = attempted(mail, a_receipt(Outcome.TEMPORARY))

    for one in (old, new) if is_older_first else (new, old):
        recorder.put(one)
    await recorder.flush(5)

    assert await statuses(superuser) == {"evt-1": "accepted"}
    assert await superuser.count("delivery_attempts") == 2


async def test_what_was_put_is_committed_before_it_stops(
    recorder: Recorder, ledger: PostgresLedger, identity: Identity, superuser: Superuser, tenant: UUID
) -> None:
    names = [f"evt-{number}" for number in range(150)]
    for mail in await sent(ledger, identity, tenant, *names):
        recorder.put(attempted(mail, a_receipt()))

    await recorder.stop()

    assert await statuses(superuser) == dict.fromkeys(names, "accepted")


async def test_waiting_for_the_last_outcome_has_an_end(recorder: Recorder) -> None:
    recorder._unrecorded += 1  # as if a commit never returned

    async with asyncio.timeout(5):
        await recorder.flush(0.05)

    recorder._unrecorded -= 1
