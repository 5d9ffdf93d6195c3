"""The commands of `outbound`, one module each, loaded when called: together they take seconds to import."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from notifications.ports import UnavailableError
from notifications.sender_address import InvalidSenderPolicyError
from outbound.cli.answer import FAILED, USAGE
from outbound.cli.reach import located, missing
from outbound.settings import SettingsError
from providers.errors import InvalidConfigError, UnknownProviderError


@dataclass(frozen=True, slots=True)
class _Command:
    """Where a command is: a module of this package, and in it a function or an application of several."""

    module: str
    attribute: str
    help: str


COMMANDS = {
    "worker": _Command("worker", "worker", "Read the bus, send mail, report what became of it."),
    "migrate": _Command("migrate", "migrate", "Bring the database to the present schema."),
    "dev": _Command("dev", "dev", "Run everything on this machine, embedded, with a demo."),
    "publish": _Command("publish", "publish", "Put events on the bus, checked first."),
    "tail": _Command("tail", "tail", "Follow what became of mails, as it happens."),
    "why": _Command("why", "why", "Explain what became of an event or a notification, and why."),
    "dead-letters": _Command("dead_letters", "dead_letters", "Look at, send again or drop what could not be an event."),
    "providers": _Command("providers", "providers", "See the providers, switch, try one, and prove the fallback."),
    "notifications": _Command("notifications", "notifications", "Withdraw mail that waits."),
    "tenants": _Command("tenants", "tenants", "Add and list tenants."),
    "suppressions": _Command("suppressions", "suppressions", "See and change whom not to write to."),
    "schemas": _Command("schemas", "schemas", "Write or check the JSON Schemas of all events."),
    "doctor": _Command("doctor", "doctor", "Check everything that is reachable, and say what to do."),
}
"""Every command, in the order in which the help shows them."""


class _Commands(TyperGroup):
    """The top level: loads the one command that was called, and turns what an operator can mend into one line."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command itself in the place of its entry in the list."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, _load(name) if name in COMMANDS else command, rest

    def invoke(self, ctx: Any) -> Any:
        """Run it; wrong configuration exits 2, Postgres or Redis away exits 1, both without a traceback."""
        try:
            return super().invoke(ctx)
        except (SettingsError, InvalidConfigError, InvalidSenderPolicyError, UnknownProviderError) as error:
            typer.echo(f"outbound: {missing(str(error))}", err=True)
            raise typer.Exit(USAGE) from error
        except UnavailableError as error:
            typer.echo(f"outbound: {located(str(error))}", err=True)
            raise typer.Exit(FAILED) from error


def build() -> typer.Typer:
    """Return the command line."""
    app = typer.Typer(
        cls=_Commands,
        name="outbound",
        help="Domain events in, email out: nothing lost, nothing sent twice, and always a reason.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    for name, command in COMMANDS.items():
        app.command(name, help=command.help)(_entry)
    return app


def main() -> None:
    """Run the command line and exit."""
    build()()


def _show_version(is_asked: bool) -> None:  # noqa: FBT001 - the form of a callback of typer's
    if is_asked:
        typer.echo(f"outbound {version('outbound')}")
        raise typer.Exit


def _options(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Domain events in, email out: nothing lost, nothing sent twice, and always a reason."""


def _entry() -> None:
    """Stand for a command in the list of all; it is replaced before it runs."""


def _load(name: str) -> Any:
    command = COMMANDS[name]
    found: Any = getattr(import_module(f"outbound.cli.{command.module}"), command.attribute)
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(name)(found)
    return typer.main.get_command(single)
