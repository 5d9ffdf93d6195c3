"""When a mail goes by the recipient's clock: quiet hours, wished moments, digests, also when clocks shift. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


class Frequency(StrEnum):
    """How often somebody wants to hear of a kind of thing."""

    REALTIME = "realtime"
    """Each thing when it happens."""
    HOURLY = "hourly"
    """What happened, at the full hour."""
    DAILY = "daily"
    """What happened, at their hour of the day."""
    WEEKLY = "weekly"
    """What happened, at their hour of their day of the week."""


_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """From when to when somebody wants no mail, by the clock on their wall.

    `days` are the weekdays (Monday is 0) on which a quiet time begins; one that ends at or before its beginning ends on
    the next day.
    """

    begins: time
    ends: time
    days: frozenset[int] = EVERY_DAY

    def until(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """Return the end of the quiet time that `now` falls into, in UTC, or None.

        An hour that a shift skips is left as it began; of an hour that it repeats, all of both is quiet.
        """
        ends = [end for begin, end in self._around(now.astimezone(zone).date(), zone) if begin <= now < end]
        return max(ends, default=None)

    def _around(self, day: date, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
        for first in (day - _DAY, day, day + _DAY):
            if first.weekday() in self.days:
                last = first if self.ends > self.begins else first + _DAY
                yield in_utc(first, self.begins, zone, fold=0), in_utc(last, self.ends, zone, fold=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestTime:
    """At which hour, and for weekly ones on which weekday (Monday is 0), somebody reads digests."""

    hour: int = 8
    weekday: int = 0

    def next(self, frequency: Frequency, now: datetime, zone: ZoneInfo) -> datetime:
        """Return the next moment, in UTC and after `now`, at which a digest of this frequency goes."""
        if frequency is Frequency.HOURLY:
            return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        today = now.astimezone(zone).date()
        days = (today + _DAY * offset for offset in range(9))
        moments = (
            in_utc(day, time(self.hour), zone, fold=0)
            for day in days
            if frequency is not Frequency.WEEKLY or day.weekday() == self.weekday
        )
        return next(moment for moment in moments if moment > now)


def in_utc(day: date, clock: time, zone: ZoneInfo, *, fold: int) -> datetime:
    """Return the moment at which a clock on the wall shows this.

    A time that a shift skips is the moment of the shift; of a time that comes twice, `fold` names the first (0) or the
    second (1).
    """
    local = datetime.combine(day, clock, tzinfo=zone).replace(fold=fold)
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None, fold=0) == local.replace(tzinfo=None, fold=0):
        return moment
    return _shift_between(local.replace(fold=1).astimezone(UTC), local.replace(fold=0).astimezone(UTC), zone)


def quiet_until(quiet: QuietHours | None, timezone: str | None, now: datetime) -> datetime | None:
    """Return until when somebody's quiet time lasts, in UTC; without a time zone that we know, UTC is theirs."""
    return None if quiet is None else quiet.until(now, zone_of(timezone))


def wished_moment(send_at: datetime, timezone: str | None) -> datetime:
    """Return a wished moment in UTC; one without a zone is meant by the recipient's clock."""
    if send_at.tzinfo is not None:
        return send_at.astimezone(UTC)
    return in_utc(send_at.date(), send_at.time(), zone_of(timezone), fold=0)


@lru_cache(maxsize=1024)
def zone_of(name: str | None) -> ZoneInfo:
    """Return a zone of the IANA database; UTC for one that is not there."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def _shift_between(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first moment in (before, after] with the later offset, to the second."""
    offset = after.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if middle in {before, after}:
            break
        before, after = (before, middle) if middle.astimezone(zone).utcoffset() == offset else (middle, after)
    return after
