"""A time range as a range of ids (or of n, within a stream), so that the database walks the log in one order only.

Entries are stored in about the order in which they happened: each at most 5 s after (else it is marked `late`) and a
moment before. So the ends of a range are found by bisection, with five minutes of slack for clocks that differ.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

SLACK = timedelta(minutes=5)


def bounds(stream_id: int | None, after: datetime | None, before: datetime | None) -> tuple[int | None, int | None]:
    """(lowest key, key after the highest) that entries with after <= at < before can have; None where open.

    The key is `n` in a stream, and `id` where `stream_id` is None.
    """
    key = "id" if stream_id is None else "n"
    where, params = ("", []) if stream_id is None else ('"stream" = %s AND ', [stream_id])
    low = high = None
    if after is not None:
        low = _first_from(key, where, params, after - SLACK)
    if before is not None and before + SLACK < datetime.now(UTC):
        high = _first_from(key, where, params, before + SLACK)
        late = _newest_late(key, where, params, after, before)
        high = max(high, late + 1)
    return low, high


def _first_from(key: str, where: str, params: list[Any], moment: datetime) -> int:
    """The key of the first entry (those stored late apart) that happened at `moment` or after; past the end if none."""
    probe = f'SELECT {key}, "at" FROM log_entry WHERE {where} NOT late AND {key} >= %s ORDER BY {key} LIMIT 1'
    with connection.cursor() as cursor:
        ends = [f"(SELECT {end}({key}) FROM log_entry WHERE {where} {key} >= 0)" for end in ("MIN", "MAX")]
        cursor.execute(f"SELECT {', '.join(ends)}", params * 2)  # apart: together SQLite would scan for them
        low, newest = cursor.fetchone()
        if low is None:
            return 0
        high: int = newest + 1
        while low < high:
            middle = (low + high) // 2
            cursor.execute(probe, [*params, middle])
            row = cursor.fetchone()
            if row is None or _moment(row[1]) >= moment:
                high = middle
            else:
                low = row[0] + 1
    return high


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
