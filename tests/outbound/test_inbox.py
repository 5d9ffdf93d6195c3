"""The demo's inbox keeps what it gets and shows it without doing what it says."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from outbound.dev.inbox import Inbox, start_inbox

HOSTILE = (
    b"From: Shop <a@b.example>\r\nTo: c@d.example\r\nSubject: <script>alert(1)</script> =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n"
    b"--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nplain </pre><b>words\r\n"
    b"--x\r\nContent-Type: text/html; charset=no-such\r\n\r\n<script>alert(2)</script>\r\n--x--\r\n"
)


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    running = start_inbox(tmp_path / "inbox")
    yield running
    running.stop()
    running.stop()


def deliver(inbox: Inbox, mail: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", inbox.smtp_port) as client:
        client.sendmail("bounce@b.example", ["real@d.example"], mail)


async def get(url: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text(), response.headers.get("Content-Security-Policy", "")


async def test_a_mail_is_listed_and_shown_with_everything_escaped(inbox: Inbox, tmp_path: Path) -> None:
    deliver(inbox, HOSTILE)
    [file] = (tmp_path / "inbox").glob("*.eml")

    _, listed, policy = await get(inbox.web_url)
    _, shown, _ = await get(f"{inbox.web_url}mails/{file.stem}")
    _, html, html_policy = await get(f"{inbox.web_url}mails/{file.stem}/html")
    _, source, _ = await get(f"{inbox.web_url}mails/{file.stem}/source")

    for page in (listed, shown):
        assert "real@d.example" in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt; grüße" in page
        assert "<script>" not in page
    assert "default-src 'none'" in policy
    assert "plain &lt;/pre&gt;&lt;b&gt;words" in shown
    assert "<iframe sandbox src=" in shown
    assert "<script>alert(2)</script>" in html
    assert html_policy.startswith("sandbox; default-src 'none'")
    assert source.encode().endswith(b"--x--\r\n")


async def test_mails_survive_a_restart(inbox: Inbox, tmp_path: Path) -> None:
    deliver(inbox, HOSTILE)
    inbox.stop()
    again = start_inbox(tmp_path / "inbox")
    _, listed, _ = await get(again.web_url)
    again.stop()

    assert "1 mails" in listed


async def test_a_mail_that_no_parser_likes_is_shown_all_the_same(inbox: Inbox, tmp_path: Path) -> None:
    deliver(inbox, b"Subject: =?x?q?\xff\xfe?=\r\nFrom: <<<>>>\xff\r\nTo: @@,;:\r\n\r\n\xff\x00\r\n")
    [file] = (tmp_path / "inbox").glob("*.eml")

    assert (await get(inbox.web_url))[0] == 200
    assert (await get(f"{inbox.web_url}mails/{file.stem}"))[0] == 200
    assert (await get(f"{inbox.web_url}mails/{file.stem}/source"))[0] == 200


@pytest.mark.parametrize("name", ["1700000000000000000-00000000", "..%2f..%2fsecret", "%2e%2e", "x"])
async def test_another_file_cannot_be_read(inbox: Inbox, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.eml").write_text("x")
    assert (await get(f"{inbox.web_url}mails/{name}/source"))[0] == 404


def test_a_port_that_is_taken_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        start_inbox(tmp_path, smtp_port=taken.getsockname()[1])
