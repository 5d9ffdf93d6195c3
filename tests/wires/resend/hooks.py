"""Signed webhooks, as Svix sends them: at least once, in no order, each under an id that repeats keep.

They are signed by the `standardwebhooks` package, so that what checks them is not checked against itself.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
from standardwebhooks import Webhook

from tests.wires.resend.judge import Judge

OLD_SECRETS_SIGN = timedelta(hours=24)
_ANSWER_WITHIN_SECONDS = 15


@dataclass(frozen=True)
class Event:
    """Something that happened, to be told to the endpoint."""

    id: str
    type: str
    payload: dict[str, Any]

    @property
    def body(self) -> bytes:
        return json.dumps(self.payload, separators=(",", ":"), ensure_ascii=False).encode()


class Hooks:
    """Every event, in the order in which it happened, and the way to the endpoint. `failed` was not answered 2xx."""

    def __init__(self, judge: Judge, now: Callable[[], datetime]) -> None:
        self.events: list[Event] = []
        self.failed: list[Event] = []
        self._judge = judge
        self._now = now
        self._secrets: list[tuple[str, datetime | None]] = [(_secret(0), None)]
        self._url: str | None = None
        self._client: httpx.AsyncClient | None = None
        self._waiting: asyncio.Queue[Event] = asyncio.Queue()

    @property
    def secret(self) -> str:
        """What the dashboard shows: the latest."""
        return self._secrets[-1][0]

    def rotate(self) -> str:
        """Make a new secret; the old one signs as well for 24 hours."""
        old, _ = self._secrets.pop()
        self._secrets += [(old, self._now() + OLD_SECRETS_SIGN), (_secret(len(self._secrets) + 1), None)]
        return self.secret

    def send_to(self, url: str) -> None:
        """Post every event from now on to `url`."""
        self._url = url
        self._client = self._client or httpx.AsyncClient(timeout=_ANSWER_WITHIN_SECONDS, follow_redirects=False)

    async def idle(self) -> None:
        """Wait until everything that happened was posted."""
        await self._waiting.join()

    def of(self, email_id: str) -> list[Event]:
        return [event for event in self.events if event.payload["data"].get("email_id") == email_id]

    def add(self, kind: str, data: dict[str, Any]) -> Event:
        now = self._now()
        payload = {"type": kind, "created_at": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z", "data": data}
        event = Event(f"msg_{len(self.events):027d}", kind, payload)
        self.events.append(event)
        if self._url is not None:
            self._waiting.put_nowait(event)
        return event

    def signed(self, event: Event) -> tuple[dict[str, str], bytes]:
        """Headers and body of a delivery made now. The id stays, the timestamp is that of the attempt."""
        self._judge.event(event.type, event.payload)
        now, body = self._now(), event.body
        signatures = [
            Webhook(secret).sign(event.id, now, body.decode())
            for secret, until in reversed(self._secrets)
            if until is None or now < until
        ]
        headers = {
            "content-type": "application/json",
            "user-agent": "Svix-Webhooks/1.0",
            "svix-id": event.id,
            "svix-timestamp": str(int(now.timestamp())),
            "svix-signature": " ".join(signatures),
        }
        return headers, body

    async def post(self, event: Event) -> int:
        """Deliver one event to the endpoint, again if it was before; 0 where nobody answers."""
        assert self._url is not None
        assert self._client is not None
        headers, body = self.signed(event)
        status = 0
        with suppress(httpx.HTTPError):
            status = (await self._client.post(self._url, content=body, headers=headers)).status_code
        if not 200 <= status < 300:
            self.failed.append(event)
        return status

    async def retry(self) -> None:
        """Post again what failed, as Svix does after its pauses."""
        again, self.failed = self.failed, []
        for event in again:
            await self.post(event)

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def run(self) -> None:
        """Post what happens, one after the other, until cancelled."""
        while True:
            event = await self._waiting.get()
            try:
                await self.post(event)
            finally:
                self._waiting.task_done()


def _secret(number: int) -> str:
    return f"whsec_{base64.b64encode(f'a secret of the stand-in {number}'.encode()).decode()}"
