"""The sink takes what smtplib sends, counts exactly, and can misbehave on request."""

from __future__ import annotations

import asyncio
import os
import signal
import smtplib
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.wires.sink import Sink, SinkProcess, read_log

MAIL = "Subject: hello\r\nMessage-ID: <{}@outbound.example>\r\n\r\nOne line.\r\n.hidden dot\r\n"


def send(client: smtplib.SMTP, name: str, rcpt_to: str = "ada@example.org") -> None:
    client.sendmail("noreply@example.com", [rcpt_to], MAIL.format(name))


def converse(port: int, sent: bytes) -> bytes:
    """Send everything at once and return all that comes back until the sink closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(sent)
        received = b""
        while block := connection.recv(65536):
            received += block
    return received


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[SinkProcess]:
    with SinkProcess(tmp_path) as process:
        yield process


def test_every_mail_is_one_line_with_its_message_id_and_recipient(sink: SinkProcess) -> None:
    with smtplib.SMTP("127.0.0.1", sink.port) as client:
        send(client, "1")
        send(client, "2", "bob@example.org")
        send(client, "2", "bob@example.org")

    assert sink.log.read_text().splitlines() == [
        "1@outbound.example ada@example.org",
        "2@outbound.example bob@example.org",
        "2@outbound.example bob@example.org",
    ]
    assert read_log(sink.log) == Counter({"1@outbound.example": 1, "2@outbound.example": 2})


def test_the_line_is_in_the_log_before_the_mail_is_accepted(sink: SinkProcess) -> None:
    with smtplib.SMTP("127.0.0.1", sink.port) as client:
        for number in range(50):
            send(client, str(number))

            assert len(read_log(sink.log)) == number + 1


def test_all_commands_are_answered(sink: SinkProcess) -> None:
    with smtplib.SMTP("127.0.0.1", sink.port) as client:
        assert client.ehlo()[0] == 250
        assert client.has_extn("pipelining")
        assert client.noop()[0] == 250
        assert client.mail("a@example.com")[0] == 250
        assert client.rcpt("b@example.org")[0] == 250
        assert client.rset()[0] == 250
        assert client.docmd("DATA")[0] == 503
        assert client.docmd("EXPN")[0] == 502
        assert client.quit()[0] == 221


def test_pipelined_input_is_answered_in_order(sink: SinkProcess) -> None:
    one = b"MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nMessage-ID:\r\n <folded@x>\r\n\r\nbody\r\n.\r\n"

    answers = converse(sink.port, b"EHLO me\r\n" + one + one + b"QUIT\r\n")

    codes = [line[:3] for line in answers.splitlines() if line[3:4] == b" "]
    assert codes == [b"220", b"250", b"250", b"250", b"354", b"250", b"250", b"250", b"354", b"250", b"221"]
    assert read_log(sink.log) == Counter({"folded@x": 2})


def test_input_cut_at_every_byte_is_understood(sink: SinkProcess) -> None:
    sent = b"HELO me\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nMessage-ID: <cut@x>\r\n\r\n..\r\n.\r\nQUIT\r\n"

    with socket.create_connection(("127.0.0.1", sink.port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in sent:
            connection.sendall(bytes([byte]))
        while connection.recv(65536):
            pass

    assert sink.log.read_text() == "cut@x d@e.f\n"


def test_a_message_id_in_the_body_is_not_one(sink: SinkProcess) -> None:
    with smtplib.SMTP("127.0.0.1", sink.port) as client:
        client.sendmail("a@example.com", ["b@example.org"], "Subject: none\r\n\r\nMessage-ID: <body@x>\r\n")
        client.sendmail("a@example.com", ["b@example.org"], "")

    assert read_log(sink.log) == Counter({"-": 2})


def test_a_large_mail_is_taken_whole(sink: SinkProcess) -> None:
    with smtplib.SMTP("127.0.0.1", sink.port) as client:
        client.sendmail("a@example.com", ["b@example.org"], MAIL.format("large") + ("y" * 998 + "\r\n") * 5000)

    assert read_log(sink.log) == Counter({"large@outbound.example": 1})


def test_a_dropped_reply_leaves_the_mail_in_the_log(tmp_path: Path) -> None:
    with SinkProcess(tmp_path, drop_reply_every=2) as sink:
        with smtplib.SMTP("127.0.0.1", sink.port) as client:
            send(client, "answered")
            with pytest.raises(smtplib.SMTPServerDisconnected):
                send(client, "unanswered")

        assert read_log(sink.log) == Counter({"answered@outbound.example": 1, "unanswered@outbound.example": 1})


def test_a_delayed_reply_still_comes_and_in_order(tmp_path: Path) -> None:
    one = b"MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nMessage-ID: <late@x>\r\n\r\n.\r\n"

    with SinkProcess(tmp_path, reply_delay=timedelta(milliseconds=20)) as sink:
        answers = converse(sink.port, one + one + b"QUIT\r\n")

    assert [line[:3] for line in answers.splitlines()] == [b"220", *([b"250", b"250", b"354", b"250"] * 2), b"221"]


def test_the_log_of_an_earlier_run_is_continued(tmp_path: Path) -> None:
    for _ in range(2):
        with SinkProcess(tmp_path) as sink, smtplib.SMTP("127.0.0.1", sink.port) as client:
            send(client, "again")

    assert read_log(tmp_path / "sink.log") == Counter({"again@outbound.example": 2})


def test_the_log_of_a_sink_that_took_nothing_is_empty(tmp_path: Path) -> None:
    assert read_log(tmp_path / "absent.log") == Counter()


def test_a_sink_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="did not start"), SinkProcess(tmp_path / "absent"):
        pass


def test_the_sink_dies_with_its_parent(tmp_path: Path) -> None:
    parent = (
        "import pathlib, sys, time\n"
        "from tests.wires.sink import SinkProcess\n"
        "with SinkProcess(pathlib.Path(sys.argv[1])) as sink:\n"
        "    print(sink.port, flush=True)\n"
        "    time.sleep(60)\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", parent, str(tmp_path)], cwd=root, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.recv(64)
            os.kill(process.pid, signal.SIGKILL)

            assert connection.recv(64) == b""


async def test_a_sink_in_this_process_counts_too(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with Sink(log) as sink:
        process = await _send_from_elsewhere(sink.port)
        assert process == 0

        assert sink.accepted == 1
    assert read_log(log) == Counter({"elsewhere@x": 1})


async def _send_from_elsewhere(port: int) -> int:
    code = (
        "import smtplib, sys\n"
        "with smtplib.SMTP('127.0.0.1', int(sys.argv[1])) as client:\n"
        "    client.sendmail('a@b.c', ['d@e.f'], 'Message-ID: <elsewhere@x>\\r\\n\\r\\n')\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(port))
    return await process.wait()
