"""Each test's database and Redis are its own."""

from __future__ import annotations

import asyncpg
import pytest
import redis


@pytest.mark.parametrize("turn", [1, 2])
async def test_a_database_is_fresh_and_its_user_ordinary(empty_database: str, turn: int) -> None:
    connection = await asyncpg.connect(empty_database)
    try:
        await connection.execute("create table made (x int)")
        assert await connection.fetchval("select rolsuper or rolbypassrls from pg_roles where rolname=user") is False
    finally:
        await connection.close()


@pytest.mark.parametrize("turn", [1, 2])
def test_redis_is_empty(redis_url: str, turn: int) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("made", "1")
