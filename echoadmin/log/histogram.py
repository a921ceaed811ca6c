"""How many entries there were when: the bars over the log, from the roll-ups alone, or from the few rows of one id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from django.db import connection
from django.db.models import Min

from echoadmin.log.filters import given_filters
from echoadmin.log.index.models import Mark
from echoadmin.log.index.rolls import DIMENSIONS, EPOCH, HOUR, MINUTE
from echoadmin.log.models import Entry

STEPS = (60, 120, 300, 600, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 604_800, 2_592_000)  # seconds
MOST_BARS = 200
MOST_ROWS = 10_000  # that are counted one by one
NARROW = {"inference_id": "inference_id", "echo": "echo_id"}  # filters of few entries, for which no roll-up is kept


@dataclass(frozen=True, slots=True)
class Histogram:
    """Bars of `step` seconds each, the first from `start` on; `bars` has a number for each, zeros included.

    `filtered` is False where filters were given and the bars count all entries: roll-ups are kept by one filter.
    """

    start: datetime  # UTC
    step: int
    bars: list[int]
    filtered: bool


def histogram(params: Mapping[str, Any], most: int = 60) -> Histogram:
    """At most about `most` bars for the filters `params`: over their time range, else over all of the log.

    Follows the log by some seconds. Raises FilterError.
    """
    given = given_filters(params)
    first, last = _range(given.pop("at_after", None), given.pop("at_before", None))
    step = next((step for step in STEPS if last - first <= timedelta(seconds=step) * min(most, MOST_BARS)), STEPS[-1])
    start = int(first.timestamp()) // step * step
    size = min(max(-(-(ceil(last.timestamp()) - start) // step), 1), MOST_BARS * 2)
    if len(given) == 1 and (name := next(iter(given))) in NARROW:
        counts, filtered = _counted({NARROW[name]: given[name]}, start, step), True
    else:
        dim, val, filtered = _dimension(given)
        counts = _rolled(dim, val, start, step, size)
    bars = [max(counts[bar], 0) for bar in range(size)]
    return Histogram(datetime.fromtimestamp(start, UTC), step, bars, filtered)


def _range(after: datetime | None, before: datetime | None) -> tuple[datetime, datetime]:
    last = before or datetime.now(UTC)
    if after is not None:
        return after, max(last, after + timedelta(minutes=1))
    oldest = Mark.objects.aggregate(oldest=Min("minute"))["oldest"]
    first = EPOCH + timedelta(minutes=oldest) if oldest is not None else last - timedelta(hours=1)
    return min(first, last - timedelta(minutes=1)), last


def _dimension(given: Mapping[str, Any]) -> tuple[str, str, bool]:
    """The roll-up that tells of these filters, and whether it does."""
    if not given:
        return "all", "", True
    name, value = next(iter(given.items()))
    if len(given) == 1 and name in DIMENSIONS:
        return name, value, True
    if given == {"is_error": True}:
        return "is_error", "true", True
    return "all", "", False


def _rolled(dim: str, val: str, start: int, step: int, size: int) -> Counter[int]:
    res = HOUR if step % HOUR == 0 else MINUTE
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT (bucket * {res} - %s) / {step}, CAST(SUM(n) AS bigint) FROM log_roll"
            " WHERE dim = %s AND val = %s AND res = %s AND bucket >= %s AND bucket < %s GROUP BY 1",
            [start, dim, val, res, start // res, (start + size * step) // res],
        )
        return Counter(dict(cursor.fetchall()))


def _counted(filters: dict[str, Any], start: int, step: int) -> Counter[int]:
    moments = Entry.objects.filter(**filters).order_by("-id").values_list("at", flat=True)[:MOST_ROWS]
    return Counter((int(at.timestamp()) - start) // step for at in moments)
