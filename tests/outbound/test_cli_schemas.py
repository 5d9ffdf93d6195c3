"""`outbound schemas`: written, and compared."""

from __future__ import annotations

from pathlib import Path

from tests.outbound.command import Cli


def test_what_was_written_is_up_to_date(tmp_path: Path) -> None:
    written = Cli({})("schemas", "--out", tmp_path)

    assert written.exit_code == 0
    assert str(tmp_path / "ticket.updated.v1.json") in written.stdout.splitlines()
    assert Cli({})("schemas", "--check", "--out", tmp_path).exit_code == 0


def test_a_file_that_differs_is_named(tmp_path: Path) -> None:
    Cli({})("schemas", "--out", tmp_path)
    (tmp_path / "ticket.updated.v1.json").write_text("{}")

    result = Cli({})("schemas", "--check", "--out", tmp_path)

    assert (result.exit_code, result.stdout) == (1, f"{tmp_path / 'ticket.updated.v1.json'}\n")
    assert (tmp_path / "ticket.updated.v1.json").read_text() == "{}"


def test_a_folder_that_cannot_be_written_fails_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    result = Cli({})("schemas", "--out", tmp_path / "file")

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
