"""The composition root: builds every part from the settings, top to bottom, and closes them again."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir

import faust
from opentelemetry import trace
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from consumers.app import BatchChannel, assemble, make_app
from consumers.bus import RedisBus
from consumers.digester import Digester
from consumers.dispatcher import Dispatcher
from consumers.identity import Identity
from consumers.read_ahead import ReadAhead
from consumers.recorder import Recorder
from consumers.relay import Relay
from consumers.routes import ROUTES
from consumers.sender import Sender
from consumers.source import Source
from consumers.steering import Steering
from notifications.claim import ClaimBuilder
from notifications.pipeline import LineOptions, Pipeline
from notifications.plan import Planner
from notifications.reopening import Reopening
from notifications.slots import RateDefaults
from notifications.threads import thread_domain
from outbound.drill import build_drills
from outbound.email import build_providers, configured_choice, retry_policy
from outbound.parts import Parts, build_parts, is_tracing, now
from outbound.redis_client import connect_redis
from outbound.settings import Settings
from storage.account_limiter import RedisAccountLimiter
from storage.digests import Digests
from storage.limiter import RedisLimiter
from storage.outbox import Outbox
from storage.provider_settings import ProviderSettings
from storage.queue import SendQueue
from storage.roles import Role
from storage.session import Database, open_database

_READ_AHEAD_ENTRIES = 20_000
_QUIESCE_SECONDS = 5.0
_READ_AHEAD_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerApp:
    """A worker ready to run, and what its health endpoints ask."""

    app: faust.App
    identity: Identity
    database: Database
    redis: Redis
    registry: CollectorRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hands:
    """Who we are, and what of ours is under way."""

    identity: Identity
    recorder: Recorder
    sender: Sender


@asynccontextmanager
async def open_worker(settings: Settings) -> AsyncGenerator[WorkerApp, None]:
    """Build a worker: connections first, then the line, then the loops that drive it.

    Raises:
        SettingsError: when email is on and a provider lacks something it needs.
        UnavailableError: when Postgres or Redis cannot be reached.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            open_database(settings.database_url.get_secret_value(), {Role.WORKER: 6, Role.DISPATCHER: 5})
        )
        redis = await stack.enter_async_context(connect_redis(settings.redis_url.get_secret_value()))
        reader = await stack.enter_async_context(connect_redis(settings.redis_url.get_secret_value()))
        providers = build_providers(settings, trace.get_tracer("outbound.providers") if is_tracing() else None)
        stack.push_async_callback(providers.aclose)
        registry = CollectorRegistry()
        bus = RedisBus(redis, reader, settings.streams, settings.group)
        await bus.ensure_groups()
        parts = await build_parts(settings, database, redis, providers, registry)
        hands = _build_hands(parts)
        yield WorkerApp(
            app=_build_app(parts, hands, bus, registry),
            identity=hands.identity,
            database=database,
            redis=redis,
            registry=registry,
        )


def _build_hands(parts: Parts) -> _Hands:
    """Build what holds mails: it hands outcomes on to the recorder, which hands the next attempts back."""
    settings = parts.settings
    drain = settings.drain.total_seconds()
    identity = Identity(parts.workers, parts.redis, settings.worker_name)
    recorder = Recorder(
        transitions=parts.transitions,
        identity=identity,
        routing=parts.routing,
        retry=retry_policy(settings),
        metrics=parts.metrics,
        clock=now,
        drain_seconds=drain,
    )
    sender = Sender(
        providers=parts.routing.providers,
        account=RedisAccountLimiter(parts.redis),
        files=parts.files,
        identity=identity,
        record=recorder,
        tracer=parts.tracer,
        metrics=parts.metrics,
        clock=now,
        at_once=settings.connections,
        capacity=2 * settings.batch_max,
        drain_seconds=drain,
    )
    recorder.lane = sender

    async def quiesce() -> None:
        await sender.drain(_QUIESCE_SECONDS)
        await recorder.flush(_QUIESCE_SECONDS)

    identity.quiesce = quiesce
    return _Hands(identity=identity, recorder=recorder, sender=sender)


def _build_pipeline(parts: Parts, hands: _Hands, bus: RedisBus) -> Pipeline:
    settings = parts.settings
    return Pipeline(
        planner=Planner(routes=ROUTES, secret=parts.secret, max_entry_bytes=settings.max_entry_bytes),
        ledger=parts.ledger,
        limiter=RedisLimiter(parts.redis),
        bus=bus,
        lane=hands.sender,
        files=parts.files,
        ownership=hands.identity,
        renderer=parts.renderer,
        templates=parts.templates,
        routing=parts.routing,
        claims=ClaimBuilder(reports=parts.reports),
        metrics=parts.metrics,
        tracer=parts.tracer,
        options=LineOptions(
            service_enabled=settings.email_enable,
            rate=RateDefaults(per_minute=settings.rate_per_minute),
            thread_domain=thread_domain(
                settings.email_from,
                settings.email_tenant_from_pattern,
                settings.email_tenant_subdomain_pattern,
                settings.resend_default_domain,
            ),
        ),
        clock=now,
    )


def _build_source(parts: Parts, hands: _Hands, bus: RedisBus, channel: BatchChannel) -> Source:
    settings = parts.settings
    return Source(
        bus=bus,
        line=_build_pipeline(parts, hands, bus),
        channel=channel,
        identity=hands.identity,
        workers=parts.workers,
        sender=hands.sender,
        read_ahead=ReadAhead(settings.streams, max_entries=_READ_AHEAD_ENTRIES, max_bytes=_READ_AHEAD_BYTES),
        metrics=parts.metrics,
        is_storage_up=parts.database.is_up,
        batch_size=settings.batch_size,
        batch_max=settings.batch_max,
    )


def _build_dispatcher(parts: Parts, hands: _Hands) -> Dispatcher:
    identity = hands.identity
    return Dispatcher(
        queue=SendQueue(parts.database),
        workers=parts.workers,
        transitions=parts.transitions,
        reopening=Reopening(
            ledger=parts.ledger,
            limiter=RedisLimiter(parts.redis),
            rate=RateDefaults(per_minute=parts.settings.rate_per_minute),
            renderer=parts.renderer,
            routing=parts.routing,
            retry=retry_policy(parts.settings),
            service_enabled=parts.settings.email_enable,
            worker=lambda: f"{identity.worker.name}:{identity.owner}",
        ),
        identity=identity,
        sender=hands.sender,
        redis=parts.redis,
        metrics=parts.metrics,
        clock=now,
    )


def _build_digester(parts: Parts) -> Digester:
    return Digester(
        digests=Digests(parts.database, parts.reports),
        ledger=parts.ledger,
        templates=parts.templates,
        renderer=parts.renderer,
        reports=parts.reports,
        secret=parts.secret,
        metrics=parts.metrics,
        clock=now,
        service_enabled=parts.settings.email_enable,
    )


def _build_app(parts: Parts, hands: _Hands, bus: RedisBus, registry: CollectorRegistry) -> faust.App:
    settings = parts.settings
    relay = Relay(
        outbox=Outbox(parts.database),
        redis=parts.redis,
        streams={"deliveries": settings.deliveries, "events": settings.default_stream},
        retention=settings.deliveries_retention,
        clock=now,
    )
    app = make_app(str(Path(gettempdir()) / "outbound-faust"))
    channel = BatchChannel(app, settings.default_stream)
    providers, shared = parts.routing.providers, ProviderSettings(parts.database)
    steering = Steering(
        providers=providers,
        settings=shared,
        queue=SendQueue(parts.database),
        metrics=parts.metrics,
        clock=now,
        configured=configured_choice(settings),
        name=settings.worker_name,
    )
    drills = build_drills(settings, providers, shared, registry)
    services = (
        steering,
        hands.identity,
        relay,
        hands.recorder,
        hands.sender,
        _build_dispatcher(parts, hands),
        _build_digester(parts),
        *drills,
    )
    assemble(app, channel, _build_source(parts, hands, bus, channel), services)
    return app
