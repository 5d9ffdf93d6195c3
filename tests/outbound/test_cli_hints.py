"""Whoever forgot `. var/env` is reminded, by every command."""

from __future__ import annotations

from pathlib import Path

import pytest

from outbound.env_file import env_file, lines_for_shell
from tests.outbound.command import Cli

NOWHERE = {"DATABASE_URL": "postgresql://u:hidden@127.0.0.1:1/x", "REDIS_URL": "redis://:hidden@127.0.0.1:1/0"}
COMMANDS = [
    (("tail",), "Redis"),
    (("why", "evt-1"), "Postgres"),
    (("migrate",), "Postgres"),
    (("tenants", "list"), "Postgres"),
    (("dead-letters", "list"), "Postgres"),
]


@pytest.fixture
def _forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "var").mkdir()
    said = {"DATABASE_URL": "postgresql://ours", "REDIS_URL": "redis://ours"}
    env_file(tmp_path / "var").write_text(lines_for_shell(said, "/programs"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_forgotten")
@pytest.mark.parametrize(("words", "server"), COMMANDS)
def test_a_server_that_is_away_is_named_with_a_hint(words: tuple[str, ...], server: str) -> None:
    result = Cli(NOWHERE)(*words)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"outbound: {server} at 127.0.0.1:1: ")
    assert result.stderr.endswith(" (. var/env ?)\n")
    assert "hidden" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.usefixtures("_forgotten")
@pytest.mark.parametrize(("words", "server"), COMMANDS)
def test_a_variable_that_is_not_set_is_named_with_a_hint(words: tuple[str, ...], server: str) -> None:
    variable = {"Redis": "REDIS_URL", "Postgres": "DATABASE_URL"}[server]

    result = Cli({"DATABASE_URL": "", "REDIS_URL": ""})(*words)

    assert (result.exit_code, result.stderr) == (2, f"outbound: {variable} is not set (. var/env ?)\n")
