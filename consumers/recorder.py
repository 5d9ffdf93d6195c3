"""Commits outcomes in groups: every 20 ms or 64 of them, one transaction."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import mode
import structlog

from consumers.identity import Identity
from notifications.after import GOES_ELSEWHERE, Next, RetryPolicy, after
from notifications.letter import needs_of
from notifications.metrics import LineMetrics
from notifications.outcome import Attempted, attempt_row, change_after, continued, handed_back
from notifications.ports import SendLane, UnavailableError
from notifications.routing import Routing
from notifications.transition import Transition, Transitions

log = structlog.get_logger()

GROUP = 64
GROUP_SECONDS = 0.02
_RETRY_SECONDS = 0.5
_STUCK_RETRY_SECONDS = 30.0


class Recorder(mode.Service):
    """Turns outcomes into changes (purely), commits them, and only then lets the next attempt of a mail begin."""

    def __init__(
        self,
        *,
        transitions: Transitions,
        identity: Identity,
        routing: Routing,
        retry: RetryPolicy,
        metrics: LineMetrics,
        clock: Callable[[], datetime],
        drain_seconds: float,
        **options: Any,
    ) -> None:
        self._transitions = transitions
        self._identity = identity
        self._routing = routing
        self._retry = retry
        self._metrics = metrics
        self._clock = clock
        self._drain_seconds = drain_seconds
        self._waiting: asyncio.Queue[Attempted] = asyncio.Queue()
        self._unrecorded = 0
        self._recorded = asyncio.Event()
        self._enough = asyncio.Event()
        self.lane: SendLane | None = None
        """Where a mail goes whose next attempt is committed."""
        super().__init__(**options)

    def put(self, attempted: Attempted) -> None:
        """Take one finished or handed-back attempt; it is committed soon."""
        self._unrecorded += 1
        self._waiting.put_nowait(attempted)
        if self._waiting.qsize() + 1 >= GROUP:
            self._enough.set()

    async def on_stop(self) -> None:
        """Commit everything that was put, within the drain time."""
        await self.flush(self._drain_seconds)

    async def flush(self, seconds: float) -> None:
        """Wait until everything that was put is committed."""
        try:
            async with asyncio.timeout(seconds):
                while self._unrecorded:
                    self._recorded.clear()
                    await self._recorded.wait()
        except TimeoutError:
            log.error("recorder.flush_timed_out", outcomes=self._unrecorded)  # noqa: TRY400 - the count is the news

    async def on_start(self) -> None:
        """Start the loop; it is cancelled only after `on_stop` has flushed."""
        self.add_future(self._run())

    async def _run(self) -> None:
        while True:
            group = [await self._waiting.get()]
            await self._wait_for_more()
            while len(group) < GROUP and not self._waiting.empty():
                group.append(self._waiting.get_nowait())
            for part in _once_each(group):
                await self._commit(part)
            self._unrecorded -= len(group)
            self._recorded.set()

    async def _wait_for_more(self) -> None:
        """Return when a group is full or its time is over; with one timer a group, not one an outcome."""
        if self._waiting.qsize() + 1 >= GROUP:
            return
        self._enough.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(GROUP_SECONDS):
                await self._enough.wait()

    async def _commit(self, group: list[Attempted]) -> None:
        """Commit a group, however often Postgres is away; a change it refuses is set apart and tried again later."""
        changes = [self._change(attempted) for attempted in group]
        while True:
            try:
                held = await self._transitions.apply(changes)
            except UnavailableError as error:
                log.warning("recorder.unavailable", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception:
                log.exception("recorder.group_refused", outcomes=len(group))
                if len(group) == 1:
                    self._set_apart(group[0])
                    return
                for attempted in group:
                    await self._commit([attempted])
                return
            else:
                break
        again = [
            mail
            for attempted, change in zip(group, changes, strict=True)
            if change.id in held and (mail := continued(attempted.mail, change)) is not None
        ]
        if again and self.lane is not None:
            self.lane.put(again)
        for change in changes:
            if change.id in held:
                self._metrics.reached(change.status, change.reason)
        await self._identity.landed([(one.mail.id, one.mail.attempt) for one in group if one.receipt is not None])

    def _set_apart(self, attempted: Attempted) -> None:
        receipt = attempted.receipt
        plain = replace(receipt, smtp_response=None, provider_message_id=None) if receipt else None
        asyncio.get_running_loop().call_later(_STUCK_RETRY_SECONDS, self.put, replace(attempted, receipt=plain))

    def _change(self, attempted: Attempted) -> Transition:
        now = self._clock()
        if attempted.receipt is None:
            return handed_back(attempted.mail, now)
        mail = attempted.mail
        elsewhere = None
        if attempted.receipt.outcome in GOES_ELSEWHERE and mail.may_move:
            elsewhere = self._routing.elsewhere(
                mail.tenant,
                mail.id,
                left=mail.provider,
                from_domain=mail.from_domain,
                needs=needs_of(mail.content.enclosed),
            )
        next_: Next = after(
            attempted.receipt,
            mail,
            now=now,
            policy=self._retry,
            other_provider=elsewhere.provider if elsewhere else None,
            is_idempotent=self._routing.providers.is_idempotent(mail.provider),
            jitter=random.random(),  # noqa: S311 - spreads retries, guards nothing
        )
        return change_after(
            mail,
            next_,
            attempt=attempt_row(attempted, attempted.receipt, next_, f"{self._identity.worker.name}:{mail.owner}"),
            next_mail_from=elsewhere.sender.mail_from if elsewhere else None,
            is_recipient_refused=attempted.receipt.recipient_refused,
        )


def _once_each(group: list[Attempted]) -> list[list[Attempted]]:
    """Keep attempts of an old and a new epoch at one mail apart: UPDATE … FROM takes one of two changes to a row."""
    return [group] if len({one.mail.id for one in group}) == len(group) else [[one] for one in group]
