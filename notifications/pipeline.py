"""The line: one batch of entries becomes committed notifications, and those that may go now are on their way.

plan → decide → reserve → render → claim → settle, each step one method; what they decide is in the pure modules beside.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

import structlog

from notifications.claim import ClaimBuilder
from notifications.content import FileRef
from notifications.draft import Draft, draft, recipient_key
from notifications.entry import DeadLetter, Entry
from notifications.facts import EventKey, RecipientFacts, Seen
from notifications.letter import choose_template, enclose, needs_of, rendered_content, request_content
from notifications.metrics import LineMetrics
from notifications.plan import Plan, PlannedEvent, Planner, unprocessable
from notifications.ports import (
    BatchFacts,
    Bus,
    FileIntake,
    Ledger,
    Limiter,
    Ownership,
    RefusedFileError,
    SendLane,
    Templates,
    UnavailableError,
)
from notifications.render import BATCH_SECONDS, Renderer, RenderingError
from notifications.request import FileRequest
from notifications.routing import Routing, address
from notifications.slots import RateDefaults, slot_wants, spaced
from notifications.sorting import is_same, sort_out
from notifications.status import Reason
from notifications.tracing import BatchTrace, LineTracer

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class LineOptions:
    """The line's settings."""

    service_enabled: bool
    rate: RateDefaults
    thread_domain: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Processes batches. Everything it needs of the outside comes in through ports."""

    planner: Planner
    ledger: Ledger
    limiter: Limiter
    bus: Bus
    lane: SendLane
    files: FileIntake
    ownership: Ownership
    renderer: Renderer
    templates: Templates
    routing: Routing
    claims: ClaimBuilder
    metrics: LineMetrics
    tracer: LineTracer
    options: LineOptions
    clock: Callable[[], datetime]
    _slots: dict[UUID, datetime] = field(default_factory=dict[UUID, datetime])

    async def process(self, entries: Sequence[Entry]) -> None:
        """Take a batch from its entries to committed rows, then acknowledge it; safe to repeat as a whole.

        Raises:
            UnavailableError: when Postgres or Redis is away; the entries stay pending.
            FencedError: when this worker was declared dead; the entries stay pending.
        """
        rest = entries
        while rest:
            plan = self.planner.plan(rest, self.clock())
            handled, rest = rest[: len(rest) - len(plan.rest)], plan.rest
            with self.tracer.batch(handled, plan.events) as trace:
                await self._process(handled, plan, trace)

    async def give_up(self, entry: Entry, reason: Reason, detail: str) -> None:
        """Dead-letter an entry that cannot be processed, then acknowledge it.

        Raises:
            UnavailableError: when Postgres or Redis is away; the entry stays pending.
        """
        letter = unprocessable(entry, reason, detail, max_bytes=self.planner.max_entry_bytes)
        claim = self.claims.build(
            self.ownership.owner, (), (), [letter], (), now=self.clock(), origin=lambda event: event.event.traceparent
        )
        await self.ledger.claim(claim)
        await self.bus.settle([entry])
        self.metrics.claimed((), [letter])

    async def _process(self, entries: Sequence[Entry], plan: Plan, trace: BatchTrace) -> None:
        facts, people = await self._read(plan)
        events, repeats, dead = sort_out(plan, facts)
        drafts = self._decide(events, facts, people, trace)
        await self._reserve(drafts)
        await self._enclose(drafts)
        self._address(drafts)
        self._render(drafts, trace)
        self._open(drafts)
        await self._claim(events, repeats, dead, drafts, trace)
        await self.bus.settle(entries)
        self.metrics.settled(len(entries))

    async def _read(self, plan: Plan) -> tuple[BatchFacts, dict[UUID, RecipientFacts]]:
        planned = [(event, notification) for event in plan.events for notification in event.notifications]
        keys = [event.key for event in (*plan.events, *plan.repeats)]
        if not keys:
            return BatchFacts(tenants={}, seen={}, recipients=()), {}
        facts = await self.ledger.read(keys, [recipient_key(event, notification) for event, notification in planned])
        found = zip(planned, facts.recipients, strict=True)
        return facts, {notification.id: known for (_, notification), known in found}

    def _decide(
        self,
        events: Sequence[PlannedEvent],
        facts: BatchFacts,
        people: Mapping[UUID, RecipientFacts],
        trace: BatchTrace,
    ) -> list[Draft]:
        now = self.clock()
        drafts: list[Draft] = []
        opened: set[tuple[UUID, str, str]] = set()
        for event in events:
            for planned in event.notifications:
                key = recipient_key(event, planned)
                place, known = (key.tenant_id, key.reader, key.about), people[planned.id]
                drafted = draft(
                    event,
                    planned,
                    facts.tenants[key.tenant_id],
                    replace(known, open_digest=True) if place in opened else known,
                    service_enabled=self.options.service_enabled,
                    traceparent=trace.origin(event),
                    now=now,
                )
                drafts.append(drafted)
                if drafted.opens is not None:
                    opened.add(place)
        return drafts

    async def _reserve(self, drafts: list[Draft]) -> None:
        now = self.clock()
        for drafted in drafts:
            # A batch that is repeated keeps the slots it had reserved.
            if drafted.is_open and (kept := self._slots.get(drafted.planned.id)) is not None:
                drafted.wait_for(kept, now)
        wants = slot_wants(drafts, self.options.rate)
        try:
            slots = await self.limiter.reserve(list(wants), now)
        except UnavailableError as error:
            log.warning("limiter.unavailable", error=str(error))
            slots = [spaced(want, now) for want in wants]
        for members, moments in zip(wants.values(), slots, strict=True):
            for drafted, moment in zip(members, moments, strict=True):
                self._slots[drafted.planned.id] = moment
                drafted.wait_for(moment, now)

    async def _enclose(self, drafts: list[Draft]) -> None:
        """Decide what goes along with what goes, now or later: once for all recipients of the same files.

        One set of files after the other, each kept before the next is read: a batch may bring more than memory should
        hold at once.
        """
        kept: dict[tuple[UUID, tuple[FileRequest, ...]], tuple[FileRef, ...] | RefusedFileError] = {}
        for drafted in drafts:
            if not drafted.is_wanted:
                continue
            wanted = (drafted.tenant.id, drafted.planned.request.extras.files)
            if wanted not in kept:
                kept[wanted] = await self._keep(*wanted)
            files = kept[wanted]
            if isinstance(files, RefusedFileError):
                log.warning("notification.file_refused", notification_id=str(drafted.planned.id), rule=str(files))
                drafted.fail(Reason.ATTACHMENT, str(files))
            else:
                drafted.enclosed = enclose(drafted, files, self.options.thread_domain)

    async def _keep(self, tenant_id: UUID, files: tuple[FileRequest, ...]) -> tuple[FileRef, ...] | RefusedFileError:
        if not files:
            return ()
        try:
            return await self.files.keep(tenant_id, files)
        except RefusedFileError as error:
            return error

    def _address(self, drafts: list[Draft]) -> None:
        """Choose provider and sender for what goes now."""
        for drafted in drafts:
            if drafted.is_open:
                address(drafted, self.routing, needs_of(drafted.enclosed), self.clock())

    def _render(self, drafts: list[Draft], trace: BatchTrace) -> None:
        batch = {drafted.planned.id: drafted for drafted in drafts}
        until = time.perf_counter() + BATCH_SECONDS
        for drafted in drafts:
            if not drafted.is_wanted:
                continue
            template = choose_template(drafted, self.templates)
            if template is None:
                log.error("template.missing", subtype=drafted.subtype.slug)
                drafted.fail(Reason.RENDERING)
                continue
            drafted.template = template
            drafted.content = request = request_content(
                drafted, template, drafted.sender or self.routing.preferred(drafted.tenant), batch
            )
            if not drafted.is_open:
                continue
            if time.perf_counter() > until:
                drafted.park(Reason.RENDERING, self.clock())
                continue
            try:
                with trace.render(drafted.event, template.name):
                    words = self.renderer.render(template, request.data)
            except RenderingError as error:
                log.warning("notification.rendering_failed", notification_id=str(drafted.planned.id), where=str(error))
                drafted.fail(Reason.RENDERING)
                continue
            drafted.content = rendered_content(request, subject=words.subject, html=words.html, text=words.text)

    def _open(self, drafts: list[Draft]) -> None:
        """What the sender has room for is ours at once; the rest waits its turn behind what is due already."""
        room = self.lane.room() if self.ownership.is_fresh() else 0
        for drafted in drafts:
            if not drafted.is_open:
                continue
            if room <= 0:
                drafted.park(Reason.BACKLOG, self.clock())
                continue
            room -= 1
            drafted.is_mine = True

    async def _claim(
        self,
        events: Sequence[PlannedEvent],
        repeats: Sequence[PlannedEvent],
        dead: Sequence[DeadLetter],
        drafts: Sequence[Draft],
        trace: BatchTrace,
    ) -> None:
        now = self.clock()
        owner = self.ownership.owner
        claim = self.claims.build(owner, events, repeats, dead, drafts, now=now, origin=trace.origin)
        lost: Mapping[EventKey, Seen] = {}
        if claim.events or claim.repeats or claim.dead:
            lost = await self.ledger.claim(claim)
        again = [event for event in events if event.key in lost and not is_same(event.entry, lost[event.key])]
        if again:
            await self.ledger.claim(self.claims.build(owner, (), again, (), (), now=now, origin=trace.origin))
        kept = [drafted for drafted in drafts if drafted.event.key not in lost]
        self.lane.put(
            [self.claims.mail(drafted, owner, now, trace.span_of(drafted.event)) for drafted in kept if drafted.is_mine]
        )
        self.metrics.claimed(kept, dead)
        for drafted in drafts:
            self._slots.pop(drafted.planned.id, None)
