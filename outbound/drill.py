"""The drill as configured: to which address, how often, and whether at all."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from consumers.drill import Drill
from outbound.canary import drill_canary, send_canary
from outbound.settings import Settings
from providers.manager import ProviderManager
from providers.receipt import SendReceipt
from storage.provider_settings import ProviderSettings


def build_drills(
    settings: Settings, providers: ProviderManager, shared: ProviderSettings, registry: CollectorRegistry
) -> tuple[Drill, ...]:
    """Return the service that drills on a schedule; none where it is off, or email is.

    Raises:
        SettingsError: when it is on and has no address that a mail could go to.
    """
    if not settings.drill_every or not settings.email_enable:
        return ()
    canary = drill_canary(settings)

    async def send(name: str) -> SendReceipt:
        return (await send_canary(providers, name, canary)).receipt

    return (
        Drill(
            providers=providers,
            settings=shared,
            send=send,
            every=settings.drill_every,
            name=settings.worker_name,
            registry=registry,
        ),
    )
