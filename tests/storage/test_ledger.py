"""The decide and claim transactions: all or nothing, once per event, and only while the worker lives."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from notifications.content import decode
from notifications.entry import DeadLetter
from notifications.facts import RecipientKey, Seen
from notifications.ports import FencedError, RepeatRow, UnavailableError
from notifications.request import DirectoryChange
from notifications.status import Reason
from storage.ledger import PostgresLedger
from storage.roles import Role
from storage.session import Database
from storage.workers import Worker, Workers
from tests.notifications.builders import ADDRESS, RENDERED, an_entry
from tests.storage.fixtures import VAULT
from tests.storage.rows import (
    Superuser,
    a_claim,
    a_notification_row,
    an_event_row,
    id_of,
    key_of,
)

LINE = ("consumed_events", "event_bodies", "notification_logs", "message_contents", "send_queue", "outbox")


async def counts(superuser: Superuser) -> dict[str, int]:
    return {table: await superuser.count(table) for table in LINE}


async def adopted(workers: Workers, worker: Worker) -> None:
    """Declare a worker dead, as its successor of the same name would."""

    async def no_marks(_: Worker) -> frozenset[tuple[UUID, int]]:
        return frozenset()

    assert await workers.adopt(worker, worker.name, no_marks, lambda _rows, _marks: []) is not None


def a_letter(tenant: UUID | None) -> DeadLetter:
    return DeadLetter(entry=an_entry(), reason=Reason.UNKNOWN_TENANT, detail="no such tenant", tenant_id=tenant)


async def test_a_claim_writes_everything_a_batch_leads_to(
    ledger: PostgresLedger, superuser: Superuser, worker: Worker, tenant: UUID
) -> None:
    other = await superuser.add_tenant(uuid4())
    going, waiting = an_event_row(tenant, "evt-1"), an_event_row(other, "evt-2", body=None)

    lost = await ledger.claim(
        a_claim(
            worker.id,
            going,
            waiting,
            notifications=[
                a_notification_row(tenant, "evt-1", owner=worker.id),
                a_notification_row(other, "evt-2", owner=None),
            ],
            dead=[a_letter(None)],
            dead_events=[{"told": "dead"}],
        )
    )

    assert lost == {}
    assert await counts(superuser) == dict.fromkeys(LINE, 2) | {"event_bodies": 1}
    assert await superuser.outbox() == [{"told": "evt-2"}, {"told": "dead"}]
    assert await superuser.count("dead_letters") == 1
    row = await superuser.one("select owner, attempt, reason, provider from send_queue where tenant_id = $1", tenant)
    assert tuple(row) == (worker.id, 1, None, "smtp")
    row = await superuser.one("select kind, message from message_contents where tenant_id = $1", tenant)
    assert decode(*row) == RENDERED
    assert await superuser.trail(id_of(other, "evt-2")) == [(1, "queued", "rate")]


async def test_one_bad_row_leaves_nothing_of_its_batch(
    ledger: PostgresLedger, superuser: Superuser, worker: Worker, tenant: UUID
) -> None:
    twice = a_notification_row(tenant, "evt-2", owner=worker.id)

    with pytest.raises(asyncpg.UniqueViolationError):
        await ledger.claim(
            a_claim(
                worker.id,
                an_event_row(tenant, "evt-1"),
                an_event_row(tenant, "evt-2"),
                notifications=[a_notification_row(tenant, "evt-1", owner=worker.id), twice, twice],
                dead=[a_letter(tenant)],
            )
        )

    assert await counts(superuser) == dict.fromkeys(LINE, 0)
    assert await superuser.count("dead_letters") == 0


async def test_what_a_claim_is_refused_for_is_no_absence_of_postgres(
    ledger: PostgresLedger, worker: Worker, tenant: UUID
) -> None:
    bad = a_notification_row(tenant, owner=worker.id, recipient="lone \ud800 surrogate")

    with pytest.raises(Exception, match="surrogate") as caught:
        await ledger.claim(a_claim(worker.id, an_event_row(tenant), notifications=[bad]))

    assert not isinstance(caught.value, UnavailableError)


async def test_two_claims_of_one_event_at_once_write_it_once(
    ledger: PostgresLedger, superuser: Superuser, worker: Worker, tenant: UUID
) -> None:
    names = [f"evt-{number}" for number in range(20)]
    first = [an_event_row(tenant, name, entry_id="1-1") for name in names]
    second = [an_event_row(tenant, name, entry_id="2-2") for name in reversed(names)]

    lost_by_first, lost_by_second = await asyncio.gather(
        ledger.claim(a_claim(worker.id, *first)), ledger.claim(a_claim(worker.id, *second))
    )

    assert len(lost_by_first) + len(lost_by_second) == 20
    assert set(lost_by_first.values()) <= {Seen(stream="outbound:events", entry_id="2-2")}
    assert set(lost_by_second.values()) <= {Seen(stream="outbound:events", entry_id="1-1")}
    assert await counts(superuser) == dict.fromkeys(LINE, 20) | {"outbox": 0}


async def test_a_late_claim_writes_what_is_new_in_it_and_nothing_of_the_rest(
    ledger: PostgresLedger, superuser: Superuser, worker: Worker, tenant: UUID
) -> None:
    await ledger.claim(a_claim(worker.id, an_event_row(tenant, "evt-1")))

    lost = await ledger.claim(
        a_claim(worker.id, an_event_row(tenant, "evt-1", entry_id="2-1"), an_event_row(tenant, "evt-2"))
    )

    assert lost == {key_of(tenant, "evt-1"): Seen(stream="outbound:events", entry_id="1-1")}
    assert await counts(superuser) == dict.fromkeys(LINE, 2) | {"outbox": 0}


async def test_a_worker_that_was_declared_dead_claims_nothing(
    ledger: PostgresLedger, superuser: Superuser, workers: Workers, worker: Worker, tenant: UUID
) -> None:
    await adopted(workers, worker)

    with pytest.raises(FencedError):
        await ledger.claim(a_claim(worker.id, an_event_row(tenant)))

    assert await counts(superuser) == dict.fromkeys(LINE, 0)


async def test_a_worker_is_not_declared_dead_in_the_middle_of_a_claim(
    db: Database, workers: Workers, worker: Worker, tenant: UUID
) -> None:
    async def never(_: Worker) -> None:
        raise AssertionError("the worker is at work")

    async with db.tenants(Role.WORKER, (tenant,), owner=worker.id):
        assert await workers.adopt(worker, worker.name, never, lambda _rows, _marks: []) is None

    assert await workers.all() != []


async def test_repeats_are_appended_each_and_at_most_a_hundred(
    ledger: PostgresLedger, superuser: Superuser, worker: Worker, tenant: UUID
) -> None:
    await ledger.claim(a_claim(worker.id, an_event_row(tenant)))
    repeats = [
        RepeatRow(key=key_of(tenant, "evt-1"), stream="s", entry_id=f"9-{number}", delivery_event={"told": number})
        for number in range(101)
    ]

    await ledger.claim(a_claim(worker.id, repeats=repeats[:2]))
    two = json.loads((await superuser.one("select repeats from consumed_events"))["repeats"])
    await ledger.claim(a_claim(worker.id, repeats=repeats))

    kept = json.loads((await superuser.one("select repeats from consumed_events"))["repeats"])
    assert sorted(repeat["entry_id"] for repeat in two) == ["9-0", "9-1"]
    assert len(kept) == 100
    assert len(await superuser.outbox()) == 103


async def test_directory_changes_are_in_force_with_their_claim(
    ledger: PostgresLedger, superuser: Superuser, worker: Worker
) -> None:
    tenant, namesake = uuid4(), uuid4()
    upsert = DirectoryChange(kind="tenant_register", values={"name": "Acme", "slug": "acme"})
    user = DirectoryChange(kind="user_upsert", values={"user_id": "u-1", "email": " Alice@Example.com ", "name": "A"})
    for id_ in (tenant, namesake):
        await ledger.claim(a_claim(worker.id, an_event_row(id_, changes=(upsert, user)), notifications=[]))

    facts = await ledger.read(
        [key_of(tenant, "evt-1")],
        [RecipientKey(tenant_id=tenant, user_id="u-1", email=None, subtype="ticket-updated", category="tickets")],
    )

    slugs = [row[0] for row in await superuser.sql("select slug from tenants order by slug")]
    assert slugs == ["acme", f"acme-{namesake.hex[:12]}"]
    assert facts.tenants[tenant].name == "Acme"
    assert facts.recipients[0].email == ADDRESS
    assert facts.seen == {key_of(tenant, "evt-1"): Seen(stream="outbound:events", entry_id="1-1")}


async def test_recipients_come_back_in_the_order_asked_with_what_is_known(
    ledger: PostgresLedger, superuser: Superuser, tenant: UUID
) -> None:
    other = await superuser.add_tenant(uuid4())
    for id_, address in ((tenant, "alice@example.com"), (other, "elsewhere@example.com")):
        await superuser.sql("insert into users (tenant_id, user_id, email) values ($1, 'u-1', $2)", id_, address)
    await superuser.sql(
        "insert into user_notification_preferences (tenant_id, user_id, scope, slug, is_enabled)"
        " values ($1, 'u-1', 'subtype', 'ticket-updated', true), ($1, 'u-1', 'category', 'tickets', false)",
        tenant,
    )
    for id_, address, reason in (
        (tenant, "alice@example.com", "manual"),
        (None, "alice@example.com", "hard_bounce"),
        (other, "alice@example.com", "complaint"),
        (None, "bob@example.com", "complaint"),
    ):
        await superuser.suppress(VAULT, id_, address, reason)

    def key(user_id: str | None, email: str | None, id_: UUID = tenant) -> RecipientKey:
        return RecipientKey(tenant_id=id_, user_id=user_id, email=email, subtype="ticket-updated", category="tickets")

    facts = await ledger.read(
        [], [key("nobody", None), key("u-1", None), key("u-1", "bob@example.com"), key("u-1", None, other)]
    )

    unknown, alice, at_bobs, elsewhere = facts.recipients
    assert (unknown.email, unknown.wants_subtype, unknown.suppressions) == (None, None, frozenset())
    assert (alice.email, alice.wants_subtype, alice.wants_category) == ("alice@example.com", True, False)
    assert alice.suppressions == {"manual", "hard_bounce"}
    assert at_bobs.suppressions == {"complaint"}
    assert (elsewhere.email, elsewhere.wants_category) == ("elsewhere@example.com", None)


async def test_a_tenant_s_settings_lie_over_the_system_s_and_hold_at_once(
    db: Database, ledger: PostgresLedger, tenant: UUID
) -> None:
    key = key_of(tenant, "evt-1")
    before = (await ledger.read([key], [])).tenants[tenant]
    async with db.tenants(Role.API, (tenant,)) as connection:
        await connection.execute(
            "insert into notification_settings (tenant_id, is_enabled, rate_limit_per_minute) values ($1, false, 6)",
            tenant,
        )
        await connection.execute(
            "insert into notification_subtypes (tenant_id, slug, category, is_default_enabled, uncertain_policy,"
            " expires_after, is_mandatory)"
            " values ($1, 'ticket-updated', 'mine', false, 'at_most_once', '1 hour', true)",
            tenant,
        )
        await connection.execute(
            "insert into notification_categories (tenant_id, slug, is_enabled) values ($1, 'invoices', false)", tenant
        )

    after = (await ledger.read([key], [])).tenants[tenant]

    assert after.version > before.version
    assert (before.is_enabled, before.rate_per_minute) == (True, None)
    assert (after.is_enabled, after.rate_per_minute) == (False, 6)
    ticket = after.subtypes["ticket-updated"]
    assert before.subtypes["ticket-updated"].enabled_by_default
    assert (ticket.enabled_by_default, ticket.uncertain_policy, ticket.expires_after) == (
        False,
        "at_most_once",
        timedelta(hours=1),
    )
    assert (ticket.category, ticket.is_mandatory) == ("tickets", False)
    assert before.subtypes["invoice-issued"].category_enabled
    assert not after.subtypes["invoice-issued"].category_enabled


async def test_a_pinned_template_stays_readable_after_a_newer_one(
    ledger: PostgresLedger, superuser: Superuser, tenant: UUID
) -> None:
    other = await superuser.add_tenant(uuid4())
    insert = (
        "insert into tenant_email_templates (tenant_id, name, locale, version, subject, html, text, layout_html,"
        " layout_text, is_current, created_by) values ($1, 'ticket-updated', 'en', $2, $2, '', '', '', '', $3, 'x')"
    )
    await superuser.sql(insert, tenant, "old", False)
    await superuser.sql(insert, tenant, "new", True)

    pinned = await ledger.template(tenant, "ticket-updated", "en", "old")

    system = await superuser.one(
        "select version from system_email_templates where (name, locale) = ('ticket-updated', 'en')"
    )
    assert pinned.subject == "old"
    assert (await ledger.template(other, "ticket-updated", "en", system["version"])).name == "ticket-updated"
    with pytest.raises(LookupError):
        await ledger.template(other, "ticket-updated", "en", "old")
