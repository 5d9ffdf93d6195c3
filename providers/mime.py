"""A message as the bytes of RFC 5322 and MIME: a pure function, so a repeat is the same to the last byte.

The structure is mixed(alternative(text, related(html, inline images)), attachments), without the layers that are not
needed. All of it is 7-bit with lines of at most 998 octets, so it needs neither 8BITMIME nor SMTPUTF8.
"""

from __future__ import annotations

import binascii
from typing import Final

from providers import headers
from providers.attachment import ENCODED, Attachment, Base64Cache, base64_lines
from providers.message import OutboundMessage

_LONGEST_LINE: Final = 998  # RFC 5322 §2.1.1, without CRLF


def serialize(message: OutboundMessage, encoded: Base64Cache = ENCODED) -> bytes:
    """Return the complete message with CRLF line ends, not yet dot-stuffed. `encoded` gives the files' base64."""
    whole = b"".join([_header_block(message), *_content(message, encoded)])
    return whole if whole.endswith(b"\r\n") else whole + b"\r\n"


def _header_block(message: OutboundMessage) -> bytes:
    fields = [
        f"Date: {headers.date(message.date)}\r\n",
        headers.fold("From", headers.mailbox(message.from_)),
        headers.fold("To", headers.mailboxes(message.to)),
    ]
    if message.cc:
        fields.append(headers.fold("Cc", headers.mailboxes(message.cc)))
    if message.reply_to:
        fields.append(headers.fold("Reply-To", headers.mailboxes(message.reply_to)))
    fields.append(headers.fold("Subject", headers.unstructured(message.subject)))
    fields.append(headers.fold("Message-ID", message.message_id))
    fields.append(f"X-Outbound-Id: {message.notification_id}\r\n")
    automatic = True
    for name, value in message.headers.items():
        fields.append(headers.fold(name, value))
        automatic = automatic and name.lower() != "auto-submitted"
    if automatic:
        fields.append("Auto-Submitted: auto-generated\r\n")  # RFC 3834 §5: no vacation replies, please
    fields.append("MIME-Version: 1.0\r\n")
    return "".join(fields).encode("ascii")


def _content(message: OutboundMessage, encoded: Base64Cache) -> list[bytes]:
    """Return the pieces of the body, the top part's own Content-* fields first."""
    text = _text_part(message.text, b"plain") if message.text else None
    html = _text_part(message.html, b"html") if message.html else None
    # An image that no html can show is a plain attachment.
    shown = [attachment for attachment in message.attachments if attachment.cid is not None and html is not None]
    inline = [_file_part(image, encoded, f"Content-ID: <{image.cid}>\r\n") for image in shown]
    attached = [_file_part(file, encoded) for file in message.attachments if file.cid is None or html is None]
    boundary = _boundary(message, [*(text or ()), *(html or ())])
    if html is not None and inline:
        html = _multipart(b"related", boundary + b".r", [html, *inline])
    bodies = [part for part in (text, html) if part is not None]
    content = bodies[0] if len(bodies) == 1 else _multipart(b"alternative", boundary + b".a", bodies)
    if attached:
        content = _multipart(b"mixed", boundary + b".m", [content, *attached])
    return content


def _boundary(message: OutboundMessage, bodies: list[bytes]) -> bytes:
    """Return a boundary made of the notification's id that occurs in no body. Base64 cannot hold its `=_`."""
    stem = boundary = f"=_{message.notification_id.hex}".encode("ascii")
    number = 0
    while any(boundary in body for body in bodies):
        number += 1
        boundary = b"%s.%d" % (stem, number)
    return boundary


def _multipart(subtype: bytes, boundary: bytes, parts: list[list[bytes]]) -> list[bytes]:
    pieces = [b'Content-Type: multipart/%s;\r\n boundary="%s"\r\n\r\n' % (subtype, boundary)]
    for part in parts:
        pieces.append(b"--%s\r\n" % boundary)
        pieces += part
        pieces.append(b"\r\n")
    pieces.append(b"--%s--\r\n" % boundary)
    return pieces


def _text_part(body: str, subtype: bytes) -> list[bytes]:
    encoding, encoded = _encode_text(body)
    head = b"Content-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n" % (subtype, encoding)
    return [head, encoded]


def _encode_text(body: str) -> tuple[bytes, bytes]:
    """Return the transfer encoding and the body in it: as it is where the rules allow, else whichever is shorter."""
    if "\r" in body:
        body = body.replace("\r\n", "\n").replace("\r", "\n")
    if body.isascii() and max(map(len, body.split("\n"))) <= _LONGEST_LINE:
        return b"7bit", body.replace("\n", "\r\n").encode("ascii")
    octets = body.replace("\n", "\r\n").encode()
    quoted = binascii.b2a_qp(octets, istext=True)
    if b"\n" not in octets:
        quoted = quoted.replace(b"\n", b"\r\n")  # it takes its line end from the first one in the text, else a bare LF
    if len(quoted) * 3 <= len(octets) * 4:
        return b"quoted-printable", quoted
    return b"base64", base64_lines(octets)


def _file_part(attachment: Attachment, encoded: Base64Cache, content_id: str = "") -> list[bytes]:
    disposition = "inline" if content_id else "attachment"
    fields = [
        headers.fold("Content-Type", attachment.content_type),
        "Content-Transfer-Encoding: base64\r\n",
        headers.with_parameters("Content-Disposition", disposition, headers.parameter("filename", attachment.filename)),
        content_id,
        "\r\n",
    ]
    return ["".join(fields).encode("ascii"), encoded.lines(attachment)]
