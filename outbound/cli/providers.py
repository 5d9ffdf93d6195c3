"""`outbound providers`: see them, switch between them, try one, and prove the fallback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer

from outbound.canary import NO_SENDER, Answered, Canary, drill_canary, send_canary
from outbound.cli.actor import actor
from outbound.cli.answer import fail, plain, put_json, put_line, say
from outbound.cli.provider_list import Findings, put_findings
from outbound.cli.provider_switch import asked, command_for, in_words
from outbound.email import configured_choice, sender_policy
from outbound.provider_check import Examined, UnusableError, examine, only
from outbound.settings import Settings, load
from providers.choice import Choice
from providers.errors import InvalidAddressError
from providers.mailbox import parse_address
from storage.operator import open_for_operator
from storage.provider_inspection import begin_drill, recent_traffic, record_test, tenants_by_provider
from storage.provider_settings import find_choice, list_settings, record_drill, reset, resume, switch
from storage.roles import Role
from storage.session import Connection

_SOON = "every worker follows within 2 s"

providers = typer.Typer(
    no_args_is_help=True, add_completion=False, help="See the providers, switch, try one, and prove the fallback."
)

AsJson = Annotated[bool, typer.Option("--json", help="Write one object of JSON.")]


def _address(value: str | None) -> str | None:
    try:
        return None if value is None else parse_address(value)
    except InvalidAddressError as error:
        raise typer.BadParameter(str(error)) from error


@providers.command("list")
def show_all(
    *,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Ask each one whether it answers.")] = True,
    as_json: AsJson = False,
) -> None:
    """Show every provider: its role, what it lacks, whether it answers, and how recent attempts went."""
    settings = _settings()
    findings, examined = asyncio.run(_survey(settings, ask=check))
    put_findings(findings, examined, as_json=as_json)


async def _survey(settings: Settings, *, ask: bool) -> tuple[Findings, dict[str, Examined]]:
    async with _operator(settings) as connection:
        findings = Findings(
            configured=configured_choice(settings),
            stored=await find_choice(connection),
            settings=await list_settings(connection),
            traffic=await recent_traffic(connection),
            tenants=await tenants_by_provider(connection),
        )
    return findings, await examine(settings, findings.names(), ask=ask)


@providers.command("switch")
def change(
    name: Annotated[str, typer.Argument(help="The provider that gets the mail from now on.")],
    *,
    fallback: Annotated[
        str | None, typer.Option(help="Its fallback; by default the other one of the two in use.")
    ] = None,
    no_fallback: Annotated[bool, typer.Option("--no-fallback", help="Fail over to nobody.")] = False,
    split: Annotated[
        list[str] | None, typer.Option(help="A share of all mail for another one, as NAME=PERCENT; may be repeated.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Ask none of them, and do it also where one is not configured here.")
    ] = False,
) -> None:
    """Switch all workers to another provider; it stands until `reset`, or a start with another EMAIL_PROVIDER."""
    settings = _settings()
    configured = configured_choice(settings)
    stored = asyncio.run(_stored(settings))
    current = configured if stored is None else stored
    choice = asked(name, current, configured, fallback=fallback, has_no_fallback=no_fallback, split=split or ())
    examined = asyncio.run(examine(settings, sorted(choice.names), ask=not force))
    # The one that was switched away from has a reason to be ill.
    may_be_ill = {choice.fallback} if fallback is None else set[str | None]()
    for found in examined.values():
        if found.trouble is None:
            continue
        if force or (not found.problems and found.name in may_be_ill):
            say(f"note: {found.trouble}")
        else:
            fail(f"not switched: {found.trouble}; --force switches all the same")
    asyncio.run(_switch(settings, choice, configured))
    if any(found.problems for found in examined.values()):
        put_line(f"asked for: {in_words(choice)}; a worker in which one of them is not configured goes on as before")
    else:
        put_line(f"in use: {in_words(choice)}; {_SOON}")
    put_line(f"back: {'outbound providers reset' if stored is None else command_for(stored)}")


async def _stored(settings: Settings) -> Choice | None:
    async with _operator(settings) as connection:
        stored = await find_choice(connection)
        return None if stored is None else stored.choice


async def _switch(settings: Settings, choice: Choice, configured: Choice) -> None:
    async with _operator(settings) as connection:
        await switch(connection, choice, configured, actor())


@providers.command("reset")
def go_back() -> None:
    """Go back to what EMAIL_PROVIDER and EMAIL_FALLBACK_PROVIDER say."""
    settings = _settings()
    configured = configured_choice(settings)
    if asyncio.run(_reset(settings, configured)):
        put_line(f"in use: {in_words(configured)}; {_SOON}")
    else:
        put_line(f"nothing was switched; in use: {in_words(configured)}")


async def _reset(settings: Settings, configured: Choice) -> bool:
    async with _operator(settings) as connection:
        return await reset(connection, configured, actor())


@providers.command("resume")
def wake(name: Annotated[str, typer.Argument(help="The provider whose account has credit again.")]) -> None:
    """End the rest of a provider whose quota was used up, or whose rate limit asked for it."""
    if not asyncio.run(_resume(_settings(), name)):
        fail(f"{plain(name)} does not rest")
    put_line(f"{plain(name)} is used again; {_SOON}")


async def _resume(settings: Settings, name: str) -> bool:
    async with _operator(settings) as connection:
        return await resume(connection, name, actor())


@providers.command("test")
def send_test(
    address: Annotated[str, typer.Argument(help="Where to send it.", callback=_address)],
    *,
    via: Annotated[str, typer.Option(help="Through which provider.")],
    from_: Annotated[
        str | None,
        typer.Option("--from", help="From which address; by default one of the platform's.", callback=_address),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send one real mail through one provider, past the line and its gates, and show what the provider answers."""
    settings = _settings()
    canary = Canary(to=address, from_=from_, policy=sender_policy(settings), purpose="test")
    _report(_answer(_test(settings, via, canary)), as_json=as_json)


async def _test(settings: Settings, name: str, canary: Canary) -> Answered:
    # No transaction is open while a provider is asked; but where nothing can be audited, nothing is sent.
    async with open_for_operator(settings.database_url.get_secret_value()) as database:
        async with only(settings, name) as attempts:
            answered = await send_canary(attempts, name, canary)
        async with database.everyone(Role.PLATFORM) as connection:
            await record_test(connection, name, answered.receipt.outcome.value, _detail(answered), actor())
    return answered


@providers.command("drill")
def prove(
    *,
    via: Annotated[str | None, typer.Option(help="Through which provider; by default the fallback in use.")] = None,
    as_json: AsJson = False,
) -> None:
    """Prove the fallback: send one mail through it to OUTBOUND_DRILL_ADDRESS, and remember what it came to."""
    settings = _settings()
    _report(_answer(_drill(settings, via, drill_canary(settings))), as_json=as_json)


async def _drill(settings: Settings, via: str | None, canary: Canary) -> Answered:
    async with open_for_operator(settings.database_url.get_secret_value()) as database:
        async with database.everyone(Role.PLATFORM) as connection:
            stored = await find_choice(connection)
        name = via or (configured_choice(settings) if stored is None else stored.choice).fallback
        if name is None:
            raise UnusableError("no fallback is in use; --via names a provider")
        async with only(settings, name) as attempts:
            async with database.everyone(Role.PLATFORM) as connection:
                await begin_drill(connection, name)
            answered = await send_canary(attempts, name, canary)
        async with database.everyone(Role.PLATFORM) as connection:
            await record_drill(connection, name, answered.receipt.outcome.value, _detail(answered), actor())
    return answered


def _answer(sending: Coroutine[Any, Any, Answered]) -> Answered:
    try:
        return asyncio.run(sending)
    except UnusableError as error:
        fail(f"nothing was sent: {error}")


def _detail(answered: Answered) -> dict[str, Any]:
    receipt = answered.receipt
    return {
        "id": answered.id,
        "from": answered.from_,
        "to": answered.to,
        "reply": receipt.smtp_response,
        "reply_code": receipt.reply_code,
        "enhanced_status_code": receipt.enhanced_status_code,
        "error": receipt.error,
        "provider_message_id": receipt.provider_message_id,
    }


def _report(answered: Answered, *, as_json: bool) -> None:
    """Show the answer as the provider gave it; exit 1 unless it has the mail."""
    receipt = answered.receipt
    shown = {"provider": receipt.provider, "outcome": receipt.outcome, **_detail(answered), "at": receipt.timestamp}
    if as_json:
        put_json(shown)
    else:
        for name, value in shown.items():
            # A reply may have several lines, and what a provider did not say is left out.
            for line in value.splitlines() if isinstance(value, str) else [value]:
                if line is not None:
                    put_line(f"{name.replace('_', ' '):<21} {plain(line)}")
    if receipt.error == NO_SENDER:
        fail(f"{receipt.provider} may send from none of the configured addresses; --from or EMAIL_FROM names one")
    if not answered.is_accepted:
        fail(f"{receipt.provider} did not accept it: {receipt.outcome.value}")


def _settings() -> Settings:
    return load(needs=("DATABASE_URL",))


@asynccontextmanager
async def _operator(settings: Settings) -> AsyncGenerator[Connection]:
    async with (
        open_for_operator(settings.database_url.get_secret_value()) as database,
        database.everyone(Role.PLATFORM) as connection,
    ):
        yield connection
