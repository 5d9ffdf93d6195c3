"""Sends mails from memory: one attempt at one provider each, many at once, one at a time per key."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Protocol

import mode
import structlog

from consumers.identity import Identity
from notifications.mail import Mail, compose
from notifications.metrics import LineMetrics
from notifications.outcome import Attempted
from notifications.ports import AccountLimiter, KeptFiles, UnavailableError
from notifications.status import Reason
from notifications.tracing import LineTracer
from providers.choice import Choice
from providers.errors import InvalidAddressError, InvalidMessageError
from providers.manager import ProviderManager
from providers.receipt import NOT_BEGUN, PAUSED, Outcome, SendReceipt

log = structlog.get_logger()

_STALE_POLL_SECONDS = 0.2

_Held = tuple[Mail, Choice]
"""A mail, and what was in use when it was handed over."""


class Record(Protocol):
    """Where finished attempts go."""

    def put(self, attempted: Attempted) -> None:
        """Take one finished or handed-back attempt; it is committed soon."""
        ...


class Sender(mode.Service):
    """Holds at most `capacity` mails. What stops before its attempt opened is handed back, never dropped."""

    def __init__(
        self,
        *,
        providers: ProviderManager,
        account: AccountLimiter,
        files: KeptFiles,
        identity: Identity,
        record: Record,
        tracer: LineTracer,
        metrics: LineMetrics,
        clock: Callable[[], datetime],
        at_once: int,
        capacity: int,
        drain_seconds: float,
        **options: Any,
    ) -> None:
        self._providers = providers
        self._account = account
        self._files = files
        self._identity = identity
        self._record = record
        self._tracer = tracer
        self._metrics = metrics
        self._clock = clock
        self._at_once = at_once
        self._capacity = capacity
        self._drain_seconds = drain_seconds
        self._ready: asyncio.Queue[_Held] = asyncio.Queue()
        self._chained: dict[tuple[str, str | None], deque[_Held]] = {}
        self._held = 0
        self._open = 0
        self._is_draining = False
        self._changed = asyncio.Event()
        self.is_behind = False
        """Set by the dispatcher while more is due than it can take: then nothing new may overtake."""
        metrics.in_flight.set_function(lambda: self._held)
        super().__init__(**options)

    def room(self) -> int:
        """Return how many new mails may be handed over now."""
        return 0 if self.is_behind else self.free()

    def free(self) -> int:
        """Return how many mails may be handed over by whoever takes what is due."""
        return 0 if self._is_draining else max(0, self._capacity - self._held)

    async def wait_for_room(self, count: int) -> None:
        """Return once `count` mails have room, or the line is stopping."""
        while self.free() < min(count, self._capacity) and not self.should_stop:
            self._changed.clear()
            await self._changed.wait()

    def wake(self) -> None:
        """Let whoever waits for room look again."""
        self._changed.set()

    def put(self, mails: Sequence[Mail]) -> None:
        """Hand over opened mails; of one key, each waits for the one before."""
        choice = self._providers.choice
        for mail in mails:
            self._held += 1
            chain = self._chained.get(_chain(mail))
            if chain is None:
                self._chained[_chain(mail)] = deque()
                self._ready.put_nowait((mail, choice))
            else:
                chain.append((mail, choice))

    async def on_start(self) -> None:
        """Start the lanes."""
        for _ in range(self._at_once):
            self.add_future(self._lane())

    async def on_stop(self) -> None:
        """Hand back what was not opened and let open attempts finish, within the drain time."""
        await self.drain(self._drain_seconds)

    async def drain(self, seconds: float) -> None:
        """Hand back what was not opened, and wait for open attempts to end."""
        self._is_draining = True
        try:
            async with asyncio.timeout(seconds):
                while self._held:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            log.warning("sender.drain_timed_out", mails=self._held)
        self._is_draining = self.should_stop
        self._changed.set()

    async def _lane(self) -> None:
        while True:
            mail, choice = await self._ready.get()
            try:
                await self._handle(mail, choice)
            except Exception:
                # The row is ours and in nobody's hands: it is adopted once this epoch has ended.
                log.exception("sender.lane_failed", notification_id=str(mail.id))
                self._identity.doubt()
            finally:
                self._next_of(_chain(mail))

    def _next_of(self, key: tuple[str, str | None]) -> None:
        chain = self._chained[key]
        if chain:
            self._ready.put_nowait(chain.popleft())
        else:
            del self._chained[key]
        self._held -= 1
        self._changed.set()

    async def _handle(self, mail: Mail, choice: Choice) -> None:
        while self._must_wait(mail):  # noqa: ASYNC110 - it is time that passes, and no event tells of that
            await asyncio.sleep(_STALE_POLL_SECONDS)
        now = self._clock()
        if self._is_draining or mail.owner != self._identity.owner or self._is_overtaken(mail, choice):
            # Nobody needs to doubt what was never opened. Where an old epoch's row is adopted already, this is void.
            self._record.put(Attempted(mail=mail, receipt=None, started_at=now, finished_at=now))
            return
        if (wait := await self._wait_for_account(mail)) is not None:
            receipt = _receipt(mail, now, Outcome.THROTTLED, PAUSED, retry_after=wait)
            self._record.put(Attempted(mail=mail, receipt=receipt, started_at=now, finished_at=now))
            return
        started = time.perf_counter()
        receipt = await self._attempt(mail)
        await self._learn(receipt)
        self._metrics.attempted(receipt.provider, receipt.outcome.value, time.perf_counter() - started)
        self._record.put(Attempted(mail=mail, receipt=receipt, started_at=now, finished_at=self._clock()))

    def _must_wait(self, mail: Mail) -> bool:
        """While heartbeats fail, nothing is opened: it may be ours no longer."""
        return not self._identity.is_fresh() and not self._is_draining and mail.owner == self._identity.owner

    def _is_overtaken(self, mail: Mail, choice: Choice) -> bool:
        """Tell whether an operator switched providers while it waited here: what may go elsewhere is chosen anew."""
        return choice is not self._providers.choice and mail.may_move

    async def _wait_for_account(self, mail: Mail) -> timedelta | None:
        """Take one of the attempts that the provider's account has; return how long to wait where none is free."""
        rate = self._providers.get(mail.provider).account_rate
        if rate is None:
            return None
        try:
            return await self._account.take(
                mail.provider, rate, line=mail.line, has_waited=mail.waited_for is Reason.THROTTLED
            )
        except UnavailableError:
            return None  # the provider counts too, and says when it is too much

    async def _learn(self, receipt: SendReceipt) -> None:
        if receipt.account_rate is None:
            return
        with suppress(UnavailableError):  # the next answer tells it again
            await self._account.learn(receipt.provider, receipt.account_rate)

    async def _attempt(self, mail: Mail) -> SendReceipt:
        try:
            attachments = await self._files.fetch(mail.origin.event.tenant_id, mail.content.enclosed.files)
            message = compose(mail, attachments)
        except UnavailableError:
            # Nothing was begun: it goes back, and comes again when its files can be read.
            return _receipt(mail, self._clock(), Outcome.NOT_SENT, NOT_BEGUN)
        except LookupError:
            log.error("sender.file_gone", notification_id=str(mail.id))  # noqa: TRY400 - the event says it
            return _receipt(mail, self._clock(), Outcome.PERMANENT, "file_gone")
        except (InvalidMessageError, InvalidAddressError, ValueError) as error:
            # Not the traceback: it would hold the address.
            log.error("sender.invalid_message", notification_id=str(mail.id), error=type(error).__name__)  # noqa: TRY400 - see above
            return _receipt(mail, self._clock(), Outcome.PERMANENT, "invalid_message")

        async def begin() -> bool:
            return await self._identity.begin(mail.owner, mail.id, mail.attempt)

        with self._tracer.sending(mail.span):
            return await self._providers.send(mail.provider, message, begin)


def _chain(mail: Mail) -> tuple[str, str | None]:
    """Order is kept for one person's mails of one key; what another person gets of it need not wait for them."""
    return mail.content.addressing.key, mail.origin.recipient


def _receipt(
    mail: Mail, now: datetime, outcome: Outcome, error: str, *, retry_after: timedelta | None = None
) -> SendReceipt:
    """Return the receipt of an attempt that was not made."""
    return SendReceipt(
        provider=mail.provider,
        outcome=outcome,
        timestamp=now,
        tenant_id=mail.origin.event.tenant_id,
        from_domain=mail.from_domain,
        error=error,
        retry_after=retry_after,
    )
