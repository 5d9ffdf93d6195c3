"""A shell that read `var/env` is known again, and what somebody changed in it is theirs."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from pydantic import SecretStr

from outbound.cli.reach import address, hint
from outbound.dev.ports import remember_ports, remembered_ports
from outbound.dev.process import free_port
from outbound.env_file import FOLDER_VARIABLE, env_file, exported, lines_for_shell, retire, without_our_own


def written(folder: Path, **variables: str) -> dict[str, str]:
    said = variables | {FOLDER_VARIABLE: str(folder)}
    env_file(folder).write_text(lines_for_shell(said, "/programs"))
    return said


def test_what_the_file_says_can_be_read_again_whatever_its_characters(tmp_path: Path) -> None:
    said = written(tmp_path, OUTBOUND_SECRET_KEY="a'b $c=\nd", EMAIL_FROM='"A, B" <a@b.example>')

    assert exported(tmp_path) == said


@pytest.mark.parametrize("has_ended", [False, True])
def test_values_of_our_own_file_replace_nothing_also_after_the_end(tmp_path: Path, has_ended: bool) -> None:
    said = written(tmp_path, DATABASE_URL="postgresql://ours", EMAIL_HOST="127.0.0.1", EMAIL_PORT="2525")
    if has_ended:
        retire(tmp_path)

    assert without_our_own(said | {"PATH": "/bin", "REDIS_URL": "redis://theirs"}) == {
        "PATH": "/bin",
        "REDIS_URL": "redis://theirs",
    }
    assert without_our_own(said | {"EMAIL_HOST": "relay.example"}) == {"EMAIL_HOST": "relay.example"}


def test_without_such_a_shell_every_value_is_given(tmp_path: Path) -> None:
    said = written(tmp_path, DATABASE_URL="postgresql://ours")
    del said[FOLDER_VARIABLE]

    assert without_our_own(said) == said
    assert without_our_own(said | {FOLDER_VARIABLE: str(tmp_path / "gone")})["DATABASE_URL"] == "postgresql://ours"


def test_ports_are_remembered_and_a_part_that_was_not_ours_keeps_its_own(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    remember_ports(file, {"postgres": 1111, "smtp": 2222})
    remember_ports(file, {"postgres": 3333, "smtp": None})

    assert remembered_ports(file) == {"postgres": 3333, "smtp": 2222}


@pytest.mark.parametrize("text", ["", "[]", '{"postgres": "x", "smtp": 70000}'])
def test_a_file_of_ports_that_makes_no_sense_is_no_obstacle(tmp_path: Path, text: str) -> None:
    (tmp_path / "ports.json").write_text(text)

    assert remembered_ports(tmp_path / "ports.json") == {}


def test_a_wished_port_is_taken_unless_somebody_listens_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port(port) != port

    assert free_port(port) == port


def test_a_forgotten_file_is_hinted_at_and_a_read_one_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert hint("REDIS_URL", SecretStr("")) == ""
    Path("var").mkdir()
    written(Path("var"), REDIS_URL="redis://ours")

    assert hint("REDIS_URL", SecretStr("")) == hint("REDIS_URL", SecretStr("redis://stale")) == " (. var/env ?)"
    assert hint("REDIS_URL", SecretStr("redis://ours")) == ""


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://u:p@db.example/x", "db.example:5432"),
        ("postgresql://u:p@p@db.example:6543/x", "db.example:6543"),
        ("redis://[::1]", "[::1]:6379"),
        ("rediss://:p@cache.example:1/0", "cache.example:1"),
        ("unix:///run/redis.sock", "/run/redis.sock"),
        ("postgresql:///x", "/x"),
        ("postgresql://u:12/34@db.example/x", "a place that is hard to read"),
    ],
)
def test_the_place_of_a_server_is_told_without_its_password(url: str, place: str) -> None:
    assert address(SecretStr(url)) == place
