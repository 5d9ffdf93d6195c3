"""Run one server and stop it as soon as the process that asked for it is gone, also after a SIGKILL.

Executed as a script, `guard.py SIGNAL UID FDS COMMAND...`, with the standard library only. On every Unix the end of the
pipe at standard input is the parent's death; PR_SET_PDEATHSIG exists on Linux alone and follows the forking thread. The
first line on standard output is the server's process id.
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import threading

_GRACE_SECONDS = 20
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: list[str]) -> int:
    """Start the command, report its process id, and stay until it ends; return its exit status."""
    stop_signal, user, inherited, *command = arguments
    uid = None if user == "-" else int(user)
    server = subprocess.Popen(  # noqa: S603 - the command is the launcher's own
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        user=uid,
        group=None if uid is None else pwd.getpwuid(uid).pw_gid,
        extra_groups=None if uid is None else [],
        pass_fds=[int(number) for number in inherited.split(",") if number],
    )
    for number in _IGNORED:  # after the start, so that the server does not inherit it
        signal.signal(number, signal.SIG_IGN)
    os.write(1, b"%d\n" % server.pid)
    threading.Thread(target=_stop_when_alone, args=(server, int(stop_signal)), daemon=True).start()
    return server.wait()


def _stop_when_alone(server: subprocess.Popen[bytes], stop_signal: int) -> None:
    """Wait for the end of standard input, then stop the server, in the end by force."""
    # Not the buffered sys.stdin: a thread that holds its lock at the end would abort the interpreter.
    while os.read(0, 4096):
        continue
    server.send_signal(stop_signal)
    try:
        server.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
