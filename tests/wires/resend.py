"""Resend's API on a random loopback port: idempotency as documented, faults on demand, its OpenAPI document as judge.

The document is not copied: it is read beside the repository, at `../shared/resend/openapi.yaml`. Where it is absent,
requests and answers are not checked and `wire.is_checked` is False.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import uvicorn
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

OPENAPI = Path(__file__).parents[3] / "shared" / "resend" / "openapi.yaml"
_LIMITS = {"ratelimit-limit": "10", "ratelimit-remaining": "9", "ratelimit-reset": "1"}


@dataclass(frozen=True)
class Refuse:
    """Answer with an error of the API's, before anything is accepted."""

    status: int
    name: str
    headers: dict[str, str] = field(default_factory=dict)
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
    """Reset the connection instead of answering. With `accepted`, the mail was taken: the lost reply."""

    accepted: bool = False


@dataclass(frozen=True)
class Hang:
    """Never answer. With `accepted`, the mail was taken."""

    accepted: bool = False


Fault = Refuse | Raw | Drop | Hang


@dataclass(frozen=True)
class Received:
    """A request for a mail, as it arrived."""

    api_key: str
    idempotency_key: str
    body: bytes
    headers: dict[str, str]

    @property
    def mail(self) -> dict[str, Any]:
        """The body, read."""
        return json.loads(self.body)


class ResendWire:
    """What the stand-in saw, and what it is to do. `accepted` holds each mail once, however often it was asked for."""

    def __init__(self) -> None:
        self.base_url = ""
        self.requests: list[Received] = []
        self.accepted: list[Received] = []
        self.connections: set[tuple[str, int]] = set()
        self.api_keys: set[str] | None = None
        self.violations: list[str] = []
        self._fault: Fault | None = None
        self._single: list[Fault] = []
        self._by_key: dict[tuple[str, str], tuple[bytes, str | None]] = {}
        self._drop_client: Callable[[tuple[str, int]], None] = _drop_nobody

    @property
    def is_checked(self) -> bool:
        """Whether requests and answers are checked against the OpenAPI document."""
        return OPENAPI.exists()

    def always(self, fault: Fault) -> None:
        """Do this with every request from now on."""
        self._fault = fault

    def once(self, fault: Fault) -> None:
        """Do this with the next request only."""
        self._single.append(fault)

    def heal(self) -> None:
        """Behave."""
        self._fault = None
        self._single.clear()

    def use(self, drop_client: Callable[[tuple[str, int]], None]) -> None:
        """Take the way to reset a client's connection."""
        self._drop_client = drop_client

    async def domains(self, request: Request) -> Response:
        """GET /domains: who is asking is all that matters."""
        refusal = self._unknown_key(request)
        return refusal or _json(200, {"object": "list", "has_more": False, "data": []})

    async def emails(self, request: Request) -> Response:
        """POST /emails."""
        body = await request.body()
        client = (request.client.host, request.client.port)
        self.connections.add(client)
        received = Received(
            api_key=request.headers.get("authorization", "").removeprefix("Bearer "),
            idempotency_key=request.headers.get("idempotency-key", ""),
            body=body,
            headers=dict(request.headers),
        )
        self.requests.append(received)
        self._check("SendEmailRequest", received.mail)
        fault = self._single.pop(0) if self._single else self._fault
        if isinstance(fault, Refuse):
            return _error(fault.status, fault.name, fault.message, fault.headers)
        if isinstance(fault, Raw):
            if fault.accepted:
                self._take(received)
            return Response(fault.body, fault.status, media_type=fault.content_type)
        if fault is not None:
            if fault.accepted:
                self._take(received)
            if isinstance(fault, Drop):
                self._drop_client(client)
            await asyncio.get_running_loop().create_future()
        return self._unknown_key(request) or self._take(received)

    def _take(self, received: Received) -> Response:
        """Accept once per key and body (https://resend.com/docs/dashboard/emails/idempotency-keys)."""
        if not 1 <= len(received.idempotency_key) <= 256:
            return _error(400, "invalid_idempotency_key", "The key must be between 1-256 chars.")
        key = (received.api_key, received.idempotency_key)
        digest = hashlib.sha256(received.body).digest()
        known, identifier = self._by_key.get(key, (digest, ""))
        if known != digest:
            return _error(409, "invalid_idempotent_request", "Same idempotency key used with a different payload.")
        if not identifier:
            identifier = f"00000000-0000-4000-8000-{len(self.accepted):012d}"
            self._by_key[key] = (digest, identifier)
            self.accepted.append(received)
        answer = {"id": identifier}
        self._check("SendEmailResponse", answer)
        return _json(200, answer)

    def _unknown_key(self, request: Request) -> Response | None:
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.api_keys is None or key in self.api_keys:
            return None
        return _error(403, "invalid_api_key", "API key is invalid.")

    def _check(self, schema: str, instance: Any) -> None:
        if self.is_checked:
            self.violations += [f"{schema}: {error.message}" for error in _validator(schema).iter_errors(instance)]


class _Server(uvicorn.Server):
    """A server inside the test's own loop, which leaves the process's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@asynccontextmanager
async def resend_wire(port: int = 0) -> AsyncIterator[ResendWire]:
    """Serve on a random port."""
    wire = ResendWire()
    routes = [Route("/emails", wire.emails, methods=["POST"]), Route("/domains", wire.domains, methods=["GET"])]
    config = uvicorn.Config(
        Starlette(routes=routes), log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1
    )
    server = _Server(config)

    def drop_client(client: tuple[str, int]) -> None:
        for connection in list(server.server_state.connections):
            if connection.client == client:
                connection.transport.abort()

    wire.use(drop_client)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        wire.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:  # noqa: ASYNC110 -- uvicorn offers no event
                await asyncio.sleep(0.005)
            yield wire
        finally:
            for connection in list(server.server_state.connections):
                connection.transport.abort()
            for task in list(server.server_state.tasks):
                task.cancel()
            server.should_exit = True
            await serving


@cache
def _validator(schema: str) -> Draft202012Validator:
    document = yaml.load(OPENAPI.read_text("utf-8"), yaml.CSafeLoader)
    registry = Registry().with_resource("urn:resend", Resource.from_contents(document, DRAFT202012))
    return Draft202012Validator({"$ref": f"urn:resend#/components/schemas/{schema}"}, registry=registry)


def _drop_nobody(client: tuple[str, int]) -> None:
    """Stand in until the server runs."""


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    content = json.dumps(body).encode()
    return Response(content, status, {**_LIMITS, **(headers or {})}, "application/json; charset=utf-8")


def _error(status: int, name: str, message: str, headers: dict[str, str] | None = None) -> Response:
    return _json(status, {"statusCode": status, "name": name, "message": message}, headers)
