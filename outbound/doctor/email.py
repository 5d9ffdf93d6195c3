"""Email: switched on, from an address, through providers that answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from notifications.sender_address import (
    InvalidSenderPolicyError,
    NoSenderError,
    SenderPolicy,
    TenantIdentity,
    sender_for,
)
from outbound.doctor.check import Check, State, failure, good, warning
from outbound.email import sender_policy
from outbound.settings import Settings, provider_config
from providers.errors import InvalidConfigError
from providers.provider import EmailProvider
from providers.registry import load

_ANSWER_SECONDS = 15
_SECRET_CHARS = 32
_EXAMPLE = TenantIdentity(name="Example", slug="example")


async def check_email(settings: Settings) -> list[Check]:
    """Check the sender addresses and each provider that is configured."""
    checks = [_switch(settings), *_secret(settings)]
    try:
        policy = sender_policy(settings)
    except InvalidSenderPolicyError as error:
        checks.append(failure("sender addresses", str(error), "correct the variable"))
        policy = None
    for name in (settings.email_provider, settings.email_fallback_provider):
        if name is not None:
            checks += await _provider(name, settings, policy)
    return checks


def _switch(settings: Settings) -> Check:
    if settings.email_enable:
        return good("EMAIL_ENABLE", "mail is sent")
    return warning("EMAIL_ENABLE", "off: every mail is recorded as skipped", "set EMAIL_ENABLE=true to send")


def _secret(settings: Settings) -> Iterator[Check]:
    name = "OUTBOUND_SECRET_KEY"
    if not settings.secret_key:
        yield failure(name, "is not set", f"set it to at least {_SECRET_CHARS} random characters")
    elif any(len(key.get_secret_value()) < _SECRET_CHARS for key in settings.secret_key):
        yield warning(
            name,
            f"a key is shorter than {_SECRET_CHARS} characters",
            "choose a longer one before the first mail; later, keep it: ids and hashes come from it",
        )
    else:
        yield good(name, f"set, every key of at least {_SECRET_CHARS} characters")


async def _provider(name: str, settings: Settings, policy: SenderPolicy | None) -> list[Check]:
    try:
        provider = load(name)(provider_config(settings))
    except InvalidConfigError as error:
        return [_problem(f"provider {name}", str(error), "correct the variable", settings)]
    try:
        problems = provider.validate_config()
        checks = [_problem(f"provider {name}", problem, "set the variable", settings) for problem in problems]
        if not problems:
            checks.append(await _health(name, provider, settings))
        if policy is not None:
            checks.append(_sender(name, provider, policy, settings))
        return checks
    finally:
        await provider.aclose()


async def _health(name: str, provider: EmailProvider, settings: Settings) -> Check:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            healthy = await provider.is_healthy()
    except TimeoutError:
        healthy = False
    if healthy:
        return good(f"provider {name}", "answers and lets us in")
    return _problem(
        f"provider {name}", "does not answer, or does not let us in", "check its host, port and credentials", settings
    )


def _sender(name: str, provider: EmailProvider, policy: SenderPolicy, settings: Settings) -> Check:
    """Try the addresses of an invented tenant."""
    row = f"sender through {name}"
    try:
        sender = sender_for(policy, _EXAMPLE, provider.may_send_from)
    except NoSenderError:
        return _problem(
            row,
            f"{name} may send from none of the configured addresses",
            "set EMAIL_FROM or a tenant pattern, with a domain that this provider is set up for",
            settings,
        )
    return good(row, f"a tenant named example sends from {sender.from_.addr_spec}")


def _problem(name: str, found: str, advice: str, settings: Settings) -> Check:
    """Return a failure, or a warning while no mail is to be sent anyway."""
    state = State.FAIL if settings.email_enable else State.WARN
    return Check(name=name, state=state, found=found, advice=advice)
