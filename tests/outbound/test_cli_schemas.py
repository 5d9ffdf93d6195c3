"""`outbound schemas`: written, and compared."""

from __future__ import annotations

from pathlib import Path

from tests.outbound.command import Cli


def test_what_was_written_is_up_to_date(tmp_path: Path) -> None:
    written = Cli({})("schemas", "--out", tmp_path)

    assert written.exit_code == 0
    assert str(tmp_path / "ticket.updated.v1.json") in written.stdout.splitlines()
    count = len(list(tmp_path.iterdir()))
    assert written.stderr == f"{count} of {count} schemas changed\n"
    assert Cli({})("schemas", "--check", "--out", tmp_path).exit_code == 0


def test_a_file_that_differs_is_named(tmp_path: Path) -> None:
    Cli({})("schemas", "--out", tmp_path)
    (tmp_path / "ticket.updated.v1.json").write_text("{}")

    result = Cli({})("schemas", "--check", "--out", tmp_path)

    assert (result.exit_code, result.stdout) == (1, f"{tmp_path / 'ticket.updated.v1.json'}\n")
    assert (tmp_path / "ticket.updated.v1.json").read_text() == "{}"


def test_only_what_changed_is_named_and_what_belongs_to_nothing_too(tmp_path: Path) -> None:
    Cli({})("schemas", "--out", tmp_path)
    (tmp_path / "ticket.updated.v1.json").write_text("{}")
    (tmp_path / "ticket.evaporated.v1.json").write_text("{}")

    result = Cli({})("schemas", "--out", tmp_path)

    assert result.stdout == f"{tmp_path / 'ticket.updated.v1.json'}\n"
    assert f"{tmp_path / 'ticket.evaporated.v1.json'} belongs to no event any more" in result.stderr
    assert "1 of " in result.stderr


def test_a_folder_without_schemas_is_not_taken_for_schemas_that_differ(tmp_path: Path) -> None:
    result = Cli({})("schemas", "--check", "--out", tmp_path)

    assert (result.exit_code, result.stdout) == (1, "")
    assert f"there are no schemas in {tmp_path}" in result.stderr


def test_a_folder_that_cannot_be_written_fails_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    result = Cli({})("schemas", "--out", tmp_path / "file")

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
