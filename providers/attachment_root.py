"""Reading a file that somebody named by its path: only below one folder, only regular files, only so much.

It blocks: call it from a thread.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from providers.errors import InvalidMessageError

_URL = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*:[/\\]|(?:blob|cid|data|file|javascript|mailto):)", re.IGNORECASE)
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe without a writer would block


def read_below(root: Path | None, path: str, max_bytes: int) -> bytes:
    """Return the content of the file at `path`, which is relative to `root` or an absolute path below it.

    Links are followed as long as they stay below `root`. All that lies elsewhere, is missing or may not be read has the
    same refusal, so that nobody can find out what exists.

    Raises:
        InvalidMessageError: if there is no root, it is a URL, not a regular file below the root, or over `max_bytes`.
    """
    if _URL.match(path) is not None:
        raise InvalidMessageError("attachments", "are never fetched from a URL: give the content, or a path")
    if root is None:
        raise InvalidMessageError("attachments", "may not be given by path: no folder for them is configured")
    try:
        with ExitStack() as stack:
            descriptor = _open_below(root, path, stack)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InvalidMessageError("attachments", "path is not a regular file")
            with open(descriptor, "rb", closefd=False) as file:
                # One octet more than allowed, and no size asked for: a file that grows is over the limit, too.
                content = file.read(max_bytes + 1)
    except (OSError, ValueError):
        # The cause would carry the path into a traceback; ValueError is a NUL or a lone surrogate in it.
        raise InvalidMessageError("attachments", "path is not a readable file below the configured folder") from None
    if len(content) > max_bytes:
        raise InvalidMessageError("attachments", f"hold a file of over {max_bytes} bytes")
    return content


def _open_below(root: Path, path: str, stack: ExitStack) -> int:
    """Return a descriptor of the file, closed by `stack`. ValueError if the path leads out of `root`."""
    top = os.path.realpath(root, strict=True)
    real = os.path.realpath(Path(top, path), strict=True)
    return open_without_links(top, Path(real).relative_to(top).parts, stack)


def open_without_links(folder: str, steps: Sequence[str], stack: ExitStack) -> int:
    """Return a descriptor of what lies `steps` below `folder`, closed by `stack`; OSError at the first link.

    The steps are those of a resolved path: whoever puts a link in the place of one of them meanwhile gains nothing.
    """
    descriptor = os.open(folder, _FOLDER)
    stack.callback(os.close, descriptor)
    for number, step in enumerate(steps, start=1):
        descriptor = os.open(step, _FILE if number == len(steps) else _FOLDER, dir_fd=descriptor)
        stack.callback(os.close, descriptor)
    return descriptor
