"""The command `outbound dev` as a process: started, read, and looked for after its end."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.policy import default
from pathlib import Path
from typing import Any

OUTBOUND = str(Path(sysconfig.get_path("scripts")) / "outbound")
LIMIT_SECONDS = 50
REPLACEABLE = ("DATABASE_URL", "REDIS_URL", "EMAIL_HOST", "SMTP_HOST", "OUTBOUND_DEV_FOLDER")


def environment(**given: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in REPLACEABLE} | given


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRun:
    folder: Path
    answer: dict[str, Any]
    errors: str

    def event(self, label: str) -> dict[str, Any]:
        [found] = [event for event in self.answer["events"] if event["label"] == label]
        return found

    def mails(self) -> list[Message]:
        files = sorted((self.folder / "var" / "inbox").glob("*.eml"))
        return [message_from_bytes(file.read_bytes(), policy=default) for file in files]


@contextmanager
def running(folder: Path, **given: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Start the command as from a terminal's foreground; yield it with its lines until the demo is published."""
    process = subprocess.Popen(
        [OUTBOUND, "dev"],
        cwd=folder,
        env=environment(**given),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process, lines_until(process, "Ctrl-C stops it")
    finally:
        process.kill()
        process.communicate()


def lines_until(process: subprocess.Popen[str], wanted: str) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if wanted in line:
            return lines
    raise AssertionError("\n".join(lines))


def sourced(folder: Path, then: str = "env") -> str:
    """What a shell in this folder answers after `. var/env`."""
    done = subprocess.run(
        ["sh", "-c", f". var/env && {then}"], cwd=folder, env=environment(), capture_output=True, text=True, check=True
    )
    return done.stdout


def family(pid: int) -> set[int]:
    """All descendants of a process."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in (line.split() for line in listed.splitlines())}
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def all_gone(pids: set[int]) -> bool:
    end = time.monotonic() + 25
    while time.monotonic() < end:
        listed = subprocess.run(["ps", "-eo", "pid=,stat="], capture_output=True, text=True, check=True).stdout
        # A zombie has ended; a container's init may never look.
        alive = {int(pid) for pid, state in (line.split() for line in listed.splitlines()) if not state.startswith("Z")}
        if not pids & alive:
            return True
        time.sleep(0.1)
    return False
