"""Tracing, configured by the standard OTEL_* variables, and off without them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from importlib import import_module
from typing import Any

from opentelemetry import trace

FLUSH_BUDGET = timedelta(seconds=2)
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

_DEFAULTS = {
    "OTEL_SERVICE_NAME": "outbound",
    # The configurator's own default is gRPC, whose exporter is not among our dependencies.
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_TRACES_EXPORTER": "otlp",
}


def configure_tracing() -> Callable[[], None]:
    """Install the SDK if the environment asks for it, and return what flushes and ends it within `FLUSH_BUDGET`.

    Asked for means: an OTLP endpoint or OTEL_TRACES_EXPORTER is set, the exporter is not `none`, and OTEL_SDK_DISABLED
    is not `true`. Otherwise nothing is installed and spans cost next to nothing.
    """
    if not is_wanted(os.environ):
        return _nothing
    _install()
    return _shut_down


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Tell whether these variables ask for tracing."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if exporter:
        return exporter != "none"
    return any(environment.get(name) for name in _ENDPOINTS)


def _install() -> None:
    """Let the SDK read its own variables.

    Only its configurator reads them all (exporter, protocol, sampler, resource), and its name is private: this is the
    only place that says it, and a test exports a span through it. Imported here because the SDK costs 60 ms.
    """
    for variable, value in _DEFAULTS.items():
        if not os.environ.get(variable):
            os.environ[variable] = value
    configuration: Any = import_module("opentelemetry.sdk._configuration")
    configuration._OTelSDKConfigurator().configure()  # noqa: SLF001 - see above


def _shut_down() -> None:
    """Flush and end the provider; a dead collector may take more than 5 s, so it gets a thread and a budget."""
    shutdown = getattr(trace.get_tracer_provider(), "shutdown", None)
    if shutdown is None:
        return
    thread = threading.Thread(target=shutdown, name="telemetry-flush", daemon=True)
    thread.start()
    thread.join(FLUSH_BUDGET.total_seconds())


def _nothing() -> None:
    """End nothing: tracing is off."""
