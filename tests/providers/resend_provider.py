"""A Resend provider at the stand-in, with defaults, for tests that are about one setting of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from providers.resend import ResendConfig, ResendProvider
from tests.wires.resend import ResendWire


def a_provider(wire: ResendWire, *, client: httpx.AsyncClient | None = None, **changes: Any) -> ResendProvider:
    fields: dict[str, Any] = {
        "api_key": "re_test",
        "base_url": wire.base_url,
        "timeout": timedelta(seconds=5),
        "verified_domains": frozenset({"acme.example.com"}),
        **changes,
    }
    return ResendProvider(ResendConfig(**fields), client=client)
