"""Closes the digests that are due: what lies in one becomes one mail, in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import mode
import structlog

from consumers.repeating import repeat
from notifications.digest import (
    MAX_SHOWN,
    SUBTYPE,
    Closing,
    OpenDigest,
    Shown,
    Told,
    ask_again,
    close,
    gathered,
    happened_at,
    link_of,
)
from notifications.letter import find_template
from notifications.metrics import LineMetrics
from notifications.ports import Facts, Templates, UnavailableError
from notifications.render import Renderer, RenderingError
from notifications.report import Reports
from notifications.status import Reason, Status
from notifications.still_wanted import key_of
from storage.digests import Digests

log = structlog.get_logger()

_BATCH = 64
_IDLE_SECONDS = 1.0


class Digester(mode.Service):
    """Takes digests that are due once a second, those that no other worker has taken, and closes them."""

    def __init__(
        self,
        *,
        digests: Digests,
        ledger: Facts,
        templates: Templates,
        renderer: Renderer,
        reports: Reports,
        secret: bytes,
        metrics: LineMetrics,
        clock: Callable[[], datetime],
        service_enabled: bool,
        **options: Any,
    ) -> None:
        self._digests = digests
        self._ledger = ledger
        self._templates = templates
        self._renderer = renderer
        self._reports = reports
        self._secret = secret
        self._metrics = metrics
        self._clock = clock
        self._service_enabled = service_enabled
        super().__init__(**options)

    @mode.Service.task
    async def _close(self) -> None:
        await repeat(self, "digester", self._close_due)

    async def _close_due(self) -> float:
        due = await self._digests.lease(self._clock(), _BATCH)
        for digest_id, tenant_id in due:
            if self.should_stop:
                break
            await self._close_one(digest_id, tenant_id)
        return 0 if len(due) == _BATCH else _IDLE_SECONDS

    async def _close_one(self, digest_id: UUID, tenant_id: UUID) -> None:
        try:
            digest = await self._digests.find(digest_id, tenant_id)
            if digest is None:
                return
            now = self._clock()
            closing = await self._decide(digest, now)
            if await self._digests.close(digest, closing, now):
                self._count(closing)
        except UnavailableError:
            raise
        except Exception:
            # It stays open and is taken again in a minute; another digest is not to blame for it.
            log.exception("digester.digest_failed", digest_id=str(digest_id))

    async def _decide(self, digest: OpenDigest, now: datetime) -> Closing:
        facts = await self._ledger.read((), [key_of(item.origin) for item in digest.items])
        tenant = facts.tenants.get(digest.tenant_id)
        stopped, told = ask_again(
            digest.items, tenant, facts.recipients, service_enabled=self._service_enabled, now=now
        )
        together, _ = gathered(told)
        shown: list[Shown] = []
        for one in together[:MAX_SHOWN]:
            shown.append(await self._line(one))
            await asyncio.sleep(0)  # nothing else may make it let others run, and a heartbeat must not wait for all
        locale = together[-1].content.template_locale if together else None
        template = find_template(SUBTYPE, locale, tenant.templates if tenant else {}, self._templates)
        return close(digest, stopped, told, shown, template, secret=self._secret, reports=self._reports, now=now)

    def _count(self, closing: Closing) -> None:
        for one in closing.stopped:
            self._metrics.reached(one.status, one.reason)
        for _ in closing.told:
            self._metrics.reached(Status.DIGESTED, Reason.DIGEST)
        for _ in (*closing.alone, *([closing.mail] if closing.mail else [])):
            self._metrics.reached(Status.QUEUED, Reason.DIGEST)

    async def _line(self, told: Told) -> Shown:
        """Return an item's line: the subject that its own mail would have had."""
        content = told.content
        title = told.item.origin.subtype.replace("-", " ")
        try:
            template = await self._ledger.template(
                told.item.origin.event.tenant_id,
                content.template_name,
                content.template_locale,
                content.template_version,
            )
            title = self._renderer.subject(template, content.data)
        except (RenderingError, LookupError) as error:
            log.warning("digester.item_unreadable", notification_id=str(told.item.id), where=str(error))
        return Shown(title=title, url=link_of(content.data), at=happened_at(told.item))
