"""The composition root: builds every part from the settings, top to bottom, and closes them again."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir

import faust
from opentelemetry import trace
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from consumers.app import BatchChannel, assemble, make_app
from consumers.bus import RedisBus
from consumers.dispatcher import Dispatcher
from consumers.identity import Identity
from consumers.read_ahead import ReadAhead
from consumers.recorder import Recorder
from consumers.relay import Relay
from consumers.routes import ROUTES
from consumers.sender import Sender
from consumers.source import Source
from notifications.after import RetryPolicy
from notifications.claim import ClaimBuilder
from notifications.draft import RateDefaults
from notifications.metrics import LineMetrics
from notifications.pipeline import LineOptions, Pipeline
from notifications.plan import Planner
from notifications.render import Renderer
from notifications.reopening import Reopening
from notifications.report import Reports
from notifications.sender_address import SenderPolicy
from notifications.senders import Senders
from notifications.tracing import LineTracer
from outbound.redis_client import connect_redis
from outbound.settings import Settings, SettingsError, provider_config
from providers.manager import ProviderManager
from providers.registry import load
from storage.ledger import PostgresLedger
from storage.limiter import RedisLimiter
from storage.outbox import Outbox
from storage.queue import SendQueue
from storage.roles import Role
from storage.session import Database, open_database
from storage.settings_cache import SettingsCache
from storage.transitions import PostgresTransitions
from storage.workers import Workers

_READ_AHEAD_ENTRIES = 20_000
_READ_AHEAD_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerApp:
    """A worker ready to run, and what its health endpoints ask."""

    app: faust.App
    identity: Identity
    database: Database
    redis: Redis
    registry: CollectorRegistry


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def build_providers(settings: Settings) -> ProviderManager:
    """Build the primary and the fallback provider.

    Raises:
        SettingsError: when email is on and one of them lacks something it needs.
    """
    config = provider_config(settings)
    names = [name for name in (settings.email_provider, settings.email_fallback_provider) if name is not None]
    providers = {name: load(name)(config) for name in names}
    problems = [problem for provider in providers.values() for problem in provider.validate_config()]
    if problems and settings.email_enable:
        # Started all the same, it would try every mail in vain until it has failed for good.
        raise SettingsError("; ".join(problems))
    return ProviderManager(
        providers,
        settings.email_provider,
        settings.email_fallback_provider,
        attempt_timeout=settings.attempt_timeout,
    )


def sender_policy(settings: Settings) -> SenderPolicy:
    """Return the platform's sender addresses.

    Raises:
        InvalidSenderPolicyError: when one of them cannot be used.
    """
    return SenderPolicy(
        email_from=settings.email_from,
        tenant_from_pattern=settings.email_tenant_from_pattern,
        tenant_subdomain_pattern=settings.email_tenant_subdomain_pattern,
        reply_to=settings.email_reply_to,
        tenant_reply_to_pattern=settings.email_tenant_reply_to_pattern,
        resend_default_domain=settings.resend_default_domain,
    )


def retry_policy(settings: Settings) -> RetryPolicy:
    """Return when to try again and when to stop."""
    return RetryPolicy(
        base=settings.retry_base,
        max_tries=settings.max_attempts,
        max_age=settings.max_age,
        uncertain_delay=settings.uncertain_delay,
    )


@asynccontextmanager
async def open_worker(settings: Settings) -> AsyncGenerator[WorkerApp, None]:
    """Build a worker: connections first, then the line, then the loops that drive it.

    Raises:
        UnavailableError: when Postgres or Redis cannot be reached.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            open_database(settings.database_url.get_secret_value(), {Role.WORKER: 6, Role.DISPATCHER: 5})
        )
        redis = await stack.enter_async_context(connect_redis(settings.redis_url.get_secret_value()))
        reader = await stack.enter_async_context(connect_redis(settings.redis_url.get_secret_value()))
        providers = build_providers(settings)
        stack.push_async_callback(providers.aclose)
        registry = CollectorRegistry()
        cache = SettingsCache(database)
        line = await _build_line(settings, database, cache, redis, reader, providers, registry)
        yield WorkerApp(app=line[0], identity=line[1], database=database, redis=redis, registry=registry)


async def _build_line(
    settings: Settings,
    database: Database,
    cache: SettingsCache,
    redis: Redis,
    reader: Redis,
    providers: ProviderManager,
    registry: CollectorRegistry,
) -> tuple[faust.App, Identity]:
    secret = settings.secret_key[0].get_secret_value().encode()
    reports = Reports(secret=secret)
    metrics = LineMetrics(registry)
    tracer = LineTracer(trace.get_tracer("outbound") if is_tracing() else None)
    drain = settings.drain.total_seconds()
    retry = retry_policy(settings)
    senders = Senders(policy=sender_policy(settings), providers=providers)
    renderer = Renderer()
    templates = await cache.system_templates()
    for template in templates.all():
        # Compiling costs more than a batch may spend on rendering: the first mails would have to wait for it.
        renderer.check(template)
    workers = Workers(database)
    ledger = PostgresLedger(database, cache)
    transitions = PostgresTransitions(database, reports.of_change)
    bus = RedisBus(redis, reader, settings.streams, settings.group)
    await bus.ensure_groups()

    identity = Identity(workers, redis, settings.worker_name)
    recorder = Recorder(
        transitions=transitions,
        identity=identity,
        senders=senders,
        retry=retry,
        metrics=metrics,
        clock=now,
        drain_seconds=drain,
    )
    sender = Sender(
        providers=providers,
        identity=identity,
        record=recorder,
        tracer=tracer,
        metrics=metrics,
        clock=now,
        at_once=settings.connections,
        capacity=2 * settings.batch_max,
        drain_seconds=drain,
    )
    recorder.resend = sender

    async def quiesce() -> None:
        await sender.drain(5)
        await recorder.flush(5)

    identity.quiesce = quiesce
    pipeline = Pipeline(
        planner=Planner(routes=ROUTES, secret=secret, max_entry_bytes=settings.max_entry_bytes),
        ledger=ledger,
        limiter=RedisLimiter(redis),
        bus=bus,
        lane=sender,
        ownership=identity,
        renderer=renderer,
        templates=templates,
        senders=senders,
        claims=ClaimBuilder(reports=reports),
        metrics=metrics,
        tracer=tracer,
        options=LineOptions(
            service_enabled=settings.email_enable, rate=RateDefaults(per_minute=settings.rate_per_minute)
        ),
        clock=now,
    )
    dispatcher = Dispatcher(
        queue=SendQueue(database),
        workers=workers,
        transitions=transitions,
        reopening=Reopening(
            ledger=ledger,
            renderer=renderer,
            senders=senders,
            retry=retry,
            service_enabled=settings.email_enable,
            worker=lambda: f"{identity.worker.name}:{identity.owner}",
        ),
        identity=identity,
        sender=sender,
        providers=providers,
        redis=redis,
        metrics=metrics,
        clock=now,
    )
    relay = Relay(
        outbox=Outbox(database),
        redis=redis,
        streams={"deliveries": settings.deliveries, "events": settings.streams[-1]},
        retention=settings.deliveries_retention,
        clock=now,
    )
    app = make_app(str(Path(gettempdir()) / "outbound-faust"))
    channel = BatchChannel(app, settings.streams[-1])
    source = Source(
        bus=bus,
        line=pipeline,
        channel=channel,
        identity=identity,
        workers=workers,
        sender=sender,
        read_ahead=ReadAhead(settings.streams, max_entries=_READ_AHEAD_ENTRIES, max_bytes=_READ_AHEAD_BYTES),
        metrics=metrics,
        is_storage_up=database.is_up,
        batch_size=settings.batch_size,
        batch_max=settings.batch_max,
        clock=now,
    )
    assemble(app, channel, source, (identity, relay, recorder, sender, dispatcher))
    return app, identity


def is_tracing() -> bool:
    """Tell whether a tracer provider of the SDK is installed."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
