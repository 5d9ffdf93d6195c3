"""What we measure ourselves against: the loop one would write with aiosmtplib, in a process of its own.

`python -m benchmarks.raw --port N --mails N --connections N --message FILE` sends the same message again and again
over open connections, one mail after the other on each, and prints its CPU seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
from pathlib import Path

import aiosmtplib


async def send_all(port: int, mails: int, connections: int, message: bytes) -> float:
    """Send `mails` copies and return the CPU seconds of doing so, without connecting."""
    clients = [aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) for _ in range(connections)]
    for client in clients:
        await client.connect()
    left = iter(range(mails))

    async def lane(client: aiosmtplib.SMTP) -> None:
        for number in left:
            await client.sendmail("noreply@bench.example", [f"person{number % 1000}@bench.example"], message)

    before = _cpu_seconds()
    await asyncio.gather(*map(lane, clients))
    spent = _cpu_seconds() - before
    for client in clients:
        await client.quit()
    return spent


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Send and print the CPU seconds."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--mails", type=int, required=True)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--message", type=Path, required=True, help="a message as it goes on the wire, undotted")
    options = parser.parse_args()
    message = options.message.read_bytes()
    print(asyncio.run(send_all(options.port, options.mails, options.connections, message)))


if __name__ == "__main__":
    main()
