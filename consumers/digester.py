"""Closes the digests that are due: what lies in one becomes one mail, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import mode
import structlog

from consumers.repeating import repeat
from notifications.digest import MAX_SHOWN, SUBTYPE, Closing, Item, OpenDigest, Shown, close, happened_at, link_of, part
from notifications.letter import find_template
from notifications.metrics import LineMetrics
from notifications.ports import Facts, Templates, UnavailableError
from notifications.render import Renderer, RenderingError
from notifications.report import Reports
from notifications.status import Reason, Status
from storage.digests import Digests

log = structlog.get_logger()

_BATCH = 64
_IDLE_SECONDS = 1.0


class Digester(mode.Service):
    """Looks for digests that are due once a second. Two workers may look at the same one; only one closes it."""

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
        super().__init__(**options)

    @mode.Service.task
    async def _close(self) -> None:
        await repeat(self, "digester", self._close_due)

    async def _close_due(self) -> float:
        due = await self._digests.due(self._clock(), _BATCH)
        for digest_id, tenant_id in due:
            if self.should_stop:
                break
            await self._close_one(digest_id, tenant_id)
        return 0 if len(due) == _BATCH else _IDLE_SECONDS

    async def _close_one(self, digest_id: UUID, tenant_id: UUID) -> None:
        now = self._clock()

        async def decide(digest: OpenDigest) -> Closing:
            _, fresh = part(digest, now)
            shown = [await self._line(item) for item in fresh[:MAX_SHOWN]] if len(fresh) > 1 else []
            template = find_template(SUBTYPE, _locale(fresh), {}, self._templates) if shown else None
            return close(digest, shown, template, secret=self._secret, reports=self._reports, now=now)

        try:
            closing = await self._digests.close(digest_id, tenant_id, now, decide)
        except UnavailableError:
            raise
        except Exception:
            # It stays open and is tried again; another digest is not to blame for it.
            log.exception("digester.digest_failed", digest_id=str(digest_id))
            return
        if closing is not None:
            self._count(closing)

    def _count(self, closing: Closing) -> None:
        for _ in closing.stale:
            self._metrics.reached(Status.FAILED, Reason.EXPIRED)
        for _ in closing.told:
            self._metrics.reached(Status.DIGESTED, Reason.DIGEST)
        if closing.alone is not None or closing.mail is not None:
            self._metrics.reached(Status.QUEUED, Reason.DIGEST)

    async def _line(self, item: Item) -> Shown:
        """Return an item's line: the subject that its own mail would have had."""
        content = item.content
        data: Mapping[str, Any] = content.data if content is not None else {}
        title = item.origin.subtype.replace("-", " ")
        if content is not None:
            try:
                template = await self._ledger.template(
                    item.origin.event.tenant_id,
                    content.template_name,
                    content.template_locale,
                    content.template_version,
                )
                title = self._renderer.render(template, data).subject
            except (RenderingError, LookupError) as error:
                log.warning("digester.item_unreadable", notification_id=str(item.id), where=str(error))
        return Shown(title=title, url=link_of(data), at=happened_at(item))


def _locale(items: Sequence[Item]) -> str | None:
    return next((item.content.template_locale for item in reversed(items) if item.content is not None), None)
