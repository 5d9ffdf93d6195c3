"""The stand-in itself: who is asking, what is wrong with it, what is done, and that both ways follow the document."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tests.wires.resend.domains import Domain, Domains
from tests.wires.resend.faults import SEND, Drop, Fault, Faults, Hang, Raw, Refuse, Slow
from tests.wires.resend.hooks import Event, Hooks
from tests.wires.resend.judge import Judge
from tests.wires.resend.mails import Mail, from_domain, recipients, refused, would_be_dropped
from tests.wires.resend.reply import Reply, refusal
from tests.wires.resend.team import Team

_NOT_FOUND = refusal(404, "not_found", "The requested resource was not found.")


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
    """What the stand-in saw, and what it is to do. `accepted` holds each mail once, however often it was asked for.

    Every API key is a team of its own until `join` makes several one team. `api_keys` are those that are known (None:
    all), `sending_keys` those that may only send. With `requires_verified_domain`, From has to be a verified domain of
    the team.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.base_url = ""
        self.now = now
        self.requests: list[Received] = []
        self.accepted: list[Received] = []
        self.mails: dict[str, Mail] = {}
        self.connections: set[tuple[str, int]] = set()
        self.api_keys: set[str] | None = None
        self.sending_keys: set[str] = set()
        self.requires_verified_domain = False
        self.judge = Judge()
        self.hooks = Hooks(self.judge, now)
        self.domains = Domains(lambda kind, domain: self.hooks.add(kind, domain.event_data()))
        self._faults = Faults()
        self._teams: dict[str, Team] = {}
        self._drop_client: Callable[[tuple[str, int]], None] = lambda _: None

    @property
    def is_checked(self) -> bool:
        """Whether requests, answers and webhooks are checked against the OpenAPI document."""
        return self.judge.is_checked

    @property
    def violations(self) -> list[str]:
        """What did not follow the document; leaving `resend_wire` with any is an AssertionError."""
        return self.judge.violations

    def always(self, fault: Fault, operation: str = SEND) -> None:
        """Do this with every request of an operation from now on."""
        self._faults.always(fault, operation)

    def once(self, fault: Fault, operation: str = SEND) -> None:
        """Do this with the next request of an operation only."""
        self._faults.once(fault, operation)

    def heal(self) -> None:
        """Behave."""
        self._faults.heal()

    def team(self, api_key: str) -> Team:
        """The team of a key."""
        return self._teams.setdefault(api_key, Team(name=api_key))

    def join(self, *api_keys: str) -> Team:
        """Make several keys those of one team."""
        team = self.team(api_keys[0])
        self._teams |= dict.fromkeys(api_keys, team)
        return team

    def use(self, drop_client: Callable[[tuple[str, int]], None]) -> None:
        """Take the way to reset a client's connection."""
        self._drop_client = drop_client

    def happen(self, email_id: str, kind: str) -> Event:
        """Let something become of a mail (`email.delivered`, `email.opened` …)."""
        mail = self.mails[email_id]
        mail.happened(kind)
        return self.hooks.add(kind, mail.event_data(kind))

    def endpoint(
        self, operation: str, act: Callable[[Request, Received, Team], Reply]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Wrap an operation in everything that all of them share."""

        async def answer(request: Request) -> Response:
            client, received = (request.client.host, request.client.port), await _received(request)
            self.connections.add(client)
            if operation == SEND:
                self.requests.append(received)
            team, is_readable = self.team(received.api_key), self._is_readable(operation, received)
            team.count_request(self.now())
            fault = self._faults.take(operation)

            def act_now() -> Reply:
                return (
                    self._unwelcome(operation, received, team)
                    or (None if is_readable else refusal(400, "validation_error", "The body is not JSON."))
                    or act(request, received, team)
                )

            match fault:
                case Raw() | Drop() | Hang():
                    if fault.accepted:
                        act_now()
                    return await self._broken(fault, request)
                case Refuse():
                    reply = refusal(fault.status, fault.name, fault.message, fault.headers)
                case Slow():
                    reply = await _slowly(fault, received, team, act_now)
                case _:
                    reply = act_now()
            return self._sent(operation, reply, team)

        return answer

    def send(self, _: Request, received: Received, team: Team) -> Reply:
        """POST /emails."""
        content, now = received.mail, self.now()
        if not 1 <= len(received.idempotency_key) <= 256:
            return refusal(400, "invalid_idempotency_key", "The key must be between 1-256 chars.")
        if (earlier := team.earlier(received.idempotency_key, received.body, now)) is not None:
            return earlier
        refusals = (
            refused(content) or self._from_elsewhere(content, team) or team.over_quota(len(recipients(content)), now)
        )
        if refusals is not None:
            return refusals
        mail = Mail(f"00000000-0000-4000-8000-{len(self.accepted):012d}", team.name, now, content)
        mail.is_dropped = would_be_dropped(content)
        self.accepted.append(received)
        self.mails[mail.id] = mail
        team.count_mail(len(recipients(content)), now)
        reply = Reply(200, {"id": mail.id})
        team.remember(received.idempotency_key, received.body, reply, now)
        for kind in mail.fate:
            self.happen(mail.id, kind)
        return reply

    def show_mail(self, request: Request, _: Received, team: Team) -> Reply:
        """GET /emails/{email_id}."""
        mail = self.mails.get(request.path_params["email_id"])
        return _NOT_FOUND if mail is None or mail.team != team.name else Reply(200, mail.shown())

    def create_domain(self, _: Request, received: Received, team: Team) -> Reply:
        """POST /domains."""
        return self.domains.create(team.name, received.mail, self.now())

    def list_domains(self, _: Request, __: Received, team: Team) -> Reply:
        """GET /domains."""
        return self.domains.of(team.name)

    def one_domain(self, act: Callable[[Domain, Received], Reply]) -> Callable[[Request, Received, Team], Reply]:
        """An operation on a domain of the team."""

        def find_and_act(request: Request, received: Received, team: Team) -> Reply:
            domain = self.domains.find(request.path_params["domain_id"], team.name, self.now())
            return _NOT_FOUND if domain is None else act(domain, received)

        return find_and_act

    async def not_served(self, request: Request, _: Exception) -> Response:
        """Answer what has no operation here, and tell the test."""
        self.judge.unknown(request.method, request.url.path)
        return _response(_NOT_FOUND, {})

    async def _broken(self, fault: Raw | Drop | Hang, request: Request) -> Response:
        """Answer what the API never would, or not at all."""
        if isinstance(fault, Raw):
            return Response(fault.body, fault.status, fault.headers, fault.content_type)
        if isinstance(fault, Drop):
            self._drop_client((request.client.host, request.client.port))
        while (await request.receive())["type"] != "http.disconnect":
            pass
        return Response()

    def _unwelcome(self, operation: str, received: Received, team: Team) -> Reply | None:
        if not received.headers.get("user-agent"):
            return refusal(403, "validation_error", "A User-Agent header is required.")
        if not received.api_key:
            return refusal(401, "missing_api_key", "Missing API key in the authorization header.")
        if self.api_keys is not None and received.api_key not in self.api_keys:
            return refusal(403, "invalid_api_key", "API key is invalid.")
        if received.api_key in self.sending_keys and operation != SEND:
            return refusal(401, "restricted_api_key", "This API key is restricted to only send emails.")
        return team.over_rate()

    def _from_elsewhere(self, content: dict[str, Any], team: Team) -> Reply | None:
        domain = from_domain(content)
        if not self.requires_verified_domain or domain == "resend.dev" or self.domains.may_send(domain, team.name):
            return None
        return refusal(
            403, "validation_error", f"The {domain} domain is not verified. Please, add and verify your domain."
        )

    def _is_readable(self, operation: str, received: Received) -> bool:
        """Check the request against the document; tell whether its body is JSON."""
        try:
            body = json.loads(received.body) if received.body else None
        except ValueError:
            self.violations.append(f"{operation}: the body is not JSON")
            return False
        self.judge.request(operation, body, has_body=bool(received.body))
        return True

    def _sent(self, operation: str, reply: Reply, team: Team) -> Response:
        if reply.is_error:
            self.judge.error(operation, reply.status, reply.body)
        else:
            self.judge.answer(operation, reply.status, reply.body)
        return _response(reply, team.headers(self.now()))


async def _received(request: Request) -> Received:
    return Received(
        api_key=request.headers.get("authorization", "").removeprefix("Bearer "),
        idempotency_key=request.headers.get("idempotency-key", ""),
        body=await request.body(),
        headers=dict(request.headers),
    )


async def _slowly(fault: Slow, received: Received, team: Team, act: Callable[[], Reply]) -> Reply:
    if received.idempotency_key in team.running:
        return act()
    team.running.add(received.idempotency_key)
    fault.begun.set()
    try:
        await fault.finish.wait()
    finally:
        team.running.discard(received.idempotency_key)
    return act()


def _response(reply: Reply, headers: dict[str, str]) -> Response:
    content = json.dumps(reply.body).encode()
    return Response(content, reply.status, headers | reply.headers, "application/json; charset=utf-8")
