"""What `outbound providers switch` was asked for, and the words for what is in use."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from providers.choice import Choice, InvalidChoiceError
from providers.registry import known


def asked(
    name: str,
    current: Choice,
    configured: Choice,
    *,
    fallback: str | None,
    has_no_fallback: bool,
    split: Sequence[str],
) -> Choice:
    """Return the choice that the words of the command name.

    Raises:
        typer.BadParameter: when they contradict themselves, or name a provider that is not registered.
    """
    if has_no_fallback and fallback is not None:
        raise typer.BadParameter("--fallback and --no-fallback exclude each other")
    other = None if has_no_fallback else fallback or default_fallback(name, current, configured)
    try:
        choice = Choice(name, other, dict(_share(words) for words in split))
    except InvalidChoiceError as error:
        raise typer.BadParameter(str(error)) from error
    registered = known()
    if unknown := sorted(choice.names - set(registered)):
        raise typer.BadParameter(f"no provider is named {', '.join(unknown)}; there are {', '.join(registered)}")
    return choice


def default_fallback(name: str, current: Choice, configured: Choice) -> str | None:
    """Return the fallback where none is named: the two in use stay in use, and a third one displaces the primary.

    Where there is none now, it is the other one of the pair that the environment names, if that is a pair.
    """
    if name == current.primary:
        return current.fallback
    if name == current.fallback:
        return current.primary
    if current.fallback is not None or configured.fallback is None:
        return current.fallback
    return configured.primary if name == configured.fallback else configured.fallback


def in_words(choice: Choice) -> str:
    """Return `primary resend, fallback smtp, 10 % to ses`."""
    shares = [f"{share} % to {name}" for name, share in sorted(choice.split.items())]
    return ", ".join([f"primary {choice.primary}", f"fallback {choice.fallback or 'none'}", *shares])


def command_for(choice: Choice) -> str:
    """Return the command that switches to a choice."""
    words = ["outbound providers switch", choice.primary]
    words += ["--no-fallback"] if choice.fallback is None else ["--fallback", choice.fallback]
    words += [f"--split {name}={share}" for name, share in sorted(choice.split.items())]
    return " ".join(words)


def _share(words: str) -> tuple[str, int]:
    name, _, percent = words.partition("=")
    if not name or not (percent.isascii() and percent.isdigit()):
        raise typer.BadParameter("--split is NAME=PERCENT, such as resend=10")
    return name, int(percent)
