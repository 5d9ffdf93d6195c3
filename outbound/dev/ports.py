"""The ports of a folder's last run: used again where they are free, so that a shell that knows them stays right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

_HIGHEST = 65535


def remembered_ports(file: Path) -> dict[str, int]:
    """Return the port of each part when `file` was written; nothing where it cannot be read."""
    try:
        known: object = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    entries = cast("dict[str, object]", known)
    return {name: port for name, port in entries.items() if isinstance(port, int) and 0 < port <= _HIGHEST}


def remember_ports(file: Path, ports: Mapping[str, int | None]) -> None:
    """Write down which ports are used now; a part without one, as it is not ours this time, keeps its former one."""
    used = {name: port for name, port in ports.items() if port is not None}
    file.write_text(json.dumps(remembered_ports(file) | used) + "\n")
