"""One tenant cannot see another's: a rule of the schema, not of the queries."""

from __future__ import annotations

from typing import Any

import asyncpg

WITH_TENANT = """
select c.relname, c.relrowsecurity, c.relforcerowsecurity,
       exists (select from pg_policy p where p.polrelid = c.oid) as has_policy
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'
  join pg_attribute a on a.attrelid = c.oid and not a.attisdropped and a.attname = 'tenant_id'
 where c.relkind in ('r', 'p') and not c.relispartition
 order by 1
"""
PARTITION_GRANTS = """
select c.relname, g.grantee, g.privilege_type
  from pg_class c
  join information_schema.role_table_grants g on g.table_name = c.relname
 where c.relispartition and g.grantee like 'outbound\\_%'
"""
BYPASSING = "select rolname from pg_roles where rolname like 'outbound%' and (rolsuper or rolbypassrls)"


async def fetch(url: str, query: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(query)
    finally:
        await connection.close()


async def test_every_table_with_a_tenant_has_forced_row_level_security_and_a_policy(database: str) -> None:
    tables = await fetch(database, WITH_TENANT)

    assert len(tables) > 5
    for table in tables:
        assert (table["relrowsecurity"], table["relforcerowsecurity"], table["has_policy"]) == (True, True, True), table


async def test_no_role_of_ours_bypasses_row_level_security(database: str) -> None:
    assert await fetch(database, BYPASSING) == []


async def test_partitions_are_reached_through_their_parents_only(database: str) -> None:
    assert await fetch(database, PARTITION_GRANTS) == []
