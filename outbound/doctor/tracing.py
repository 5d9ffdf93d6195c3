"""Tracing: where it goes to, and whether somebody listens there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from outbound.doctor.check import Check, good, warning
from outbound.telemetry import is_wanted

_CONNECT_SECONDS = 3
_DEFAULT_ENDPOINT = "http://localhost:4318"
_DEFAULT_PORTS = {"http": 80, "https": 443}


async def check_tracing(environment: Mapping[str, str]) -> Check:
    """Check the OTLP endpoint, if these variables ask for tracing."""
    name = "tracing"
    if not is_wanted(environment):
        return good(name, "off: no OTEL_* variable asks for it")
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower() or "otlp"
    if exporter != "otlp":
        return good(name, f"exported by {exporter}")
    where = _address(environment)
    if where is None:
        return warning(name, "the endpoint is no http or https URL", "correct OTEL_EXPORTER_OTLP_ENDPOINT")
    host, port = where
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError, UnicodeError):
        return warning(
            name,
            f"nobody listens at {host}, port {port}: mail goes on, its traces are lost",
            "start the collector, or correct OTEL_EXPORTER_OTLP_ENDPOINT",
        )
    writer.close()
    return good(name, f"{host}, port {port}, is listening")


def _address(environment: Mapping[str, str]) -> tuple[str, int] | None:
    """Return host and port of the endpoint; the rest of the URL may hold a credential and is nobody's business."""
    url = (
        environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        or environment.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        or _DEFAULT_ENDPOINT
    )
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.hostname, port) if parts.hostname else None
