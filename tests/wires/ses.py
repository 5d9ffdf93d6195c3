"""Amazon SES v2 on a random loopback port: moto, an independent implementation of the API, behind a front for faults.

What moto does not do, the front does: it refuses, drops, hangs, answers GetAccount (as its reference describes it), and
keeps every wire's mails apart by giving it an AWS account of its own. Everything else is moto's.
"""

from __future__ import annotations

import asyncio
import atexit
import base64
import json
import logging
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from itertools import count
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from providers.ses import SesConfig, SesProvider

REGION = "eu-west-1"
DOMAIN = "acme.example.com"
SHORT = timedelta(milliseconds=300)
_accounts = count(100_000_000_000)


@dataclass(frozen=True)
class Refuse:
    """Answer with an error of the API's; moto does not see the request."""

    status: int
    code: str
    message: str = "refused"


@dataclass(frozen=True)
class Raw:
    """Answer with these bytes. With `accepted`, the mail was taken all the same."""

    status: int
    body: bytes
    content_type: str = "application/json"
    accepted: bool = False


@dataclass(frozen=True)
class Drop:
    """Close the connection instead of answering, or reset it. With `accepted`, the mail was taken: the lost reply."""

    accepted: bool = False
    reset: bool = False


@dataclass(frozen=True)
class Hang:
    """Never answer."""


Fault = Refuse | Raw | Drop | Hang


class SesWire:
    """What came, and what is to be done with it."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[dict[str, Any]] = []
        self.connections: set[tuple[str, int]] = set()
        self.account: dict[str, Any] = {"SendingEnabled": True, "SendQuota": {"MaxSendRate": 14.0}}
        self.account_fault: Refuse | None = None
        self._account_id = str(next(_accounts))
        self._fault: Fault | None = None
        self._single: list[Fault] = []
        self._backend().create_email_identity_v2(DOMAIN, None, None, None)

    @property
    def accepted(self) -> list[Any]:
        """The mails that moto took: `raw_data`, `source`, `destinations` (to which it adds those of the header)."""
        return list(self._backend().sent_messages)

    def always(self, fault: Fault) -> None:
        """Do this with every mail from now on."""
        self._fault = fault

    def once(self, fault: Fault) -> None:
        """Do this with the next mail only."""
        self._single.append(fault)

    def heal(self) -> None:
        """Behave."""
        self._fault = None
        self._single.clear()

    def forget_the_sender(self) -> None:
        """Let moto know of no verified domain, so that it refuses by itself."""
        self._backend().delete_identity(DOMAIN)

    async def get_account(self, _: web.Request) -> web.Response:
        """GET /v2/email/account."""
        return web.json_response(self.account) if self.account_fault is None else _error(self.account_fault)

    async def send_email(self, request: web.Request) -> web.StreamResponse:
        """POST /v2/email/outbound-emails."""
        body = await request.read()
        self.connections.add(request.transport.get_extra_info("peername"))
        self.requests.append(json.loads(body))
        fault = self._single.pop(0) if self._single else self._fault
        if isinstance(fault, Refuse):
            return _error(fault)
        if isinstance(fault, Hang):
            await asyncio.get_running_loop().create_future()
        answer = None
        if fault is None or fault.accepted:
            answer = await self._forward(request, body)
        if isinstance(fault, Raw):
            return web.Response(body=fault.body, status=fault.status, content_type=fault.content_type)
        if fault is not None:
            _disconnect(request.transport, reset=fault.reset)
        return answer or web.Response()

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        names = ("Authorization", "Content-Type", "X-Amz-Date", "Host")
        headers = {name: request.headers[name] for name in names if name in request.headers}
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{_moto_url()}{request.path}", data=body, headers=headers | {"X-Moto-Account-Id": self._account_id}
            ) as answer,
        ):
            error = answer.headers.get("x-amzn-errortype")
            return web.Response(
                body=await answer.read(),
                status=answer.status,
                headers={"x-amzn-errortype": error} if error else {},
                content_type="application/json",
            )

    def _backend(self) -> Any:
        _moto_url()
        from moto.ses.models import ses_backends  # noqa: PLC0415 -- seconds: for the tests that need it

        return ses_backends[self._account_id][REGION]


@asynccontextmanager
async def ses_wire() -> AsyncIterator[SesWire]:
    """Serve on a random port."""
    wire = SesWire()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v2/email/outbound-emails", wire.send_email)
    app.router.add_get("/v2/email/account", wire.get_account)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        wire.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield wire
    finally:
        await runner.cleanup()


def a_config(wire: SesWire, **changes: Any) -> SesConfig:
    """A configuration for the wire, with credentials that moto takes as they are."""
    config = SesConfig(
        region=REGION,
        access_key_id="AKIAEXAMPLE",
        secret_access_key="secret",
        endpoint_url=wire.url,
        domains=frozenset({DOMAIN}),
        read_timeout=timedelta(seconds=5),
    )
    return replace(config, **changes)


class SesFar:
    """The far end of the contract suite."""

    def __init__(self, wire: SesWire) -> None:
        self.wire = wire
        self.provider = SesProvider(a_config(wire))

    def delivered(self) -> list[bytes]:
        return [message.raw_data.encode() for message in self.wire.accepted]

    def refuse_for_good(self) -> None:
        self.wire.forget_the_sender()

    def refuse_for_now(self) -> None:
        pytest.skip("SES takes every valid mail and tries again by itself")

    def lose_the_reply(self) -> None:
        self.wire.once(Drop(accepted=True))

    def hang(self) -> None:
        self.provider = SesProvider(a_config(self.wire, read_timeout=SHORT))
        self.wire.always(Hang())

    def heal(self) -> None:
        self.wire.heal()

    def unplugged(self) -> SesProvider:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            nowhere = f"http://127.0.0.1:{probe.getsockname()[1]}"
        return SesProvider(a_config(self.wire, endpoint_url=nowhere))


@asynccontextmanager
async def far_end() -> AsyncIterator[SesFar]:
    """What the contract suite looks for in the wire of a provider's name."""
    async with ses_wire() as wire:
        yield SesFar(wire)


@cache
def _moto_url() -> str:
    """Start moto once a run, in a thread that ends with the process."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 -- the same

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    atexit.register(server.stop)
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"


def _error(refusal: Refuse) -> web.Response:
    return web.json_response(
        {"message": refusal.message}, status=refusal.status, headers={"x-amzn-errortype": refusal.code}
    )


def _disconnect(transport: Any, *, reset: bool) -> None:
    if reset:
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


def raw_mail(request: dict[str, Any]) -> bytes:
    """The mail in a SendEmail request."""
    return base64.b64decode(request["Content"]["Raw"]["Data"])
