"""Who gave a command, as the audit log names them."""

from __future__ import annotations

import getpass
import os


def actor() -> str:
    """Return `cli:` and the operating system's user, by number where it has no name."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        # KeyError until Python 3.12: a container may run as a user that nobody entered anywhere.
        return f"cli:uid-{os.getuid()}"
