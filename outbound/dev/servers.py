"""Embedded Postgres and Valkey: no server has to be installed to run or test outbound.

They live below a folder, listen on the loopback interface with passwords, and end with the process that started them.
"""

from __future__ import annotations

from outbound.dev.postgres import ensure_login, find_postgres, start_postgres
from outbound.dev.process import AlreadyRunningError, Server, ServerError
from outbound.dev.valkey import find_valkey, start_valkey

__all__ = [
    "AlreadyRunningError",
    "Server",
    "ServerError",
    "ensure_login",
    "find_postgres",
    "find_valkey",
    "start_postgres",
    "start_valkey",
]
