"""The roll-ups: how many entries there were in each minute and hour, by one filter's value; and each minute's ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db.backends.utils import CursorWrapper

from echoadmin.log.index.following import Follower
from echoadmin.log.many_rows import insert

NAME = "rolls"
MINUTE, HOUR = 60, 3600
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The filters that there are bars for, and the columns that have their values.
DIMENSIONS = {
    "kind": "kind",
    "family": "family",
    "event_type": "event_type",
    "direction": "direction",
    "conversation": "stream__public_id",
    "persona": "persona_ref",
    "sender": "sender",
    "actor": "actor",
    "api_key": "api_key_ref",
}
COLUMNS = ("id", "at", "late", "is_error", *DIMENSIONS.values())
_NAMES = tuple(DIMENSIONS)

_ADD = "ON CONFLICT (dim, val, res, bucket) DO UPDATE SET n = log_roll.n + excluded.n"
_MARK = (
    "ON CONFLICT (minute) DO UPDATE SET"
    " min_id = CASE WHEN excluded.min_id < log_mark.min_id THEN excluded.min_id ELSE log_mark.min_id END,"
    " max_id = CASE WHEN excluded.max_id > log_mark.max_id THEN excluded.max_id ELSE log_mark.max_id END"
)


@dataclass(slots=True)
class Rolled:
    """A batch of entries, counted."""

    counts: Counter[tuple[str, str, int]] = field(default_factory=Counter)  # (dim, val, minute)
    marks: dict[int, tuple[int, int]] = field(default_factory=dict)


def minute_of(at: datetime) -> int:
    """Minutes since 1970, rounded down."""
    return int((at - EPOCH).total_seconds() // MINUTE)


def rolled(rows: Sequence[tuple[Any, ...]]) -> Rolled:
    """Counts entries with the values of COLUMNS."""
    made = Rolled()
    counts, marks = made.counts, made.marks
    for entry_id, at, late, is_error, *values in rows:
        minute = minute_of(at)
        counts["all", "", minute] += 1
        if is_error:
            counts["is_error", "true", minute] += 1
        for name, value in zip(_NAMES, values, strict=True):
            if value is not None:
                counts[name, value, minute] += 1
        if not late:
            low, high = marks.get(minute, (entry_id, entry_id))
            marks[minute] = (min(low, entry_id), max(high, entry_id))
    return made


def _store(cursor: CursorWrapper, made: Rolled, sign: int = 1) -> None:
    # In one order, so that two who count at once can't wait for each other.
    counts = [(*key, sign * n) for key, n in sorted(_buckets(made.counts).items())]
    insert(cursor, "log_roll (dim, val, res, bucket, n)", counts, _ADD)
    if sign > 0:
        marks = [(minute, *ids) for minute, ids in sorted(made.marks.items())]
        insert(cursor, "log_mark (minute, min_id, max_id)", marks, _MARK)


def _buckets(counts: Counter[tuple[str, str, int]]) -> Counter[tuple[str, str, int, int]]:
    """By minute and by hour."""
    found: Counter[tuple[str, str, int, int]] = Counter()
    for (dim, val, minute), n in counts.items():
        found[dim, val, MINUTE, minute] += n
        found[dim, val, HOUR, minute * MINUTE // HOUR] += n
    return found


def _forget(cursor: CursorWrapper, made: Rolled) -> None:
    _store(cursor, made, -1)


def _empty(cursor: CursorWrapper) -> None:
    for table in ("log_roll", "log_mark"):
        cursor.execute(f"DELETE FROM {table}" if cursor.db.vendor == "sqlite" else f"TRUNCATE {table}")


ROLLS = Follower(NAME, COLUMNS, rolled, _store, _forget, _empty)
