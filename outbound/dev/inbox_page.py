"""The inbox's pages: a list, one mail, and its HTML part where it can do no harm."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from html import escape
from pathlib import Path

from aiohttp import web

_NAME = re.compile(r"[0-9]{10,20}-[0-9a-f]{8}")
_SHOWN = 200
_SHOWN_HEADERS = ("From", "To", "Cc", "Reply-To", "Subject", "Date", "Message-ID")
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color-scheme:light dark}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #8884}"
    "iframe{width:100%;height:36rem;border:1px solid #8884;background:#fff}pre{white-space:pre-wrap}"
)
# Our own pages run no script; a mail's HTML additionally gets an origin of its own and loads nothing.
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'; form-action 'none'"
_MAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def routes(folder: Path) -> list[web.RouteDef]:
    """Return the routes that read from `folder`; nothing here writes."""
    return [
        web.get("/", _list(folder)),
        web.get("/mails/{name}", _mail(folder)),
        web.get("/mails/{name}/html", _html(folder)),
        web.get("/mails/{name}/source", _source(folder)),
    ]


def _list(folder: Path) -> _Handler:
    async def handle(_request: web.Request) -> web.Response:
        files = _newest_first(folder)
        rows = "".join(_row(file) for file in files[:_SHOWN])
        head = f"<h1>Inbox</h1><p>{len(files)} mails, the newest first. This page follows.</p>"
        table = f"<table><tr><th>To</th><th>Subject</th><th>From</th></tr>{rows}</table>"
        return _page("Inbox", head + table, refresh=True)

    return handle


def _mail(folder: Path) -> _Handler:
    async def handle(request: web.Request) -> web.Response:
        file = _file(folder, request)
        message = _parse(file)
        headers = "".join(
            f"<tr><th>{name}</th><td>{escape(_header(message, name))}</td></tr>"
            for name in ("X-Envelope-To", *_SHOWN_HEADERS)
            if _header(message, name)
        )
        text, html = _part(message, "plain"), _part(message, "html")
        frame = f'<iframe sandbox src="/mails/{file.stem}/html" title="The mail as HTML"></iframe>' if html else ""
        body = f"<p><a href='/'>Inbox</a> · <a href='/mails/{file.stem}/source'>source</a></p><table>{headers}</table>"
        return _page(_header(message, "Subject"), f"{body}<h2>HTML</h2>{frame}<h2>Text</h2><pre>{escape(text)}</pre>")

    return handle


def _html(folder: Path) -> _Handler:
    async def handle(request: web.Request) -> web.Response:
        html = _part(_parse(_file(folder, request)), "html")
        return _answer(html, "text/html", _MAIL_POLICY)

    return handle


def _source(folder: Path) -> _Handler:
    async def handle(request: web.Request) -> web.Response:
        source = _file(folder, request).read_bytes().decode("utf-8", "replace")
        return _answer(source, "text/plain", _PAGE_POLICY)

    return handle


def _row(file: Path) -> str:
    message = _parse(file)
    cells = (_header(message, "X-Envelope-To"), _header(message, "Subject"), _header(message, "From"))
    to, subject, sender = (escape(cell) for cell in cells)
    return f'<tr><td>{to}</td><td><a href="/mails/{file.stem}">{subject or "(none)"}</a></td><td>{sender}</td></tr>'


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.eml"), reverse=True)


def _file(folder: Path, request: web.Request) -> Path:
    """Return the mail the address names; a name of another form never reaches the file system."""
    name = request.match_info["name"]
    file = folder / f"{name}.eml"
    if not _NAME.fullmatch(name) or not file.is_file():
        raise web.HTTPNotFound
    return file


def _parse(file: Path) -> EmailMessage:
    return email.message_from_bytes(file.read_bytes(), policy=email.policy.default)


def _header(message: EmailMessage, name: str) -> str:
    """Return a header as text; one the parser cannot read shows as nothing rather than hide the mail."""
    try:
        return ", ".join(str(value) for value in message.get_all(name, []))
    except (ValueError, IndexError, AttributeError):  # the stdlib parser's known ways to fail on hostile headers
        return ""


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    if part is None:
        return ""
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    try:
        return payload.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:  # a charset nobody knows
        return payload.decode("ascii", "replace")


def _page(title: str, body: str, *, refresh: bool = False) -> web.Response:
    follow = '<meta http-equiv="refresh" content="3">' if refresh else ""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width">{follow}'
    document = f"<!doctype html><html lang=en>{head}<title>{escape(title)}</title><style>{_STYLE}</style>{body}</html>"
    return _answer(document, "text/html", _PAGE_POLICY)


def _answer(text: str, content_type: str, policy: str) -> web.Response:
    headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"}
    body = text.encode("utf-8", "replace")
    return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)
