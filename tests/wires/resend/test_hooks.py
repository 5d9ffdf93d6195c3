"""The stand-in's webhooks: signed as Svix signs, with old and new secrets, to an endpoint that may be away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import standardwebhooks
import svix.webhooks
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.wires.resend import Mail, resend_wire, serving


def is_genuine(secret: str, headers: dict[str, str], body: bytes) -> bool:
    try:
        svix.webhooks.Webhook(secret).verify(body, headers)
    except standardwebhooks.WebhookVerificationError:
        return False
    return True


async def test_for_a_day_after_a_rotation_both_secrets_sign() -> None:
    # The official package has a clock of its own, so that ours is moved back rather than on.
    start = datetime.now(UTC) - timedelta(hours=24)
    clock = [start]
    async with resend_wire(now=lambda: clock[0]) as wire:
        event = wire.hooks.add("email.unheard_of", {"email_id": "e"})
        old = wire.hooks.secret
        new = wire.hooks.rotate()
        two = wire.hooks.signed(event)[0]["svix-signature"].split(" ")
        clock[0] = start + timedelta(hours=24)
        headers, body = wire.hooks.signed(event)

    assert old != new
    assert len(two) == 2
    assert is_genuine(new, headers, body)
    assert not is_genuine(old, headers, body)


async def test_what_was_not_taken_is_posted_again_under_its_id() -> None:
    seen: list[str] = []
    answers = [500, 302, 204]

    async def endpoint(request: Request) -> Response:
        seen.append(request.headers["svix-id"])
        return Response(status_code=answers[len(seen) - 1])

    async with resend_wire() as wire, serving(Starlette(routes=[Route("/", endpoint, methods=["POST"])])) as web:
        wire.hooks.send_to(f"{web.base_url}/")
        event = wire.hooks.add("email.unheard_of", {})
        await wire.hooks.idle()
        assert wire.hooks.failed == [event]
        await wire.hooks.retry()
        assert wire.hooks.failed == [event]
        await wire.hooks.retry()
        assert wire.hooks.failed == []

    assert seen == [event.id] * 3


async def test_where_nobody_listens_an_event_waits() -> None:
    async with resend_wire() as wire:
        wire.hooks.send_to("http://127.0.0.1:1/")
        event = wire.hooks.add("email.unheard_of", {})
        await wire.hooks.idle()

    assert wire.hooks.failed == [event]


async def test_every_kind_of_event_follows_the_document() -> None:
    async with resend_wire() as wire:
        content = {"from": "a@acme.example.com", "to": "jane@example.org", "subject": "s", "tags": []}
        mail = Mail("e", "team", wire.now(), content)
        wire.mails["e"] = mail
        for kind in ("sent", "delivered", "delivery_delayed", "bounced", "complained", "opened", "clicked", "failed"):
            wire.hooks.signed(wire.happen("e", f"email.{kind}"))
        wire.hooks.signed(wire.happen("e", "email.suppressed"))

    assert mail.last_event == "suppressed"
    assert len(mail.history) == 9
