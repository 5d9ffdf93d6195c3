"""A server process of ours: guarded against our own death, one per folder, found again by a second terminal."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from outbound.dev import guard

START_TIMEOUT = timedelta(seconds=30)
_STOP_TIMEOUT = timedelta(seconds=30)
_POLL_SECONDS = 0.01
_OWNER_WAIT = timedelta(seconds=30)


class ServerError(Exception):
    """An embedded server could not be started; the text is one line for people."""


class AlreadyRunningError(ServerError):
    """A server runs on this folder already; `pid` is its process, or its owner's."""

    def __init__(self, name: str, folder: Path, pid: int) -> None:
        super().__init__(f"{name} is already running on {folder} (pid {pid})")
        self.pid = pid


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server. It stops with `stop`, at the end of a `with`, and when this process ends in any way."""

    url: str = field(repr=False)
    """How the product connects; holds a password."""
    admin_url: str = field(repr=False)
    """The superuser's; the same as `url` where there is only one user."""
    pid: int
    guard: subprocess.Popen[bytes] = field(repr=False)
    url_file: Path = field(repr=False)

    def stop(self) -> None:
        """Shut the server down cleanly and wait for its end; stopping twice is harmless."""
        stop_guard(self.guard, self.pid)
        self.url_file.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start one server: the command, the signal that stops it, and where its words go.

    `fds` are inherited; `uid` is whom to become; an empty `environment` means this process's own.
    """

    command: Sequence[str]
    stop_signal: int
    cwd: Path
    log: Path
    uid: int | None = None
    fds: tuple[int, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


def launch(plan: Launch) -> tuple[subprocess.Popen[bytes], int]:
    """Start a guard with its server below it and return the guard and the server's process id."""
    uid = "-" if plan.uid is None else str(plan.uid)
    fds = ",".join(map(str, plan.fds))
    with plan.log.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own script and the server's binary
            [sys.executable, "-I", guard.__file__, str(int(plan.stop_signal)), uid, fds, *plan.command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=plan.cwd,
            env=dict(plan.environment) or None,
            pass_fds=plan.fds,
            # Ctrl-C in the terminal is the parent's business; it closes the pipe when it is done.
            start_new_session=True,
        )
    with _opened(process.stdout) as output:
        line = output.readline()
    if not line:
        stop_guard(process, None)
        raise ServerError(f"{plan.command[0]} could not be executed; see {plan.log}")
    return process, int(line)


def stop_guard(process: subprocess.Popen[bytes], pid: int | None) -> None:
    """End a guard, and with it its server; by force when it does not end in time."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(_STOP_TIMEOUT.total_seconds())
    except subprocess.TimeoutExpired:
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
        process.kill()
        process.wait()


def wait_until(is_ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    """Poll until the server is ready; False when it ended or did not get ready in time."""
    end = time.monotonic() + START_TIMEOUT.total_seconds()
    while time.monotonic() < end and process.poll() is None:
        if is_ready():
            return True
        time.sleep(_POLL_SECONDS)
    return False


def free_port(wished: int | None = None) -> int:
    """Return a port of the loopback interface that was free a moment ago: the wished one if it was."""
    if wished and _is_free(wished):
        return wished
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    """Tell whether a server could listen there; connections of a former one that are still closing do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
    return True


@contextmanager
def locked(name: str, folder: Path) -> Generator[int]:
    """Hold the folder's lock while a server is started on it; yield the descriptor the server is to inherit.

    The lock belongs to whoever has the descriptor: as long as the guard or the server lives, nobody else can start one.

    Raises:
        AlreadyRunningError: when a live process owns the folder. If the owner is dead its server is about to end: wait.
    """
    try:
        descriptor = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError:
        raise ServerError(f"{folder} belongs to another user") from None
    try:
        _lock(descriptor, name, folder)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def find_url(name: str, folder: Path) -> str | None:
    """Return the address of the server that runs on this folder, started by whichever process; None when none runs."""
    lock, url = folder / f"{name}.lock", folder / f"{name}.url"
    if not lock.exists() or not url.exists():
        return None
    with lock.open("r+b") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return url.read_text().strip()
    return None


def write_secret(path: Path, text: str) -> None:
    """Write a file only its owner can read, whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(text + "\n")
    fresh.replace(path)


def _lock(descriptor: int, name: str, folder: Path) -> None:
    end = time.monotonic() + _OWNER_WAIT.total_seconds()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = int(os.pread(descriptor, 32, 0) or b"0")
            if is_alive(owner) or time.monotonic() > end:
                raise AlreadyRunningError(name, folder, owner) from None
            time.sleep(_POLL_SECONDS)
        else:
            return


def is_alive(pid: int) -> bool:
    """Tell whether a process of this id exists."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _opened(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise ServerError("the guard has no output")
    return stream
