"""The commands of `outbound`, one module each. Exit codes: 0 ok, 1 failed, 2 wrong usage or configuration."""

from __future__ import annotations

import sys

import typer

from notifications.ports import UnavailableError
from notifications.sender_address import InvalidSenderPolicyError
from outbound.cli.migrate import migrate
from outbound.cli.worker import worker
from outbound.settings import SettingsError
from providers.errors import InvalidConfigError, UnknownProviderError

OK, FAILED, USAGE = 0, 1, 2


def build() -> typer.Typer:
    """Return the command line."""
    app = typer.Typer(
        name="outbound",
        help="Domain events in, email out: nothing lost, nothing sent twice, and always a reason.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.command()(worker)
    app.command()(migrate)
    return app


def main() -> None:
    """Run a command; what an operator can mend is one line, not a traceback."""
    try:
        build()()
    except (SettingsError, InvalidConfigError, InvalidSenderPolicyError, UnknownProviderError) as error:
        print(f"outbound: {error}", file=sys.stderr)  # noqa: T201 - logging may not be set up yet
        sys.exit(USAGE)
    except UnavailableError as error:
        print(f"outbound: {error}", file=sys.stderr)  # noqa: T201 - the same
        sys.exit(FAILED)
