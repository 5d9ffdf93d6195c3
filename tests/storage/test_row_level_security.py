"""One tenant cannot see or touch another's rows: tried in every table, as every role."""

from __future__ import annotations

from itertools import product
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from storage.roles import Role
from storage.session import Connection, Database
from tests.notifications.builders import OTHER_TENANT, TENANT
from tests.storage.rows import Superuser
from tests.storage.tenant_rows import insert, rows_of, tenant_column

A, B = TENANT, OTHER_TENANT
TABLES = sorted(rows_of(A))
SYSTEM_ROWS = {"notification_categories", "notification_subtypes"}
WRITERS = [Role.WORKER, Role.API]
WRITE_ONLY = ["audit_log", "dead_letters", "outbox"]
"""What they may add to at most, and never read."""
READABLE = sorted(set(TABLES) - set(WRITE_ONLY))


async def seen(connection: Connection, table: str) -> dict[UUID | None, int]:
    column = tenant_column(table)
    query = f"select {column}, count(*) from {table} group by 1"  # noqa: S608 - names of this file
    return {row[0]: row[1] for row in await connection.fetch(query)}


@pytest.fixture
async def planted(superuser: Superuser) -> Superuser:
    """A row in every table for each of two tenants."""
    for tenant in (A, B):
        rows = rows_of(tenant)
        await insert(superuser.connection, "tenants", tenant, rows.pop("tenants"))
        for table, row in rows.items():
            await insert(superuser.connection, table, tenant, row)
    return superuser


async def everything_of(superuser: Superuser, tenant: UUID) -> list[str]:
    """Every row of a tenant, as text."""
    rows: list[str] = []
    for table in TABLES:
        query = f"select t::text from {table} t where {tenant_column(table)} = $1"  # noqa: S608 - names of this file
        rows += [f"{table}: {row[0]}" for row in await superuser.sql(query, tenant)]
    return sorted(rows)


async def test_the_rows_cover_every_table_with_a_tenant(superuser: Superuser) -> None:
    found = await superuser.sql(
        "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'"
        " where c.relnamespace = 'outbound'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition"
    )

    assert sorted({row[0] for row in found} | {"tenants"}) == TABLES


async def test_a_role_that_names_a_tenant_sees_that_tenant_s_rows_and_no_others(
    db: Database, planted: Superuser
) -> None:
    for role, table in product(WRITERS, READABLE):
        async with db.tenants(role, (A,)) as connection:
            counts = await seen(connection, table)
        system = counts.pop(None, 0)
        assert counts == {A: 1}, table
        assert bool(system) == (table in SYSTEM_ROWS), table


async def test_a_worker_sees_exactly_the_tenants_of_its_batch(db: Database, planted: Superuser) -> None:
    async with db.tenants(Role.WORKER, (A, B)) as connection:
        assert await seen(connection, "notification_logs") == {A: 1, B: 1}


async def test_a_role_that_names_no_tenant_sees_nobody_s_rows(db: Database, planted: Superuser) -> None:
    for role, table in product(WRITERS, READABLE):
        for open_ in (db.tenants(role, ()), db.everyone(role)):
            async with open_ as connection:
                assert set(await seen(connection, table)) <= {None}, table


async def test_what_a_role_may_only_add_to_it_cannot_read(db: Database, planted: Superuser) -> None:
    for role, table in product(WRITERS, WRITE_ONLY):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.tenants(role, (A,)) as connection:
                await seen(connection, table)


async def attempts_on(connection: Connection, role: Role, table: str) -> list[tuple[str, list[Any]]]:
    """Every way in which a role might write another tenant's row, in the columns it may write at all."""
    column = tenant_column(table)
    allowed = await connection.fetch(
        "select attname from pg_attribute where attrelid = $1::text::regclass and attnum > 0 and not attisdropped"
        " and attidentity = '' and has_column_privilege($2::text, attrelid, attnum, 'update')",
        table,
        role.value,
    )
    attempts: list[tuple[str, list[Any]]] = [(f"delete from {table} where {column} = $1", [B])]  # noqa: S608 - names of this file
    for row in allowed:
        name = row["attname"]
        attempts.append((f"update {table} set {name} = {name} where {column} = $1", [B]))  # noqa: S608 - the same
        if name == column:
            attempts.append((f"update {table} set {name} = $1 where {column} = $2", [B, A]))  # noqa: S608 - the same
    return attempts


@pytest.mark.parametrize("role", WRITERS)
async def test_a_role_that_names_a_tenant_cannot_change_another_s_rows(
    db: Database, planted: Superuser, role: Role
) -> None:
    before = await everything_of(planted, B)

    for table in TABLES:
        async with db.tenants(role, (A,)) as connection:
            attempts = await attempts_on(connection, role, table)
        for statement, values in attempts:
            try:
                async with db.tenants(role, (A,)) as connection:
                    result = await connection.execute(statement, *values)
            except asyncpg.InsufficientPrivilegeError:
                continue
            assert result.endswith(" 0"), statement

    assert await everything_of(planted, B) == before


async def test_a_role_cannot_insert_for_a_tenant_it_does_not_name(db: Database, superuser: Superuser) -> None:
    for tenant in (A, B):
        await insert(superuser.connection, "tenants", tenant, rows_of(tenant)["tenants"])

    for role, named in product(WRITERS, ((A,), ())):
        for table, row in rows_of(B).items():
            if (role, table) == (Role.WORKER, "dead_letters"):
                continue  # a dead letter tells whose it claims to be; only operators read it
            fresh = row | {"slug": "another"} if table == "tenants" else row
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with db.tenants(role, named) as connection:
                    await insert(connection, table, UUID(int=1) if table == "tenants" else B, fresh)


async def test_system_rows_are_read_by_tenants_and_written_by_none(db: Database, superuser: Superuser) -> None:
    for role in WRITERS:
        for table, row in (("notification_categories", {"slug": "x"}), ("suppressions", rows_of(A)["suppressions"])):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with db.tenants(role, (A,)) as connection:
                    await insert(connection, table, None, row)
    async with db.tenants(Role.API, (A,)) as connection:
        assert await connection.execute("update notification_subtypes set is_enabled = false") == "UPDATE 0"
        assert await connection.execute("delete from notification_categories") == "DELETE 0"


async def test_the_dispatcher_reads_ids_and_when_digests_close_and_nothing_else(
    db: Database, planted: Superuser
) -> None:
    names = await planted.sql(
        "select relname from pg_class where relnamespace = 'outbound'::regnamespace and relkind in ('r', 'p', 'v', 'm')"
    )
    readable = set()
    for row in names:
        try:
            async with db.everyone(Role.DISPATCHER) as connection:
                await connection.fetch(f"select * from {row['relname']} limit 1")  # noqa: S608 - names of the catalogue
            readable.add(row["relname"])
        except asyncpg.InsufficientPrivilegeError:
            pass

    assert readable == {"send_queue", "outbox", "workers"}
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.everyone(Role.DISPATCHER) as connection:
            await connection.fetch("select reader from digests")
    async with db.everyone(Role.DISPATCHER) as connection:
        assert len(await connection.fetch("select id, tenant_id, closes_at from digests where closed_at is null")) == 2
        assert await seen(connection, "send_queue") == {A: 1, B: 1}
        assert await seen(connection, "outbox") == {A: 1, B: 1}


async def test_the_dispatcher_cannot_put_anything_into_the_queue_or_the_outbox(
    db: Database, planted: Superuser
) -> None:
    for table in ("send_queue", "outbox"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.everyone(Role.DISPATCHER) as connection:
                await insert(connection, table, A, rows_of(UUID(int=1))[table])


async def test_the_operator_reads_everything(db: Database, planted: Superuser) -> None:
    async with db.everyone(Role.PLATFORM) as connection:
        for table in TABLES:
            counts = await seen(connection, table)
            assert (counts.get(A), counts.get(B)) == (1, 1), table


async def test_the_operator_writes_no_tenant_s_rows(db: Database, planted: Superuser) -> None:
    before = await everything_of(planted, A)

    for table, row in rows_of(UUID(int=1)).items():
        if table == "audit_log":
            continue  # what the operator did to a tenant is told under that tenant
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.everyone(Role.PLATFORM) as connection:
                await insert(connection, table, UUID(int=1) if table == "tenants" else A, row)
        for statement in (
            f"delete from {table}",  # noqa: S608 - names of this file
            f"update {table} set {tenant_column(table)} = {tenant_column(table)}",  # noqa: S608 - the same
        ):
            try:
                async with db.everyone(Role.PLATFORM) as connection:
                    result = await connection.execute(statement)
            except asyncpg.InsufficientPrivilegeError:
                continue
            # What belongs to no tenant is the operator's to write.
            assert (table, result[-2:]) == ("suppressions", " 0"), statement

    assert await everything_of(planted, A) == before


async def test_the_login_itself_can_do_nothing(database: str, planted: Superuser) -> None:
    connection = await asyncpg.connect(database)
    try:
        for table in TABLES:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"select * from outbound.{table}")  # noqa: S608 - names of this file
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("insert into outbound.outbox (body) values ('{}')")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("select outbound.ensure_partitions()")
    finally:
        await connection.close()


async def test_a_partition_is_no_way_around_the_policies(db: Database, planted: Superuser) -> None:
    for table in ("notification_logs", "message_contents", "delivery_attempts", "event_bodies"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.tenants(Role.WORKER, (A,)) as connection:
                await connection.fetch(f"select * from {table}_default")  # noqa: S608 - names of this file


async def test_the_owner_of_the_tables_is_bound_as_well(database: str, planted: Superuser) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(f"set role {Role.OWNER}")
        # Policies for its own functions: retention looks at the ids of the queue and of digests, slugs are unique over
        # all tenants.
        for table in sorted(set(TABLES) - SYSTEM_ROWS - {"send_queue", "digest_items", "tenants"}):
            rows = await connection.fetch(f"select * from outbound.{table}")  # noqa: S608 - names of this file
            assert rows == [], table
    finally:
        await connection.close()


async def test_whose_a_slug_is_can_be_asked_but_not_read(db: Database, planted: Superuser) -> None:
    slug = rows_of(B)["tenants"]["slug"]

    async with db.tenants(Role.WORKER, (A,)) as connection:
        assert await connection.fetchval("select slug_is_taken($1, $2)", slug, A) is True
        assert await connection.fetchval("select slug_is_taken($1, $2)", slug, B) is False
        assert await connection.fetchval("select slug_is_taken('free', $1)", A) is False
