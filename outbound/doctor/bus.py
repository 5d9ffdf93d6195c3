"""Redis: reachable, new enough, losing nothing by its configuration, and with our group on every stream."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from redis.exceptions import RedisError, ResponseError

from outbound.doctor.check import Check, failure, good, warning
from outbound.redis_client import connect_redis
from outbound.settings import Settings

_OLDEST = (6, 2)


async def check_redis(settings: Settings) -> list[Check]:
    """Check the server behind REDIS_URL."""
    try:
        redis = connect_redis(settings.redis_url.get_secret_value())
    except ValueError:
        # Its text may quote a piece of the address, which holds the password.
        return [failure("redis", "the address cannot be read", "correct REDIS_URL")]
    async with redis:
        try:
            info: Mapping[str, Any] = await redis.info()
            groups = [await _group(redis, stream, settings.group) for stream in settings.streams]
        except (RedisError, OSError) as error:
            found = type(error).__name__
            return [failure("redis", found, "check REDIS_URL, and that the server runs and lets this host in")]
    return [*judge(info), *groups]


def judge(info: Mapping[str, Any]) -> Iterator[Check]:
    """Yield what the server's INFO means; Valkey calls itself by the version of Redis that it speaks."""
    name = str(info.get("server_name", "redis"))
    version = str(info.get("redis_version", ""))
    if _version(version) < _OLDEST:
        yield failure("redis", f"{name} {version}", "use Redis 6.2 or later, or Valkey")
    else:
        yield good("redis", f"{name} {info.get('valkey_version', version)}")
    policy = info.get("maxmemory_policy")
    if policy == "noeviction":
        yield good("redis eviction", "maxmemory-policy is noeviction")
    else:
        yield failure(
            "redis eviction",
            f"maxmemory-policy is {policy}: a full server deletes events that nobody has read",
            "set maxmemory-policy to noeviction",
        )
    if info.get("aof_enabled"):
        yield good("redis durability", "appendonly is on")
    else:
        yield warning(
            "redis durability",
            "appendonly is off: a crash loses the events of the last minutes that nobody has read",
            "set appendonly to yes, and appendfsync to always where no second may be lost",
        )


async def _group(redis: Any, stream: str, group: str) -> Check:
    name = f"stream {stream}"
    advice = "start `outbound worker`, which makes it"
    try:
        groups = {found["name"].decode() for found in await redis.xinfo_groups(stream)}
    except ResponseError as error:
        if "no such key" in str(error):
            return warning(name, "does not exist yet", advice)
        return failure(name, str(error), "see whether something else is stored under this name")
    if group not in groups:
        return warning(name, f"has no group {group} yet", advice)
    return good(name, f"is read by the group {group}")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])
