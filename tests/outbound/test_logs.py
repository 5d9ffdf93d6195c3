"""What a log line is, and what it never holds."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator

import pytest
import structlog
from opentelemetry import trace

from outbound import logs

ADDRESS = "person@planted.example"


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_ours_and_a_library_s_records_have_one_shape(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    structlog.get_logger("outbound.test").info("email.accepted", provider="smtp")
    logging.getLogger("somebody.else").warning("a %s", "warning")
    [ours, theirs] = lines(capsys)

    assert ours["event"] == "email.accepted"
    assert ours["provider"] == "smtp"
    assert theirs["event"] == "a warning"
    shared = {"event", "level", "logger", "timestamp"}
    assert shared <= set(ours)
    assert shared == set(theirs)


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("WARNING")
    structlog.get_logger("outbound.test").info("quiet")
    logging.getLogger("outbound.test").info("quiet")
    assert lines(capsys) == []


@pytest.mark.parametrize("name", ["aiosmtplib", "httpx", "httpcore.connection", "faust", "mode", "aiohttp.access"])
def test_libraries_speak_up_only_when_something_is_wrong(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("DEBUG")
    logging.getLogger(name).info("chatter")
    logging.getLogger(name).warning("trouble")
    [line] = lines(capsys)
    assert line["event"] == "trouble"


def test_a_record_names_the_span_it_was_written_in(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    context = trace.SpanContext(trace_id=1, span_id=2, is_remote=False)
    with trace.use_span(trace.NonRecordingSpan(context)):
        structlog.get_logger("outbound.test").info("inside")
        logging.getLogger("somebody.else").warning("inside")
    structlog.get_logger("outbound.test").info("outside")
    [ours, theirs, outside] = lines(capsys)

    assert ours["trace_id"] == theirs["trace_id"] == f"{1:032x}"
    assert ours["span_id"] == f"{2:016x}"
    assert "trace_id" not in outside


def test_context_variables_are_in_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    with structlog.contextvars.bound_contextvars(worker="w1"):
        logging.getLogger("somebody.else").warning("x")
    [line] = lines(capsys)
    assert line["worker"] == "w1"


def test_an_address_in_a_library_s_words_is_taken_out_and_the_words_are_cut(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("INFO")
    logging.getLogger("somebody.else").error("550 <%s> unknown, %s", ADDRESS, "x" * 2000)
    [line] = lines(capsys)
    assert str(line["event"]).startswith("550 <<address>> unknown")
    assert len(str(line["event"])) <= 500


def test_an_exception_is_its_types_and_places_but_never_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")

    def fail() -> None:
        try:
            int(f"planted for {ADDRESS}")
        except ValueError as error:
            raise RuntimeError("planted") from error

    for log in (structlog.get_logger("outbound.test"), logging.getLogger("somebody.else")):
        try:
            fail()
        except RuntimeError:
            log.exception("failed")
    text = capsys.readouterr().err
    [ours, theirs] = [json.loads(line) for line in text.splitlines()]

    assert "planted" not in text
    for line in (ours, theirs):
        [outer, inner] = line["exception"]
        assert outer["type"] == "builtins.RuntimeError"
        assert inner["type"] == "builtins.ValueError"
        assert "fail" in inner["frames"][-1]


def test_what_the_system_says_about_a_failed_call_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    structlog.get_logger("outbound.test").error("failed", exc_info=ConnectionRefusedError(111, "Connection refused"))
    structlog.get_logger("outbound.test").error("no exception", exc_info=True)
    [line, without] = lines(capsys)
    assert line["exception"] == [
        {"type": "builtins.ConnectionRefusedError", "frames": [], "reason": "Connection refused"}
    ]
    assert "exception" not in without


def test_python_warnings_become_lines_too(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("careful", UserWarning, stacklevel=1)
    [line] = lines(capsys)
    assert "careful" in str(line["event"])
