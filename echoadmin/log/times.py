"""A time range as a range of ids (or of n, within a stream), so that the database walks the log in one order only.

Entries are stored in about the order in which they happened: each at most 5 s after (else it is marked `late`) and a
moment before. So a range has two ends, with five minutes of slack for clocks that differ. Across streams they are in
the marks (echoadmin.log.index), within a stream, and where nothing is marked yet, they are found by bisection.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from echoadmin.log.index.models import Mark
from echoadmin.log.index.rolls import minute_of

SLACK = timedelta(minutes=5)


def bounds(stream_id: int | None, after: datetime | None, before: datetime | None) -> tuple[int | None, int | None]:
    """(lowest key, key after the highest) that entries with after <= at < before can have; None where open.

    The key is `n` in a stream, and `id` where `stream_id` is None.
    """
    key = "id" if stream_id is None else "n"
    where, params = ("", []) if stream_id is None else ('"stream" = %s AND ', [stream_id])
    low = high = None
    if after is not None:
        low = _marked(after - SLACK) if stream_id is None else _first_from(key, where, params, after - SLACK)
    if before is not None and before + SLACK < datetime.now(UTC):
        high = _marked(before + SLACK) if stream_id is None else _first_from(key, where, params, before + SLACK)
        late = _newest_late(key, where, params, after, before)
        high = max(high, late + 1)
    return low, high


def _marked(moment: datetime) -> int:
    """The lowest id that an entry of the minute of `moment` or after can have, those stored late apart."""
    later = Mark.objects.filter(minute__gte=minute_of(moment)).order_by("minute")
    if (low := later.values_list("min_id", flat=True).first()) is not None:
        return low
    marked = Mark.objects.order_by("-minute").values_list("max_id", flat=True).first() or 0
    return _first_from("id", "", [], moment, marked + 1)  # among those that are not marked yet


def _first_from(key: str, where: str, params: list[Any], moment: datetime, start: int = 0) -> int:
    """The key of the first entry, from `start` on, that happened at `moment` or after; past the end if none.

    Entries that were stored late don't count.
    """
    probe = f'SELECT {key}, "at" FROM log_entry WHERE {where} NOT late AND {key} >= %s ORDER BY {key} LIMIT 1'
    with connection.cursor() as cursor:
        ends = [f"(SELECT {end}({key}) FROM log_entry WHERE {where} {key} >= 0)" for end in ("MIN", "MAX")]
        cursor.execute(f"SELECT {', '.join(ends)}", params * 2)  # apart: together SQLite would scan for them
        low, newest = cursor.fetchone()
        if low is None:
            return 0
        low, high = max(low, start), max(newest + 1, start)
        while low < high:
            middle = (low + high) // 2
            cursor.execute(probe, [*params, middle])
            row = cursor.fetchone()
            if row is None or _moment(row[1]) >= moment:
                high = middle
            else:
                low = row[0] + 1
    return int(high)


def _newest_late(key: str, where: str, params: list[Any], after: datetime | None, before: datetime) -> int:
    since = after or datetime.min.replace(tzinfo=UTC)
    adapt = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT MAX({key}) FROM log_entry WHERE {where} late AND "at" >= %s AND "at" < %s',
            [*params, adapt(since), adapt(before)],
        )
        return cursor.fetchone()[0] or 0


def _moment(value: datetime) -> datetime:
    """What a raw cursor gives: without a time zone, in UTC, on SQLite."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)
