"""The stand-in's mails behave as the real API's do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.wires.resend import RESEND, Raw, Refuse, ResendWire, Slow, resend_wire

START = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
MAIL: dict[str, Any] = {
    "from": "Acme <noreply@acme.example.com>",
    "to": ["jane@example.org"],
    "subject": "Hello",
    "text": "Hello",
}


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def wire(clock: Clock) -> AsyncIterator[ResendWire]:
    async with resend_wire(now=clock) as wire:
        yield wire


@pytest.fixture
async def api(wire: ResendWire) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=wire.base_url, headers={"Authorization": "Bearer re_a"}) as api:
        yield api


async def post(api: httpx.AsyncClient, key: str = "k", api_key: str = "re_a", **changes: Any) -> tuple[int, Any]:
    """Ask for a mail; tell the status and the id or the error's name."""
    headers = {"Idempotency-Key": key, "Authorization": f"Bearer {api_key}"}
    answer = await api.post("/emails", json=MAIL | changes, headers=headers)
    return answer.status_code, answer.json().get("id") or answer.json()["name"]


async def test_a_key_is_one_mail_per_team_for_a_day(wire: ResendWire, api: httpx.AsyncClient, clock: Clock) -> None:
    wire.join("re_a", "re_b")
    first = await post(api)

    assert await post(api) == await post(api, api_key="re_b") == first
    assert await post(api, subject="Another") == (409, "invalid_idempotent_request")
    assert await post(api, api_key="re_of_another_team") != first
    clock.now += timedelta(hours=24)
    assert await post(api) != first
    assert len(wire.accepted) == 3


async def test_a_key_in_use_is_told_so(wire: ResendWire, api: httpx.AsyncClient) -> None:
    wire.once(slow := Slow())
    running = asyncio.create_task(post(api))
    await slow.begun.wait()

    assert await post(api) == (409, "concurrent_idempotent_requests")
    assert (await post(api, key="another"))[0] == 200
    slow.finish.set()
    assert (await running)[0] == 200
    assert await post(api) == await running


async def test_a_refusal_is_not_remembered_under_its_key(wire: ResendWire, api: httpx.AsyncClient) -> None:
    wire.once(Refuse(500, "internal_server_error"))

    assert await post(api) == (500, "internal_server_error")
    assert (await post(api))[0] == 200


async def test_a_team_s_keys_share_its_rate(wire: ResendWire, api: httpx.AsyncClient, clock: Clock) -> None:
    wire.join("re_a", "re_b").requests_per_second = 2

    assert [(await post(api, key=key, api_key=api_key))[0] for key, api_key in [("1", "re_a"), ("2", "re_b")]] == [
        200
    ] * 2
    answer = await api.get("/domains")
    assert (answer.status_code, answer.json()["name"]) == (429, "rate_limit_exceeded")
    assert {name: answer.headers[name] for name in ("retry-after", "ratelimit-limit", "ratelimit-remaining")} == {
        "retry-after": "1",
        "ratelimit-limit": "2",
        "ratelimit-remaining": "0",
    }
    assert (await post(api, key="3", api_key="re_c"))[0] == 200
    clock.now += timedelta(seconds=1)
    assert (await api.get("/domains")).headers["ratelimit-remaining"] == "1"


async def test_quotas_count_recipients_and_tell_what_is_used(
    wire: ResendWire, api: httpx.AsyncClient, clock: Clock
) -> None:
    team = wire.team("re_a")
    team.daily_quota, team.monthly_quota = 3, 4

    assert (await post(api, key="1", cc=["b@example.org"]))[0] == 200
    assert await post(api, key="2", cc=["b@example.org"]) == (429, "daily_quota_exceeded")
    assert (await api.get("/domains")).headers["x-resend-daily-quota"] == "2"
    clock.now += timedelta(days=1)
    assert (await post(api, key="3", cc=["b@example.org"]))[0] == 200
    assert await post(api, key="4") == (429, "monthly_quota_exceeded")
    headers = (await api.get("/domains")).headers
    assert (headers["x-resend-daily-quota"], headers["x-resend-monthly-quota"]) == ("2", "4")


@pytest.mark.parametrize(
    ("changes", "status", "name"),
    [
        ({"subject": ""}, 422, "missing_required_field"),
        ({"text": ""}, 422, "missing_required_field"),
        ({"from": "Acme <nobody>"}, 422, "invalid_from_address"),
        ({"to": ["not an address"]}, 422, "validation_error"),
        ({"tags": [{"name": "tenant", "value": "a.b"}]}, 422, "validation_error"),
        ({"tags": [{"name": f"n{number}", "value": "v"} for number in range(76)]}, 422, "validation_error"),
        ({"attachments": [{"filename": "a.txt", "content": "not base64"}]}, 422, "invalid_attachment"),
        ({"attachments": [{"filename": "a.bin", "content": "AAAA" * 11_000_000}]}, 422, "invalid_attachment"),
    ],
)
async def test_a_mail_that_breaks_a_rule_is_refused(
    wire: ResendWire, api: httpx.AsyncClient, changes: dict[str, Any], status: int, name: str
) -> None:
    assert await post(api, **changes) == (status, name)
    assert wire.accepted == []


@pytest.mark.parametrize(
    ("file", "is_dropped"),
    [
        ({"filename": "a.txt", "content": "AAAA", "content_type": "text/plain; charset=utf-8"}, False),
        ({"filename": "a.txt", "content": "AAAA"}, False),
        ({"filename": "a.unheard-of", "content": "AAAA", "content_type": "text/plain"}, False),
        ({"filename": "a.pdf", "content": "AAAA", "content_type": "text/plain"}, True),
        ({"content": "AAAA"}, True),
    ],
)
async def test_a_file_that_contradicts_itself_is_the_mail_s_silent_end(
    wire: ResendWire, api: httpx.AsyncClient, file: dict[str, str], is_dropped: bool
) -> None:
    status, identifier = await post(api, attachments=[file])

    assert status == 200
    assert wire.mails[identifier].is_dropped is is_dropped
    assert (wire.hooks.of(identifier) == []) is is_dropped


async def test_who_asks_is_known_first(wire: ResendWire, api: httpx.AsyncClient) -> None:
    wire.api_keys, wire.sending_keys = {"re_a", "re_sends"}, {"re_sends"}

    async def get(**headers: str) -> tuple[int, str | None]:
        answer = await api.get("/domains", headers=headers)
        return answer.status_code, answer.json().get("name")

    assert await get() == (200, None)
    assert await get(Authorization="") == (401, "missing_api_key")
    assert await get(Authorization="Bearer re_unknown") == (403, "invalid_api_key")
    assert await get(Authorization="Bearer re_sends") == (401, "restricted_api_key")
    assert (await get(**{"User-Agent": ""}))[0] == 403
    assert (await post(api, api_key="re_sends"))[0] == 200


async def test_a_mail_can_be_looked_up_by_its_own_team(wire: ResendWire, api: httpx.AsyncClient) -> None:
    _, identifier = await post(api, to="delivered@resend.dev")

    shown = (await api.get(f"/emails/{identifier}")).json()

    assert (shown["last_event"], shown["to"], shown["text"]) == ("delivered", ["delivered@resend.dev"], "Hello")
    wire.happen(identifier, "email.opened")
    assert (await api.get(f"/emails/{identifier}")).json()["last_event"] == "opened"
    assert (await api.get("/emails/unknown")).status_code == 404
    other = await api.get(f"/emails/{identifier}", headers={"Authorization": "Bearer re_b"})
    assert other.json()["name"] == "not_found"


async def test_a_fault_can_be_at_any_operation(wire: ResendWire, api: httpx.AsyncClient) -> None:
    wire.always(Raw(200, b"<html>", "text/html"), "GET /domains")

    assert (await api.get("/domains")).text == "<html>"
    assert (await post(api))[0] == 200
    wire.heal()
    assert (await api.get("/domains")).json()["object"] == "list"


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("GET", "/domains", b"{}"),  # what the stock SDK sends
        ("POST", "/emails", b'{"from": 7}'),
        ("POST", "/emails", b"not json"),
        ("GET", "/nothing", b""),
        ("DELETE", "/emails", b""),
    ],
)
async def test_what_does_not_follow_the_document_fails_the_test(method: str, path: str, content: bytes) -> None:
    if not (RESEND / "openapi.yaml").exists():
        pytest.skip("the OpenAPI document is not beside this repository")

    async def ask() -> None:
        async with resend_wire() as wire, httpx.AsyncClient(base_url=wire.base_url) as api:
            await api.request(method, path, content=content)
            assert len(wire.violations) >= 1

    with pytest.raises(AssertionError):
        await ask()
