"""What several of a worker's loops share, built once from the settings and the open connections."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from opentelemetry import trace
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from notifications.metrics import LineMetrics
from notifications.render import Renderer
from notifications.report import Reports
from notifications.routing import Routing
from notifications.tracing import LineTracer
from outbound.email import attachment_policy, sender_policy
from outbound.secret_keys import address_vault
from outbound.settings import Settings
from providers.manager import ProviderManager
from storage.attachments import PostgresFiles
from storage.ledger import PostgresLedger
from storage.session import Database
from storage.settings_cache import SettingsCache, SystemTemplates
from storage.transitions import PostgresTransitions
from storage.workers import Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What several of the loops share."""

    settings: Settings
    secret: bytes
    database: Database
    redis: Redis
    reports: Reports
    metrics: LineMetrics
    tracer: LineTracer
    routing: Routing
    renderer: Renderer
    templates: SystemTemplates
    files: PostgresFiles
    ledger: PostgresLedger
    transitions: PostgresTransitions
    workers: Workers


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


async def build_parts(
    settings: Settings, database: Database, redis: Redis, providers: ProviderManager, registry: CollectorRegistry
) -> Parts:
    """Build them; the templates are compiled before the first mail needs one."""
    secret = settings.secret_key[0].get_secret_value().encode()
    reports = Reports(secret=secret)
    cache = SettingsCache(database)
    vault = address_vault(settings)
    renderer = Renderer()
    templates = await cache.system_templates()
    for template in templates.all():
        # Compiling costs more than a batch may spend on rendering: the first mails would have to wait for it.
        renderer.check(template)
    return Parts(
        settings=settings,
        secret=secret,
        database=database,
        redis=redis,
        reports=reports,
        metrics=LineMetrics(registry),
        tracer=LineTracer(trace.get_tracer("outbound") if is_tracing() else None),
        routing=Routing(policy=sender_policy(settings), providers=providers),
        renderer=renderer,
        templates=templates,
        files=PostgresFiles(database, attachment_policy(settings)),
        ledger=PostgresLedger(database, cache, vault),
        transitions=PostgresTransitions(database, reports.of_change, vault),
        workers=Workers(database),
    )


def is_tracing() -> bool:
    """Tell whether a tracer provider of the SDK is installed."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
