"""JSON lines on standard error, one shape for our records and everybody else's, with the trace they belong to."""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog
from opentelemetry import trace

_NOISY = ("aiohttp", "aiosmtplib", "asyncio", "faust", "httpcore", "httpx", "mode")
_ADDRESS = re.compile(r"[^\s<>\"'(),;:]+@[^\s<>\"'(),;:]+")
_CALL = re.compile(r"(Exception in callback [^(]*).*")
_FOREIGN_LENGTH = 500
_FRAMES = 20

Event = MutableMapping[str, Any]


def configure(level: str = "INFO") -> None:
    """Send every record of the process to standard error as JSON, from `level` up; libraries from WARNING up."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _redact],
            processors=[
                _describe_exception,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            use_get_message=True,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _NOISY:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)


def _add_trace(_logger: Any, _method: str, event: Event) -> Event:
    """Name the trace and span the record was written in, if one is open."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


def _redact(_logger: Any, _method: str, event: Event) -> Event:
    """Take addresses out of a library's words, and cut them short: they may quote what they were given.

    Of words about an exception the first line stays, and in it a type stands for what the exception says: Mode logs the
    exception's text, asyncio its arguments and those of the callback it was raised in.
    """
    words = str(event.get("event", ""))
    error = _error_of(event.get("exc_info"))
    if error is not None:
        words = _CALL.sub(r"\1", words.partition("\n")[0])
        for link in _causes(error):
            for text in (repr(link), str(link)):
                words = words.replace(text, type(link).__name__) if text else words
    event["event"] = _ADDRESS.sub("<address>", words)[:_FOREIGN_LENGTH]
    return event


def _describe_exception(_logger: Any, _method: str, event: Event) -> Event:
    """Render an exception as its types and places.

    Never its text: a database driver's and a validator's quote the values they were given, and those are people's mail.
    """
    error = _error_of(event.pop("exc_info", None))
    if error is not None:
        event["exception"] = [_link(cause) for cause in _causes(error)]
    return event


def _error_of(given: Any) -> BaseException | None:
    """Return the exception a record came with, in any of the ways it may be given."""
    if given is None or given is False:
        return None
    if isinstance(given, BaseException):
        return given
    return given[1] if isinstance(given, tuple) else sys.exc_info()[1]


def _causes(error: BaseException) -> list[BaseException]:
    """Return an exception and its causes, the outermost first."""
    links: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in links:
        links.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return links


def _link(error: BaseException) -> dict[str, Any]:
    """Describe one exception: its type, its places, and what the system said about a failed call."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    link: dict[str, Any] = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if isinstance(error, OSError) and error.strerror:
        link["reason"] = _ADDRESS.sub("<address>", error.strerror)
    return link
