"""What a webhook tells: every known sample, and every odd shape."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from providers.resend.webhook import DeliveryReport, UnreadableReportError, parse
from tests.providers.messages import NOTIFICATION, TENANT
from tests.wires.resend import RESEND

SAMPLES = RESEND / "samples"


def events() -> list[Path]:
    return sorted(path for family in ("docs", "anymail", "sdk") for path in SAMPLES.glob(f"{family}-*.json"))


def sample(name: str) -> DeliveryReport:
    path = SAMPLES / f"{name}.json"
    if not path.exists():
        pytest.skip("the samples are not beside this repository")
    return parse(path.read_bytes())


def told(kind: str = "email.bounced", **data: Any) -> DeliveryReport:
    return parse(json.dumps({"type": kind, "data": data}).encode())


def test_every_sample_is_read() -> None:
    if not events():
        pytest.skip("the samples are not beside this repository")

    for path in events():
        report, event = parse(path.read_bytes()), json.loads(path.read_text())
        assert report.type == event["type"]
        assert report.occurred_at is not None
        assert report.provider_message_id == event["data"].get("email_id")
        assert report.message_id == event["data"].get("message_id")
        assert report.recipients == tuple(event["data"].get("to", ()))
    assert len(events()) == 30


def test_a_bounce_of_today_s_documentation() -> None:
    report = sample("docs-email.bounced")

    assert report == DeliveryReport(
        type="email.bounced",
        occurred_at=datetime(2024, 11, 22, 23, 41, 12, 126000, tzinfo=UTC),
        provider_message_id="56761188-7520-42d8-8898-ff6fc54ce618",
        message_id="<111-222-333@email.example.com>",
        recipients=("delivered@resend.dev",),
        bounce_type="Permanent",
        bounce_subtype="Suppressed",
        reason="The recipient's email address is on the suppression list because it has a recent history of producing "
        "hard bounces.",
    )


def test_a_bounce_of_2023_tells_its_message_only() -> None:
    report = sample("anymail-suppressed_event-email.bounced")

    assert (report.bounce_type, report.diagnostic) == (None, ())
    assert report.reason is not None
    assert report.reason.startswith("Resend has suppressed sending")


def test_a_bounce_of_the_sdk_has_one_diagnostic_in_a_string() -> None:
    assert sample("sdk-verify_returns_bounced_payload-email.bounced").diagnostic == ("smtp; 550 5.1.1 user unknown",)


def test_a_failed_mail_tells_why() -> None:
    assert sample("docs-email.failed").reason == "reached_daily_quota"


def test_a_suppression_tells_why_in_its_word_or_else_in_its_message() -> None:
    assert told(suppressed={"reason": "previous_bounce", "message": "m"}).reason == "previous_bounce"
    assert told(suppressed={"message": "m"}).reason == "m"


@pytest.mark.parametrize("diagnostic", [["550 no", "551 no"], ["550 no", None, "551 no", 7, ""]])
def test_diagnostics_may_be_several(diagnostic: list[Any]) -> None:
    assert told(bounce={"diagnosticCode": diagnostic, "type": "Temporary"}).diagnostic == ("550 no", "551 no")


@pytest.mark.parametrize(
    "form",
    [dict, lambda tags: [{"name": name, "value": value} for name, value in tags.items()]],
    ids=["object", "list"],
)
def test_the_tags_we_sent_find_the_notification_in_either_form(form: Callable[[dict[str, str]], Any]) -> None:
    report = told(tags=form({"category": "tickets", "tenant": str(TENANT), "notification": str(NOTIFICATION)}))

    assert (report.tenant_id, report.notification_id) == (TENANT, NOTIFICATION)


@pytest.mark.parametrize(
    "tags",
    [
        None,
        7,
        "x",
        [],
        ["x", None, {"name": ["notification"], "value": "x"}, {"value": str(TENANT)}, {"name": "notification"}],
        {"notification": "not one", "tenant": 7},
        {"notification": f"urn:uuid:{NOTIFICATION}", "tenant": str(TENANT) + "\n"},
    ],
)
def test_tags_that_are_not_ours_find_nothing(tags: Any) -> None:
    assert (told(tags=tags).tenant_id, told(tags=tags).notification_id) == (None, None)


def test_an_unknown_type_passes_as_given() -> None:
    assert told("Email.Something_New.v2", email_id="e").type == "Email.Something_New.v2"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-24T02:00:00.126Z", datetime(2026, 11, 24, 2, 0, 0, 126000, tzinfo=UTC)),
        ("2026-11-24 02:00:00.126347+00", datetime(2026, 11, 24, 2, 0, 0, 126347, tzinfo=UTC)),
        ("2026-11-24T03:00:00+01:00", datetime(2026, 11, 24, 2, tzinfo=UTC)),
        ("2026-11-24T02:00:00", datetime(2026, 11, 24, 2, tzinfo=UTC)),
        ("0001-01-01T00:00:00+23:59", None),
        ("yesterday", None),
        (1764000000, None),
        (None, None),
    ],
)
def test_a_time_is_read_in_any_of_its_forms(text: Any, moment: datetime | None) -> None:
    assert parse(json.dumps({"type": "email.sent", "created_at": text, "data": {}}).encode()).occurred_at == moment


def test_texts_are_one_line_that_a_database_takes() -> None:
    report = told(email_id="a\x00b", to="x" * 5000, bounce={"message": "550 no\r\n\ud800 such user", "type": "\x00"})

    assert report.provider_message_id == "a b"
    assert report.recipients == ("x" * 1000,)
    assert report.reason == "550 no such user"
    assert report.bounce_type is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe{",
        b"{}",
        b'{"type": 7, "data": {}}',
        b'{"type": "", "data": {}}',
        b'{"type": "two words", "data": {}}',
        b'{"type": "email.sent"}',
        b'{"type": "email.sent", "data": []}',
        b"[" * 100_000,
        b'{"type": "email.sent", "data": {"x": ' + b"1" * 5000 + b"}}",
    ],
)
def test_what_is_not_an_event_is_one_error(body: bytes) -> None:
    with pytest.raises(UnreadableReportError):
        parse(body)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=6
)
PART = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(["type", "subType", "diagnosticCode", "reason", "message"], JSON)
)
DATA = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(["email_id", "message_id", "to", "created_at"], JSON),
        **dict.fromkeys(["bounce", "failed", "suppressed"], PART | JSON),
        "tags": JSON
        | st.dictionaries(st.sampled_from(["tenant", "notification"]), JSON | st.uuids().map(str))
        | st.lists(st.fixed_dictionaries({"name": st.just("tenant") | JSON, "value": JSON}), max_size=3),
    },
)
EVENTS = st.fixed_dictionaries(
    {}, optional={"type": st.just("email.sent") | JSON, "data": DATA | JSON, "created_at": JSON}
)


@settings(max_examples=200, deadline=None)
@given(body=st.binary() | (EVENTS | JSON).map(lambda event: json.dumps(event).encode()))
@example(body=json.dumps({"type": "email.sent", "data": {"tags": {"notification": str(UUID(int=0))}}}).encode())
def test_any_body_is_a_report_or_that_one_error(body: bytes) -> None:
    try:
        report = parse(body)
    except UnreadableReportError:
        return

    texts = [report.provider_message_id, report.message_id, report.reason, *report.recipients, *report.diagnostic]
    assert all("\x00" not in text and text.encode() for text in texts if text is not None)
