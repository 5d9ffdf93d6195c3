"""Suppression lists: whom they hold back, from what, until when, and who may write them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from notifications.facts import RecipientKey
from notifications.suppression import EVERYTHING, Entry, Scope, Source, SuppressionReason
from storage.address_vault import AddressVault
from storage.ledger import PostgresLedger
from storage.roles import Role
from storage.session import Database
from storage.settings_cache import SettingsCache
from storage.suppressions import Changes, SuppressionLists, UnknownTenantError
from tests.storage.fixtures import VAULT
from tests.storage.rows import Superuser

ALICE = "alice@example.com"
LATER = datetime.now(UTC) + timedelta(days=1)
UNSUBSCRIBED = SuppressionReason.UNSUBSCRIBED
TICKETS, UPDATES = Scope.parse("category:tickets"), Scope.parse("subtype:ticket-updated")


@pytest.fixture
def lists(db: Database) -> SuppressionLists:
    return SuppressionLists(db, VAULT)


def entry(address: str = ALICE, reason: SuppressionReason = SuppressionReason.MANUAL, **more: Any) -> Entry:
    return Entry(address=address, reason=reason, **more)


async def put(lists: SuppressionLists, tenant: UUID | None, *entries: Entry) -> Changes:
    return await lists.put(tenant, entries, source=Source.OPERATOR, actor="cli:test")


async def held(ledger: PostgresLedger, tenant: UUID, subtype: str = "ticket-updated", **more: Any) -> frozenset[str]:
    """Return the reasons that hold this kind of mail back from Alice."""
    fields = {"user_id": None, "email": ALICE, "category": "tickets"} | more
    facts = await ledger.read([], [RecipientKey(tenant_id=tenant, subtype=subtype, **fields)])
    return facts.recipients[0].suppressions


async def test_an_address_is_held_by_its_tenant_s_list_and_the_global_one(
    lists: SuppressionLists, ledger: PostgresLedger, superuser: Superuser, tenant: UUID
) -> None:
    other = await superuser.add_tenant(uuid4())
    await put(lists, tenant, entry())
    await put(lists, None, entry(reason=SuppressionReason.COMPLAINT))

    assert await held(ledger, tenant) == {"manual", "complaint"}
    assert await held(ledger, other) == {"complaint"}
    assert await held(ledger, tenant, email="bob@example.com") == frozenset()


async def test_the_directory_s_and_the_preferred_address_are_looked_up_too(
    lists: SuppressionLists, ledger: PostgresLedger, superuser: Superuser, tenant: UUID
) -> None:
    await superuser.sql("insert into users (tenant_id, user_id, email) values ($1, 'u-1', $2)", tenant, ALICE)
    await superuser.sql(
        "insert into user_notification_preferences (tenant_id, user_id, scope, slug, email)"
        " values ($1, 'u-2', 'subtype', 'ticket-updated', $2)",
        tenant,
        ALICE,
    )
    await put(lists, tenant, entry())

    assert await held(ledger, tenant, user_id="u-1", email=None) == {"manual"}
    assert await held(ledger, tenant, user_id="u-2", email="bob@example.com") == {"manual"}
    assert await held(ledger, tenant, user_id="u-2", email="bob@example.com", keeps_address=True) == frozenset()


@pytest.mark.parametrize(
    ("scope", "holds"),
    [
        (EVERYTHING, ["ticket-updated", "ticket-closed", "invoice-paid"]),
        (TICKETS, ["ticket-updated", "ticket-closed"]),
        (UPDATES, ["ticket-updated"]),
    ],
)
async def test_an_unsubscribing_holds_the_mail_that_it_is_about(
    lists: SuppressionLists, ledger: PostgresLedger, tenant: UUID, scope: Scope, holds: list[str]
) -> None:
    await put(lists, tenant, entry(reason=UNSUBSCRIBED, scope=scope))

    found = {
        subtype: await held(ledger, tenant, subtype, category=category)
        for subtype, category in (
            ("ticket-updated", "tickets"),
            ("ticket-closed", "tickets"),
            ("invoice-paid", "invoices"),
        )
    }
    assert [subtype for subtype, reasons in found.items() if reasons] == holds


async def test_what_has_expired_holds_nothing(lists: SuppressionLists, ledger: PostgresLedger, tenant: UUID) -> None:
    await put(lists, tenant, entry(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    before = await held(ledger, tenant)
    await put(lists, tenant, entry(expires_at=LATER))

    assert (before, await held(ledger, tenant)) == (frozenset(), {"manual"})


async def test_after_a_change_of_keys_everything_is_found_and_renewed_when_it_is_put_again(
    db: Database, lists: SuppressionLists, superuser: Superuser, tenant: UUID
) -> None:
    await put(lists, tenant, entry())
    vault = AddressVault([b"new key", b"secret"])
    rotated = SuppressionLists(db, vault)

    assert await held(PostgresLedger(db, SettingsCache(db), vault), tenant) == {"manual"}
    [found] = await rotated.of_address(ALICE)
    assert (await put(rotated, tenant, entry())).unchanged == 1
    row = await superuser.one("select id, key_id, address_hash from suppressions")
    assert tuple(row) == (found.id, vault.key_id, vault.hashes(ALICE)[0])
    [again] = await SuppressionLists(db, AddressVault([b"new key"])).of_address(ALICE)
    assert again.address == ALICE


async def test_a_row_whose_key_is_gone_is_shown_without_its_address(
    db: Database, lists: SuppressionLists, tenant: UUID
) -> None:
    await put(lists, tenant, entry())

    [row] = await SuppressionLists(db, AddressVault([b"other"])).page(tenant, None, 10)

    assert (row.address, row.reason) == (None, "manual")


async def test_nothing_is_stored_or_audited_in_the_clear(
    lists: SuppressionLists, superuser: Superuser, tenant: UUID
) -> None:
    await put(lists, tenant, entry())
    await lists.remove(tenant, ALICE, actor="cli:test")
    await put(lists, tenant, entry())

    for table in ("suppressions", "audit_log"):
        for row in await superuser.sql(f"select t::text from {table} t"):  # noqa: S608 - names of this test
            assert "alice" not in row[0]


async def test_the_same_again_changes_nothing_and_tells_nobody(
    lists: SuppressionLists, superuser: Superuser, tenant: UUID
) -> None:
    first = await put(lists, tenant, entry(), entry("bob@example.com"), entry())
    second = await put(lists, tenant, entry(), entry("bob@example.com", note="asked by telephone"))
    third = await put(lists, tenant, entry(), entry("bob@example.com", note="asked by telephone"))

    assert (first, second, third) == (Changes(added=2), Changes(changed=1, unchanged=1), Changes(unchanged=2))
    actions = [row[0] for row in await superuser.sql("select action from audit_log order by id")]
    assert actions == ["suppression.added", "suppression.added", "suppression.changed"]


async def test_a_change_is_audited_under_its_list_with_who_made_it(
    lists: SuppressionLists, superuser: Superuser, tenant: UUID
) -> None:
    await put(lists, tenant, entry(reason=UNSUBSCRIBED, scope=UPDATES, expires_at=LATER))
    await put(lists, None, entry())

    own, service = await superuser.sql("select tenant_id, actor, subject, detail from audit_log order by id")
    assert (own["tenant_id"], own["actor"], own["subject"]) == (tenant, "cli:test", VAULT.hashes(ALICE)[0].hex())
    detail = json.loads(own["detail"])
    assert detail == {"reason": "unsubscribed", "scope": "subtype:ticket-updated", "expires_at": LATER.isoformat()}
    assert service["tenant_id"] is None


async def test_only_what_was_named_is_removed(lists: SuppressionLists, superuser: Superuser, tenant: UUID) -> None:
    await put(lists, None, entry())
    await put(lists, tenant, entry(), entry(reason=UNSUBSCRIBED), entry(reason=UNSUBSCRIBED, scope=UPDATES))

    counts = [
        await lists.remove(tenant, ALICE, scope=UPDATES, actor="a"),
        await lists.remove(tenant, ALICE, reason=SuppressionReason.COMPLAINT, actor="a"),
        await lists.remove(tenant, ALICE, actor="a"),
    ]

    assert counts == [1, 0, 2]
    assert [row.tenant_id for row in await lists.of_address(ALICE)] == [None]


async def test_an_unknown_tenant_has_no_list(lists: SuppressionLists, superuser: Superuser) -> None:
    with pytest.raises(UnknownTenantError):
        await put(lists, uuid4(), entry())

    assert await superuser.count("audit_log") == 0


async def test_a_tenant_s_transaction_cannot_touch_a_global_row(
    db: Database, lists: SuppressionLists, tenant: UUID
) -> None:
    await put(lists, None, entry())

    async with db.tenants(Role.API, (tenant,)) as connection:
        assert await connection.execute("delete from suppressions") == "DELETE 0"
        assert await connection.execute("update suppressions set note = 'x'") == "UPDATE 0"


async def test_pages_cover_one_list_once(lists: SuppressionLists, tenant: UUID) -> None:
    await put(lists, None, entry())
    await put(lists, tenant, *(entry(f"u{number}@example.com") for number in range(5)))

    pages, last = [], None
    while page := await lists.page(tenant, last, 2):
        pages.append([row.address for row in page])
        last = page[-1].id

    assert [len(page) for page in pages] == [2, 2, 1]
    assert sorted(address for page in pages for address in page) == [f"u{number}@example.com" for number in range(5)]
    assert await lists.count(tenant) == 5


@pytest.mark.parametrize(
    "values",
    [
        "'manual', 'subtype', 'ticket-updated'",  # only a wish is about less than all mail
        "'unsubscribed', 'subtype', null",
        "'unsubscribed', 'all', 'tickets'",
    ],
)
async def test_a_scope_that_makes_no_sense_is_refused_by_the_table(superuser: Superuser, values: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await superuser.sql(
            "insert into suppressions (address_hash, key_id, source, created_by, reason, scope, slug)"  # noqa: S608 - values of this file
            f" values (decode(repeat('00', 16), 'hex'), 'k', 'operator', 'a', {values})"
        )
