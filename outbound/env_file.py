"""The lines that `outbound dev` writes for a second shell, and what that shell then knows: `. var/env`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

FOLDER_VARIABLE = "OUTBOUND_DEV_FOLDER"
"""Set by the file itself: the folder whose service the shell sees."""
_NAME = "env"
_FORMER = "env.former"


def env_file(folder: Path) -> Path:
    """Return the file of the service that runs on a folder."""
    return folder / _NAME


def lines_for_shell(variables: Mapping[str, str], programs: str) -> str:
    """Return one `export` for each variable, and one that puts the folder `programs` in front of PATH."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items())]
    return "\n".join([*lines, f'export PATH={shlex.quote(programs)}:"$PATH"'])


def retire(folder: Path) -> None:
    """Take the file away, as nothing runs any more; what it said is kept, to be known again in a shell that read it."""
    file = env_file(folder)
    if file.exists():
        file.replace(folder / _FORMER)


def without_our_own(given: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what came from such a file: those are no replacements of the embedded servers.

    A variable that was changed after the file was read stays.
    """
    folder = given.get(FOLDER_VARIABLE)
    said = exported(Path(folder)) if folder else {}
    return {name: value for name, value in given.items() if said.get(name) != value}


def exported(folder: Path) -> dict[str, str]:
    """Return what the file of a folder exports, or did when something last ran there."""
    for name in (_NAME, _FORMER):
        try:
            words = shlex.split((folder / name).read_text())
        except (OSError, ValueError):
            continue
        return dict(_pair(word) for word in words if "=" in word and not word.startswith("PATH="))
    return {}


def _pair(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name, value
