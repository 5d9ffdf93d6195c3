"""What the loops stand on: a database, a Redis, and who we are."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from consumers.identity import Identity
from notifications.metrics import LineMetrics
from outbound.wiring import connect_redis
from storage.workers import Workers
from tests.storage.fixtures import db, ledger, superuser, tenant, workers

__all__ = ["db", "ledger", "superuser", "tenant", "workers"]


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with connect_redis(redis_url) as client:
        yield client


@pytest.fixture
async def identity(workers: Workers, redis: Redis) -> Identity:
    """Registered; its heart beats only when a test makes it."""
    identity = Identity(workers, redis, "worker-1")
    await identity.on_start()
    return identity


@pytest.fixture
def metrics() -> LineMetrics:
    return LineMetrics(CollectorRegistry())
