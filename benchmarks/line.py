"""The whole line against a bare SMTP loop, on the same machine in the same minute: `./dev bench line`.

One real worker process between real servers with durable settings; each round sends the same number of mails through
the raw loop and through the line. Trust the ratio; the rates are this machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.latency import Latency, measure_latency
from benchmarks.meter import Meter
from benchmarks.sink import Accepted
from benchmarks.stage import Stage, set_up
from notifications.content import RenderedContent, decode
from providers.mailbox import Mailbox
from providers.message import OutboundMessage
from providers.mime import serialize

CONNECTIONS = 16
_WARM_UP = 1000
_LATENCY_RATES = (300, 1000)
_LATENCY_SECONDS = 5
_MICRO = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round's figures; rates in mails a second, CPU in microseconds a mail, WAL in bytes a mail."""

    raw_rate: float
    raw_cpu: float
    line_rate: float
    line_cpu: float
    postgres_cpu: float
    wal: float

    @property
    def ratio(self) -> float:
        """The line's rate as a part of the raw loop's."""
        return self.line_rate / self.raw_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Everything a run found out."""

    mails: int
    batch: int
    batch_max: int
    message_bytes: int
    rounds: Sequence[Round]
    worker_mib: float
    latencies: Sequence[Latency]


async def run(options: argparse.Namespace) -> Result:
    """Set the stage, warm up, measure the rounds, then latency if asked for."""
    batch_max = options.batch_max or options.batch
    async with set_up() as stage:
        with stage.worker(batch=options.batch, batch_max=batch_max, profile=options.profile) as pid:
            meter = Meter(admin=stage.admin, worker_pid=pid, postgres_pid=stage.postgres.pid)
            await _through_the_line(stage, meter, _WARM_UP, "warm-up")
            message = stage.folder / "message.eml"
            message.write_bytes(await _a_message(stage))
            rounds = [
                await _round(stage, meter, message, options.mails, f"round-{number}")
                for number in range(options.rounds)
            ]
            latencies = [
                await measure_latency(stage, rate, _LATENCY_SECONDS)
                for rate in (_LATENCY_RATES if options.latency else ())
            ]
            return Result(
                mails=options.mails,
                batch=options.batch,
                batch_max=batch_max,
                message_bytes=message.stat().st_size,
                rounds=rounds,
                worker_mib=meter.worker_mib(),
                latencies=latencies,
            )


async def _round(stage: Stage, meter: Meter, message: Path, mails: int, name: str) -> Round:
    raw_rate, raw_cpu = await _through_the_raw_loop(stage, message, mails)
    line = await _through_the_line(stage, meter, mails, name)
    return Round(raw_rate=raw_rate, raw_cpu=raw_cpu, **line)


async def _through_the_raw_loop(stage: Stage, message: Path, mails: int) -> tuple[float, float]:
    position = stage.sink.position()
    options = [f"--port={stage.sink.port}", f"--mails={mails}", f"--connections={CONNECTIONS}", f"--message={message}"]
    command = [sys.executable, "-m", "benchmarks.raw", *options]
    answer = await asyncio.to_thread(
        subprocess.run, command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True
    )
    return _rate(stage.sink.accepted_since(position)), float(answer.stdout) / mails * _MICRO


async def _through_the_line(stage: Stage, meter: Meter, mails: int, name: str) -> dict[str, float]:
    """Send, and charge the line with everything until the last outcome is recorded and published."""
    events = stage.events(mails, name)
    position = stage.sink.position()
    before = await meter.read()
    await stage.publish(events)
    await stage.settled(position, mails)
    after = await meter.read()
    return {
        "line_rate": _rate(stage.sink.accepted_since(position)),
        "line_cpu": (after.worker_cpu - before.worker_cpu) / mails * _MICRO,
        "postgres_cpu": (after.postgres_cpu - before.postgres_cpu) / mails * _MICRO,
        "wal": (after.wal_bytes - before.wal_bytes) / mails,
    }


def _rate(accepted: Sequence[Accepted]) -> float:
    """Return mails a second from the first acceptance to the last."""
    moments = [mail.at for mail in accepted]
    return (len(moments) - 1) / (max(moments) - min(moments))


async def _a_message(stage: Stage) -> bytes:
    """Return one of the line's own messages, for the raw loop to send."""
    row = await stage.admin.fetchrow(
        "select l.id, l.tenant_id, l.recipient, c.message from outbound.notification_logs l"
        " join outbound.message_contents c on c.notification_id = l.id where c.kind = 'rendered' limit 1"
    )
    content = decode("rendered", row["message"])
    assert isinstance(content, RenderedContent)
    return serialize(
        OutboundMessage(
            notification_id=row["id"],
            tenant_id=row["tenant_id"],
            user_id=None,
            template_name="ticket-updated",
            category="tickets",
            from_=Mailbox(content.addressing.from_name, "noreply@bench.example"),
            mail_from="noreply@bench.example",
            rcpt_to=row["recipient"],
            to=(Mailbox(content.addressing.to_name, row["recipient"]),),
            subject=content.subject,
            date=datetime.now(UTC),
            html=content.html,
            text=content.text,
        )
    )


def show(result: Result, console: Console) -> None:
    """Print tables: each round, the medians, and what we hold ourselves to."""
    table = Table(title=_title(result))
    for column in ("", "raw /s", "raw µs", "line /s", "line/raw", "line µs", "Postgres µs", "WAL B"):
        table.add_column(column, justify="left" if not column else "right")
    for number, one in enumerate(result.rounds, 1):
        table.add_row(f"round {number}", *_cells(one))
    table.add_row("median", *_cells(_median(result.rounds)), style="bold")
    table.add_row("goal", "", "", "", "≥ 0.50", "≤ 320", "≤ 200", "≤ 5120", style="dim")
    console.print(table)
    console.print(f"memory of the worker: {result.worker_mib:.0f} MiB (goal ≤ 120 MB)")
    for latency in result.latencies:
        goal = " (goal p99 ≤ 50 ms)" if latency.rate == max(_LATENCY_RATES) else ""
        console.print(
            f"event to acceptance at {latency.rate}/s: p50 {latency.p50_ms:.1f} ms, p99 {latency.p99_ms:.1f} ms,"
            f" worst {latency.worst_ms:.1f} ms{goal}"
        )


def _title(result: Result) -> str:
    batch = str(result.batch) if result.batch == result.batch_max else f"{result.batch} to {result.batch_max}"
    return f"{result.mails} mails of {result.message_bytes} bytes a round, batch {batch}, {CONNECTIONS} connections"


def _cells(one: Round) -> list[str]:
    rates = [f"{one.raw_rate:.0f}", f"{one.raw_cpu:.0f}", f"{one.line_rate:.0f}", f"{one.ratio:.2f}"]
    return [*rates, f"{one.line_cpu:.0f}", f"{one.postgres_cpu:.0f}", f"{one.wal:.0f}"]


def _median(rounds: Sequence[Round]) -> Round:
    """Return the median of each figure; the ratio is then that of the median rates."""
    values: dict[str, Any] = {name: median(getattr(one, name) for one in rounds) for name in asdict(rounds[0])}
    return Round(**values)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="./dev bench line", description=main.__doc__)
    parser.add_argument("--mails", type=int, default=4000, help="mails a round (4000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, each raw loop then line (3)")
    parser.add_argument("--batch", type=int, default=64, help="events a batch (64)")
    parser.add_argument("--batch-max", type=int, help="events a batch when behind (as --batch)")
    parser.add_argument("--latency", action="store_true", help="measure latency too, at 300/s and 1000/s")
    parser.add_argument("--profile", type=Path, help="run the worker under cProfile and write its file here")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    options = parser.parse_args()
    result = asyncio.run(run(options))
    if options.json:
        print(json.dumps(asdict(result) | {"ratio": _median(result.rounds).ratio}))
    else:
        show(result, Console())


if __name__ == "__main__":
    main()
