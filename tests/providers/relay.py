"""An SMTP provider with short time-outs, for a wire."""

from __future__ import annotations

import ssl
from datetime import timedelta
from typing import Any

from providers.smtp import SmtpConfig, SmtpProvider
from tests.wires.smtp import SmtpWire


def a_provider(wire: SmtpWire, *, tls_context: ssl.SSLContext | None = None, **changes: Any) -> SmtpProvider:
    fields: dict[str, Any] = {
        "hostname": wire.hostname,
        "port": wire.port,
        "tls": "none",
        "connect_timeout": timedelta(seconds=5),
        "command_timeout": timedelta(seconds=5),
        "block_timeout": timedelta(seconds=5),
        "data_timeout": timedelta(seconds=5),
        **changes,
    }
    return SmtpProvider(SmtpConfig(**fields), tls_context=tls_context)
