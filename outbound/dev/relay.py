"""Whether somebody else's relay answers: what to say when mail does not leave."""

from __future__ import annotations

import asyncio

from outbound.settings import Settings

_SECONDS = 3.0
_READY = b"220"


async def silence_of_relay(settings: Settings) -> str | None:
    """Return one sentence if the server at EMAIL_HOST does not greet as an SMTP server does; None if it does."""
    host, port = settings.email_host or "", settings.smtp_port
    where = f"the relay at EMAIL_HOST ({host}:{port})"
    try:
        async with asyncio.timeout(_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                # With implicit TLS the greeting comes after a handshake; an open port says enough.
                greeting = _READY if settings.email_tls == "implicit" else await reader.readline()
            finally:
                writer.close()
    except OSError as error:  # a TimeoutError too
        return f"{where} does not answer: {type(error).__name__}"
    return None if greeting.startswith(_READY) else f"{where} does not greet as an SMTP server"
