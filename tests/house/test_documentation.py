"""The documents tell the truth about what there is."""

from __future__ import annotations

from pathlib import Path

from outbound.cli.app import build
from outbound.settings import LEGACY, Settings

ROOT = Path(__file__).parents[2]


def test_every_variable_is_documented_and_every_documented_variable_exists() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    known = {str(field.validation_alias) for field in Settings.model_fields.values()} | set(LEGACY.values())

    assert [name for name in known if f"`{name}`" not in text] == []


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs" / "commands.md").read_text()
    app = build()
    names = [command.name or command.callback.__name__ for command in app.registered_commands]
    names += [group.name for group in app.registered_groups]

    assert [name for name in names if f"outbound {name}" not in text] == []
