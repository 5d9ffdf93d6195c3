"""Brings everything up in order, concurrently where the order does not matter, and down again."""

from __future__ import annotations

import asyncio
import secrets
import signal
import subprocess
import sysconfig
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from outbound.dev.inbox import Inbox, start_inbox
from outbound.dev.ports import remember_ports, remembered_ports
from outbound.dev.process import Launch, Server, ServerError, free_port, launch, locked, stop_guard, write_secret
from outbound.dev.servers import start_postgres, start_valkey
from outbound.env_file import FOLDER_VARIABLE, env_file, lines_for_shell, retire, without_our_own
from outbound.settings import LEGACY
from storage.migrate import upgrade

_DRAIN_SECONDS = "5"
_LAST_LINES = 10
_PORTS = "ports.json"
_ALWAYS_SHARED = ("DATABASE_URL", "REDIS_URL", "OUTBOUND_SECRET_KEY")
_OF_THE_WORKER_ALONE = ("OUTBOUND_HEALTH_PORT", "OUTBOUND_DRAIN_SECONDS", "OUTBOUND_SECRETS_DIR")
# With an inbox of our own, nothing of a real account may be left: the demo must not be able to send real mail.
_OF_AN_ACCOUNT = ("EMAIL_", "RESEND_", "OUTBOUND_SMTP_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What runs, and how to reach it."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    inbox: Inbox | None
    """None where EMAIL_HOST names a server of somebody else's."""
    health_url: str
    worker_log: Path
    worker: subprocess.Popen[bytes] = field(repr=False)
    log_began_at: int

    def has_worker_ended(self) -> bool:
        """Whether the worker has ended by itself."""
        return self.worker.poll() is not None

    def last_words(self) -> list[str]:
        """Return the worker's last log lines of this run."""
        with self.worker_log.open("rb") as log:
            log.seek(self.log_began_at)
            return log.read().decode(errors="replace").splitlines()[-_LAST_LINES:]


@contextmanager
def reserved(folder: Path) -> Generator[Path]:
    """Make the folder where it is missing and keep others out of it; yield its full path.

    Raises:
        AlreadyRunningError: when somebody else has it.
        ServerError: when it cannot be made, or belongs to another user.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        home = folder.resolve(strict=True)
    except OSError as error:
        raise ServerError(f"{folder} cannot be used: {error.strerror}") from error
    with locked("dev", home):
        yield home


@asynccontextmanager
async def open_stack(home: Path, given: Mapping[str, str]) -> AsyncGenerator[Stack]:
    """Start what `given` (the environment) does not replace, migrate, and start the worker; `home` is reserved.

    What a shell knows from reading our own file of variables replaces nothing.

    Raises:
        ServerError: when a part does not start; what was started is stopped.
    """
    given = without_our_own(given)
    ports = remembered_ports(home / _PORTS)
    with ExitStack() as parts:
        database_url, redis_url, inbox = await _start_servers(home, given, ports, parts)
        health_port = free_port(ports.get("health"))
        environment = worker_environment(
            given,
            database_url=database_url,
            redis_url=redis_url,
            smtp_port=inbox.smtp_port if inbox else None,
            secret_key=_secret_key(home / "secret.key"),
            health_port=health_port,
            secrets_folder=home / "secrets",
        )
        await _migrate(database_url)
        used = {
            "postgres": None if given.get("DATABASE_URL") else urlsplit(database_url).port,
            "valkey": None if given.get("REDIS_URL") else urlsplit(redis_url).port,
            "smtp": inbox.smtp_port if inbox else None,
            "web": urlsplit(inbox.web_url).port if inbox else None,
            "health": health_port,
        }
        remember_ports(home / _PORTS, used)
        write_secret(env_file(home), exports(given, environment, home))
        parts.callback(retire, home)
        worker_log = home / "worker.log"
        log_began_at = worker_log.stat().st_size if worker_log.exists() else 0
        worker = await _start_worker(home, environment, worker_log, parts)
        yield Stack(
            database_url=database_url,
            redis_url=redis_url,
            inbox=inbox,
            health_url=f"http://127.0.0.1:{environment['OUTBOUND_HEALTH_PORT']}",
            worker_log=worker_log,
            worker=worker,
            log_began_at=log_began_at,
        )


def worker_environment(
    given: Mapping[str, str],
    *,
    database_url: str,
    redis_url: str,
    smtp_port: int | None,
    secret_key: str,
    health_port: int,
    secrets_folder: Path,
) -> dict[str, str]:
    """Return the worker's environment; `smtp_port` is our inbox's, None keeps the EMAIL_* variables as given.

    `secrets_folder` takes the place of the usual folder of secret files where the inbox is ours: they are a real
    account's.
    """
    environment = {name: value for name, value in given.items() if value}
    if smtp_port is not None:
        for name in list(environment):
            if name.startswith(_OF_AN_ACCOUNT) or name in LEGACY.values():
                del environment[name]
        environment |= {
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(smtp_port),
            "EMAIL_TLS": "none",
            "OUTBOUND_SECRETS_DIR": str(secrets_folder),
        }
    defaults = {
        "EMAIL_ENABLE": "true",
        "EMAIL_PROVIDER": "smtp",
        "OUTBOUND_SECRET_KEY": secret_key,
        "OUTBOUND_HEALTH_PORT": str(health_port),
        "OUTBOUND_DRAIN_SECONDS": _DRAIN_SECONDS,
    }
    if "EMAIL_FROM" not in environment and "SMTP_FROM" not in environment:
        defaults |= {
            "EMAIL_FROM": "Outbound <noreply@outbound.example>",
            "EMAIL_TENANT_FROM_PATTERN": "{tenant}@outbound.example",
        }
    return defaults | environment | {"DATABASE_URL": database_url, "REDIS_URL": redis_url}


def exports(given: Mapping[str, str], environment: Mapping[str, str], home: Path) -> str:
    """Return lines for a shell that make a second terminal see the same service; nothing of an account is copied."""
    ours = {
        name: value
        for name, value in environment.items()
        if name in _ALWAYS_SHARED or (given.get(name) != value and name not in _OF_THE_WORKER_ALONE)
    }
    return lines_for_shell(ours | {FOLDER_VARIABLE: str(home)}, sysconfig.get_path("scripts"))


async def _start_servers(
    folder: Path, given: Mapping[str, str], ports: Mapping[str, int], parts: ExitStack
) -> tuple[str, str, Inbox | None]:
    """Start what is not given, all at once, and return the addresses of Postgres and Redis, and the inbox."""
    has_relay = bool(given.get("EMAIL_HOST") or given.get("SMTP_HOST"))
    start_database = partial(start_postgres, folder / "postgres", durable=True, wished=ports.get("postgres"))
    start_redis = partial(start_valkey, folder / "valkey", durable=True, wished=ports.get("valkey"))
    database_url = asyncio.create_task(_server_url(given.get("DATABASE_URL"), start_database, parts))
    redis_url = asyncio.create_task(_server_url(given.get("REDIS_URL"), start_redis, parts))
    inbox = asyncio.create_task(_open_inbox(folder / "inbox", ports, parts, has_relay=has_relay))
    # All of them, also when one fails: what has started must be known in order to be stopped.
    await asyncio.wait((database_url, redis_url, inbox))
    for error in (database_url.exception(), redis_url.exception(), inbox.exception()):
        if error is not None:
            raise error
    return database_url.result(), redis_url.result(), inbox.result()


async def _server_url(given: str | None, start: Callable[[], Server], parts: ExitStack) -> str:
    if given:
        return given
    server = await asyncio.to_thread(start)
    parts.callback(server.stop)
    return server.url


async def _open_inbox(folder: Path, ports: Mapping[str, int], parts: ExitStack, *, has_relay: bool) -> Inbox | None:
    if has_relay:
        return None
    if find_spec("aiosmtpd") is None:
        raise ServerError("the inbox needs aiosmtpd: install it, or set EMAIL_HOST")
    smtp_port, web_port = free_port(ports.get("smtp")), free_port(ports.get("web"))
    inbox = await asyncio.to_thread(start_inbox, folder, smtp_port=smtp_port, web_port=web_port)
    parts.callback(inbox.stop)
    return inbox


async def _migrate(database_url: str) -> None:
    try:
        await upgrade(database_url)
    except OSError as error:
        raise ServerError(f"Postgres at DATABASE_URL cannot be reached: {type(error).__name__}") from error


async def _start_worker(
    folder: Path, environment: Mapping[str, str], log: Path, parts: ExitStack
) -> subprocess.Popen[bytes]:
    """Start `outbound worker` below a guard: it drains and ends when we stop it, and also when we are killed.

    It holds a lock of its own: after a kill -9 of ours it may still drain when the next start comes, which waits here.
    """
    lock = await asyncio.to_thread(parts.enter_context, locked("worker", folder))
    guard, pid = launch(
        Launch(
            command=[str(Path(sysconfig.get_path("scripts")) / "outbound"), "worker"],
            stop_signal=signal.SIGTERM,
            cwd=Path.cwd(),
            log=log,
            fds=(lock,),
            environment=environment,
        )
    )
    parts.callback(stop_guard, guard, pid)
    return guard


def _secret_key(file: Path) -> str:
    """Return the key of this folder, made at the first start: ids and tokens stay what they are."""
    if not file.exists():
        write_secret(file, secrets.token_urlsafe(32))
    return file.read_text().strip()
