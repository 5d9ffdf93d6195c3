"""Email as configured: the providers, the platform's sender addresses, and when to try again."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import structlog
from opentelemetry.trace import Tracer

from notifications.after import RetryPolicy
from notifications.sender_address import SenderPolicy
from outbound.settings import Settings, SettingsError, provider_config
from providers.attachment_policy import AttachmentPolicy
from providers.choice import Choice
from providers.errors import ProviderError
from providers.manager import ProviderManager
from providers.provider import EmailProvider
from providers.registry import load

log = structlog.get_logger()

_MEGABYTE = 1024 * 1024


def build_providers(settings: Settings, tracer: Tracer | None = None) -> ProviderManager:
    """Build the primary and the fallback provider; any other one that is configured is built when it is asked for.

    Raises:
        SettingsError: when email is on and one of the two lacks something it needs.
    """
    config = provider_config(settings)
    choice = configured_choice(settings)
    providers = {name: load(name)(config) for name in choice.names}
    problems = [problem for provider in providers.values() for problem in provider.validate_config()]
    if problems and settings.email_enable:
        # Started all the same, it would try every mail in vain until it has failed for good.
        raise SettingsError("; ".join(problems))
    return ProviderManager(
        providers,
        choice,
        find=partial(find_provider, config),
        attempt_timeout=settings.attempt_timeout,
        breaker_pause=settings.breaker_pause,
        tracer=tracer,
    )


def configured_choice(settings: Settings) -> Choice:
    """Return what EMAIL_PROVIDER and EMAIL_FALLBACK_PROVIDER say."""
    return Choice(settings.email_provider, settings.email_fallback_provider)


def find_provider(config: Mapping[str, str], name: str) -> EmailProvider | None:
    """Return the provider of a name, if it is registered and has all it needs; else say why, in the log."""
    try:
        provider = load(name)(config)
    except ProviderError as error:
        log.warning("provider.unusable", provider=name, problems=[str(error)])
        return None
    if problems := provider.validate_config():
        log.warning("provider.unusable", provider=name, problems=problems)
        return None
    return provider


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


def attachment_policy(settings: Settings) -> AttachmentPolicy:
    """Return what files may be sent along."""
    return AttachmentPolicy(
        root=settings.attachment_root,
        max_file_bytes=int(settings.attachment_file_mb * _MEGABYTE),
        max_total_bytes=int(settings.attachment_total_mb * _MEGABYTE),
        allow_extensions=frozenset(settings.attachment_allow),
    )
