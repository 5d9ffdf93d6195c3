"""The stand-in's domains have the verification life of the real ones; they are asked through the SDK, as ours will."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import resend
from resend.exceptions import ResendError

from providers.receipt import Outcome
from providers.resend import ResendConfig, ResendProvider
from providers.resend.transport import Credentials, bound
from tests.providers.messages import a_message, yes
from tests.wires.resend import ResendWire, resend_wire


@pytest.fixture
def clock() -> list[datetime]:
    return [datetime(2026, 11, 24, tzinfo=UTC)]


@pytest.fixture
async def wire(clock: list[datetime]) -> AsyncIterator[ResendWire]:
    async with resend_wire(now=lambda: clock[0]) as wire:
        yield wire


@pytest.fixture
async def asking(wire: ResendWire) -> AsyncIterator[Any]:
    """Binds the SDK to the stand-in under a key."""
    async with httpx.AsyncClient() as client:

        @contextmanager
        def as_key(api_key: str = "re_a") -> Iterator[None]:
            with bound(Credentials(api_key, wire.base_url, client)):
                yield

        yield as_key


async def statuses(identifier: str) -> tuple[str, set[str]]:
    domain = await resend.Domains.get_async(identifier)
    return domain["status"], {record["status"] for record in domain["records"]}


async def test_a_domain_lives_from_its_creation_to_its_end(wire: ResendWire, asking: Any) -> None:
    with asking():
        created = await resend.Domains.create_async({"name": "acme.example.com", "region": "eu-west-1"})
        identifier = created["id"]
        assert (created["status"], created["region"]) == ("not_started", "eu-west-1")
        assert {(record["record"], record["type"]) for record in created["records"]} == {
            ("SPF", "MX"),
            ("SPF", "TXT"),
            ("DKIM", "TXT"),
        }

        assert dict(await resend.Domains.verify_async(identifier))["object"] == "domain"
        assert await statuses(identifier) == ("pending", {"pending"})
        wire.domains.set_status("acme.example.com", "verified")
        assert await statuses(identifier) == ("verified", {"verified"})
        await resend.Domains.verify_async(identifier)
        assert await statuses(identifier) == ("verified", {"verified"})

        await resend.Domains.update_async({"id": identifier, "open_tracking": True})
        [listed] = (await resend.Domains.list_async())["data"]
        assert (listed["name"], listed["open_tracking"], "records" in listed) == ("acme.example.com", True, False)
        assert (await resend.Domains.remove_async(identifier))["deleted"] is True
        with pytest.raises(ResendError) as caught:
            await resend.Domains.get_async(identifier)

    assert (caught.value.code, caught.value.error_type) == (404, "not_found")
    assert [event.type for event in wire.hooks.events] == ["domain.created", *["domain.updated"] * 3, "domain.deleted"]
    for event in wire.hooks.events:
        wire.hooks.signed(event)  # where each is checked against the document


@pytest.mark.parametrize(
    ("status", "records", "may_send"),
    [
        ("pending", {}, False),
        ("verified", {}, True),
        ("failed", {}, False),
        ("partially_verified", {}, True),
        ("partially_failed", {}, True),
        ("partially_failed", {"DKIM": "failed"}, False),
        ("temporary_failure", {}, False),
        ("verified", {"DKIM": "temporary_failure"}, True),
        ("pending", {"SPF": "verified", "DKIM": "verified"}, True),
    ],
)
async def test_sending_hangs_on_the_records_for_sending(
    wire: ResendWire, asking: Any, status: str, records: dict[str, str], may_send: bool
) -> None:
    wire.requires_verified_domain = True
    provider = ResendProvider(ResendConfig(api_key="re_a", base_url=wire.base_url))
    with asking():
        params: Any = {"name": "acme.example.com", "capabilities": {"receiving": "enabled"}}
        identifier = (await resend.Domains.create_async(params))["id"]
        wire.domains.set_status("acme.example.com", status, **records)
        shown = await statuses(identifier)

    receipt = await provider.send(a_message(), yes)
    await provider.aclose()

    assert shown[0] == status
    assert (receipt.outcome, receipt.error) == (
        (Outcome.ACCEPTED, None) if may_send else (Outcome.MISCONFIGURED, "sender_refused")
    )


async def test_only_the_very_domain_of_the_very_team_may_send(wire: ResendWire, asking: Any) -> None:
    wire.requires_verified_domain = True
    with asking("re_other"):
        await resend.Domains.create_async({"name": "acme.example.com"})
    with asking():
        await resend.Domains.create_async({"name": "example.com"})
    for name in ("acme.example.com", "example.com"):
        wire.domains.set_status(name, "verified")
    provider = ResendProvider(ResendConfig(api_key="re_a", base_url=wire.base_url))

    receipt = await provider.send(a_message(), yes)
    await provider.aclose()

    assert receipt.error == "sender_refused"


async def test_a_name_is_one_team_s_only(wire: ResendWire, asking: Any) -> None:
    with asking("re_a"):
        identifier = (await resend.Domains.create_async({"name": "acme.example.com"}))["id"]
    with asking("re_b"):
        with pytest.raises(ResendError) as taken:
            await resend.Domains.create_async({"name": "ACME.example.com"})
        with pytest.raises(ResendError) as hidden:
            await resend.Domains.get_async(identifier)

    assert taken.value.error_type == "validation_error"
    assert hidden.value.error_type == "not_found"


async def test_records_that_are_not_found_in_72_hours_have_failed(asking: Any, clock: list[datetime]) -> None:
    with asking():
        identifier = (await resend.Domains.create_async({"name": "acme.example.com"}))["id"]
        await resend.Domains.verify_async(identifier)
        clock[0] += timedelta(hours=71)
        assert await statuses(identifier) == ("pending", {"pending"})
        clock[0] += timedelta(hours=1)
        assert await statuses(identifier) == ("failed", {"failed"})


async def test_a_domain_has_records_for_what_it_is_used_for(wire: ResendWire, asking: Any) -> None:
    with asking():
        params: Any = {"name": "acme.example.com", "tracking_subdomain": "links", "custom_return_path": "bounce"}
        identifier = (await resend.Domains.create_async(params))["id"]
        wire.domains.set_status("acme.example.com", "verified")
        changes: Any = {"id": identifier, "capabilities": {"receiving": "enabled"}}
        await resend.Domains.update_async(changes)
        domain = await resend.Domains.get_async(identifier)

    kinds = {(record["record"], record["name"], record["status"]) for record in domain["records"]}
    assert kinds == {
        ("SPF", "bounce", "verified"),
        ("DKIM", "resend._domainkey", "verified"),
        ("Tracking", "links", "verified"),
        ("Receiving", "inbound", "not_started"),
    }


@pytest.mark.parametrize(
    ("params", "name"),
    [({"name": "no domain"}, "validation_error"), ({"name": "a.example", "region": "x"}, "invalid_region")],
)
async def test_what_is_no_domain_is_refused(wire: ResendWire, asking: Any, params: Any, name: str) -> None:
    with asking(), pytest.raises(ResendError) as caught:
        await resend.Domains.create_async(params)

    assert caught.value.error_type == name
    wire.violations.clear()  # a region that is not listed breaks the document too
