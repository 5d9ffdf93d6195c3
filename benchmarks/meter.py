"""What a run costs: CPU of processes, bytes of write-ahead log, memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psutil

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Everything so far: CPU seconds of the worker and of Postgres with all its processes, bytes of WAL."""

    worker_cpu: float
    postgres_cpu: float
    wal_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """Reads the meters of one worker and its Postgres."""

    admin: Any
    worker_pid: int
    postgres_pid: int

    async def read(self) -> Reading:
        """Take a reading. CPU times come in steps of 10 ms."""
        return Reading(
            worker_cpu=_cpu_seconds(psutil.Process(self.worker_pid)),
            postgres_cpu=_cpu_seconds_of_all(psutil.Process(self.postgres_pid)),
            wal_bytes=int(await self.admin.fetchval("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")),
        )

    def worker_mib(self) -> float:
        """Return the resident memory of the worker."""
        return float(psutil.Process(self.worker_pid).memory_info().rss) / _MIB


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _cpu_seconds_of_all(parent: psutil.Process) -> float:
    """Sum up a process and its children; those that ended are in their parent's account."""
    total = parent.cpu_times()
    spent = float(total.user + total.system + total.children_user + total.children_system)
    for child in parent.children(recursive=True):
        try:
            spent += _cpu_seconds(child)
        except psutil.NoSuchProcess:
            continue
    return spent
