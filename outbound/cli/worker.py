"""`outbound worker`: read the bus, send mail, report what became of it."""

from __future__ import annotations

import asyncio
import gc
import sys

import structlog
from prometheus_client import disable_created_metrics
from redis.exceptions import RedisError

from consumers.app import run_until_stopped
from consumers.identity import NameInUseError
from notifications.ports import UnavailableError
from notifications.sender_address import InvalidSenderPolicyError
from outbound.health import HealthServer
from outbound.logs import configure
from outbound.settings import Settings, load
from outbound.telemetry import configure_tracing
from outbound.wiring import WorkerApp, open_worker
from providers.errors import InvalidConfigError, UnknownProviderError
from storage.schema_version import pending

log = structlog.get_logger()

_COLLECT_AFTER = 20_000
"""Objects made and not freed between two looks at the young ones; Python's own is 700."""

NEEDS = ("DATABASE_URL", "REDIS_URL", "OUTBOUND_SECRET_KEY")


def worker() -> None:
    """Run until SIGTERM or Ctrl-C; then what is ours is sent or handed back."""
    settings = load(needs=NEEDS)
    configure(settings.log_level)
    # When each series was born, once more for each of them: twice the text to scrape, and no rule of ours reads it.
    disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus_client does not annotate it
    flush = configure_tracing()
    try:
        asyncio.run(_run(settings))
    except NameInUseError as error:
        advice = "give each worker its own OUTBOUND_WORKER_NAME"
        log.error("worker.name_in_use", error=str(error), advice=advice)  # noqa: TRY400 - the sentence says it all
        sys.exit(1)
    except (InvalidConfigError, InvalidSenderPolicyError, UnknownProviderError, UnavailableError):
        raise
    except Exception:
        # A raw traceback would quote what the exception was told: a row, a password.
        log.exception("worker.crashed")
        sys.exit(1)
    finally:
        flush()


async def _run(settings: Settings) -> None:
    if await pending(settings.database_url.get_secret_value()):
        log.error("worker.database_not_migrated", advice="run `outbound migrate` first")
        sys.exit(1)
    async with open_worker(settings) as line:
        health = HealthServer(
            settings.health_port,
            registry=line.registry,
            is_live=lambda: True,
            is_ready=lambda: _readiness(line),
        )
        await health.start()
        _settle_memory()
        try:
            await run_until_stopped(line.app, asyncio.get_running_loop())
        finally:
            await health.stop()
    log.info("worker.stopped")


def _settle_memory() -> None:
    """Take everything loaded so far out of the garbage collector's sight, and let it look less often.

    A batch makes tens of thousands of objects that live for milliseconds; looking at all others again and again
    meanwhile costs more than any step of the line (docs/performance.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)


async def _readiness(line: WorkerApp) -> dict[str, str]:
    return {
        "postgres": "ok" if await line.database.is_up() else "away",
        "redis": await _redis(line),
        "worker": "draining" if line.app.should_stop else "ok" if line.identity.is_fresh() else "no heartbeat",
    }


async def _redis(line: WorkerApp) -> str:
    try:
        await line.redis.ping()
    except (RedisError, OSError):
        return "away"
    return "ok"
