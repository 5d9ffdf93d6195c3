"""What a mail costs to write and to send, beside the standard library and a connection a mail: `./dev bench mime`.

CPU of this process only; ours and theirs take turns in every round. Trust the ratios; the figures are this machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from uuid import UUID, uuid5

import aiosmtplib
from rich.console import Console
from rich.table import Table

from benchmarks.sink import start_sink
from providers.attachment import Attachment
from providers.mailbox import Mailbox
from providers.message import OutboundMessage
from providers.mime import serialize
from providers.receipt import Outcome
from providers.smtp import SmtpProvider

CONNECTIONS = 16
_MICRO = 1e6
_TENANT = UUID("7d0c0000-0000-4000-8000-000000000001")
_ENGLISH = (
    "The printer on floor 12 is out of paper again, and Grace Hopper has taken the ticket over from Ada Lovelace."
)
_GERMAN = "Der Drucker im 12. Stock hat schon wieder kein Papier, und Größe oder Zustand der Kassetten sind ungeprüft."
_FILE_BYTES = 200 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """CPU microseconds a mail: ours and theirs, medians of the rounds."""

    what: str
    mail_bytes: int
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        """How many of ours are made in the time of one of theirs."""
        return self.theirs / self.ours


def measure_mime(what: str, sentence: str, files: Sequence[Attachment], mails: int, rounds: int) -> Figure:
    """Write the same mails with both, `rounds` times."""
    messages = [_message(number, sentence, files) for number in range(mails)]
    _cpu(lambda: [serialize(message) for message in messages[:50]])
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(_cpu(lambda: [serialize(message) for message in messages]) / mails)
        theirs.append(_cpu(lambda: [bytes(_email_message(message)) for message in messages]) / mails)
    return Figure(what=what, mail_bytes=len(serialize(messages[0])), ours=median(ours), theirs=median(theirs))


def measure_making(mails: int, rounds: int) -> float:
    """Return what an OutboundMessage costs to make, with all its checks."""
    people = range(mails)
    return median(_cpu(lambda: [_message(number, _ENGLISH, ()) for number in people]) / mails for _ in range(rounds))


async def measure_sending(port: int, mails: int, rounds: int) -> Figure:
    """Send the same mails to a sink over pooled connections, and with aiosmtplib over one for each, 16 at once."""
    provider = SmtpProvider.from_config(
        {
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(port),
            "EMAIL_TLS": "none",
            "OUTBOUND_SMTP_LOCAL_HOSTNAME": "bench.example",
            "OUTBOUND_SMTP_CONNECTIONS": str(CONNECTIONS),
        }
    )
    messages = [_message(number, _ENGLISH, ()) for number in range(mails)]

    async def pooled(message: OutboundMessage) -> None:
        receipt = await provider.send(message, _go_on)
        assert receipt.outcome is Outcome.ACCEPTED, receipt

    async def single(message: OutboundMessage) -> None:
        await aiosmtplib.send(
            bytes(_email_message(message)),
            sender=message.mail_from,
            recipients=[message.rcpt_to],
            hostname="127.0.0.1",
            port=port,
            start_tls=False,
            local_hostname="bench.example",
        )

    try:
        await _cpu_of_all(messages[:100], pooled)
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(await _cpu_of_all(messages, pooled) / mails)
            theirs.append(await _cpu_of_all(messages, single) / mails)
    finally:
        await provider.aclose()
    size = len(serialize(messages[0]))
    return Figure(what="written and sent", mail_bytes=size, ours=median(ours), theirs=median(theirs))


def _message(number: int, sentence: str, files: Sequence[Attachment]) -> OutboundMessage:
    """Return a mail as templates make them: 5 KB of html and the same as text, to one of a thousand people."""
    person = f"person{number % 1000}@bench.example"
    paragraphs = [f"{sentence} ({number}-{part})" for part in range(28)]
    rows = "\n".join(f'<tr><td style="padding:8px 16px">{paragraph}</td></tr>' for paragraph in paragraphs)
    return OutboundMessage(
        notification_id=uuid5(_TENANT, str(number)),
        tenant_id=_TENANT,
        user_id=f"u-{number}",
        template_name="ticket-updated",
        category="tickets",
        from_=Mailbox("Acme Support", "noreply@bench.example"),
        mail_from="noreply@bench.example",
        rcpt_to=person,
        to=(Mailbox(f"Person {number % 1000}", person),),
        subject=f"Ticket {number}: {sentence[:40]}",
        date=datetime(2026, 11, 24, 2, 0, tzinfo=UTC),
        html=f"<!doctype html>\n<html><body><table>\n{rows}\n</table></body></html>\n",
        text="\n\n".join(paragraphs) + "\n",
        attachments=tuple(files),
        headers={"References": f"<ticket-{number}@bench.example>"},
    )


def _email_message(message: OutboundMessage) -> EmailMessage:
    """Return the same mail, made as the standard library's documentation shows."""
    mail = EmailMessage(policy=SMTP)
    mail["Date"] = message.date
    mail["From"] = _address(message.from_)
    mail["To"] = [_address(box) for box in message.to]
    mail["Subject"] = message.subject
    mail["Message-ID"] = message.message_id
    mail["X-Outbound-Id"] = str(message.notification_id)
    mail["Auto-Submitted"] = "auto-generated"
    for name, value in message.headers.items():
        mail[name] = value
    mail.set_content(message.text or "")
    mail.add_alternative(message.html or "", subtype="html")
    for file in message.attachments:
        maintype, _, subtype = file.content_type.partition("/")
        mail.add_attachment(file.content, maintype=maintype, subtype=subtype, filename=file.filename)
    return mail


def _address(box: Mailbox) -> Address:
    return Address(display_name=box.display_name or "", addr_spec=box.addr_spec)


def _cpu(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return (time.process_time() - before) * _MICRO


async def _cpu_of_all(messages: Sequence[OutboundMessage], send: Callable[[OutboundMessage], Awaitable[None]]) -> float:
    left: Iterator[OutboundMessage] = iter(messages)

    async def lane() -> None:
        for message in left:
            await send(message)

    before = time.process_time()
    await asyncio.gather(*(lane() for _ in range(CONNECTIONS)))
    return (time.process_time() - before) * _MICRO


async def _go_on() -> bool:
    return True


def run(mails: int, rounds: int) -> tuple[list[Figure], float]:
    """Measure everything: the figures, and what a message costs to make."""
    file = Attachment(
        filename="terms.pdf", content=bytes(range(256)) * (_FILE_BYTES // 256), content_type="application/pdf"
    )
    figures = [
        measure_mime("MIME, plain English", _ENGLISH, (), mails, rounds),
        measure_mime("MIME, with umlauts", _GERMAN, (), mails, rounds),
        measure_mime("MIME, with a 200 KB file", _ENGLISH, (file,), max(1, mails // 10), rounds),
    ]
    making = measure_making(mails, rounds)
    with TemporaryDirectory(prefix="outbound-bench-") as folder, start_sink(Path(folder)) as sink:
        figures.append(asyncio.run(measure_sending(sink.port, mails, rounds)))
    return figures, making


def show(figures: Sequence[Figure], making: float, mails: int, rounds: int, console: Console) -> None:
    """Print one table."""
    table = Table(title=f"CPU µs a mail, median of {rounds} rounds of {mails}, {CONNECTIONS} at once where sent")
    for column in ("", "bytes", "ours", "EmailMessage / aiosmtplib", "ratio"):
        table.add_column(column, justify="left" if not column else "right")
    for figure in figures:
        table.add_row(
            figure.what, str(figure.mail_bytes), f"{figure.ours:.0f}", f"{figure.theirs:.0f}", f"{figure.ratio:.1f} x"
        )
    console.print(table)
    console.print(f"an OutboundMessage and its checks: {making:.0f} µs, not in the figures above")
    console.print("sent: ours over pooled connections; theirs EmailMessage and a connection a mail; no TLS, no login")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="./dev bench mime", description=main.__doc__)
    parser.add_argument("--mails", type=int, default=500, help="mails a round (500); a tenth with a file")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, each ours then theirs (5)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    figures, making = run(options.mails, options.rounds)
    if options.json:
        print(json.dumps({"figures": [asdict(one) | {"ratio": one.ratio} for one in figures], "making": making}))
    else:
        show(figures, making, options.mails, options.rounds, Console())


if __name__ == "__main__":
    main()
