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

from echoadmin.accounts.limits import apart, reads
from echoadmin.actors import Limits
from echoadmin.log.filters import given_filters, within
from echoadmin.log.index.models import Mark, Roll
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


def histogram(params: Mapping[str, Any], most: int = 60, limits: Limits | None = None) -> Histogram:
    """At most about `most` bars for the filters `params`: over their time range, else over all of the log.

    Follows the log by some seconds. Under limits nothing else is counted, and the log begins with what they are about.
    Raises FilterError.
    """
    given = given_filters(params)
    own = None if limits is None else _own(limits)
    first, last = _range(given.pop("at_after", None), given.pop("at_before", None), own)
    step = next((step for step in STEPS if last - first <= timedelta(seconds=step) * min(most, MOST_BARS)), STEPS[-1])
    start = int(first.timestamp()) // step * step
    size = min(max(-(-(ceil(last.timestamp()) - start) // step), 1), MOST_BARS * 2)
    if len(given) == 1 and (name := next(iter(given))) in NARROW:
        counts, filtered = _counted({NARROW[name]: given[name]}, limits, start, step), True
    else:
        rolls, filtered = _rolls(given) if own is None or limits is None else _rolls_within(given, limits, own)
        counts = sum((_rolled(dim, val, start, step, size) for dim, val in rolls), Counter[int]())
    bars = [max(counts[bar], 0) for bar in range(size)]
    return Histogram(datetime.fromtimestamp(start, UTC), step, bars, filtered)


def _own(limits: Limits) -> list[tuple[str, str]]:
    """The roll-ups that together count each entry within the limits once."""
    of = apart(limits)
    return [("persona", one) for one in of.personas] + [("conversation", one) for one in of.conversations]


def _range(
    after: datetime | None, before: datetime | None, own: list[tuple[str, str]] | None
) -> tuple[datetime, datetime]:
    last = before or datetime.now(UTC)
    if after is not None:
        return after, max(last, after + timedelta(minutes=1))
    if own is None:
        oldest = Mark.objects.aggregate(oldest=Min("minute"))["oldest"]
    else:
        rolls = (Roll.objects.filter(dim=dim, val=val, res=MINUTE) for dim, val in own)
        starts = (rows.aggregate(oldest=Min("bucket"))["oldest"] for rows in rolls)
        oldest = min((start for start in starts if start is not None), default=None)
    first = EPOCH + timedelta(minutes=oldest) if oldest is not None else last - timedelta(hours=1)
    return min(first, last - timedelta(minutes=1)), last


def _rolls(given: Mapping[str, Any]) -> tuple[list[tuple[str, str]], bool]:
    """The roll-up that tells of these filters, and whether it does."""
    if not given:
        return [("all", "")], True
    name, value = next(iter(given.items()))
    if len(given) == 1 and name in DIMENSIONS:
        return [(name, value)], True
    if given == {"is_error": True}:
        return [("is_error", "true")], True
    return [("all", "")], False


def _rolls_within(
    given: Mapping[str, Any], limits: Limits, own: list[tuple[str, str]]
) -> tuple[list[tuple[str, str]], bool]:
    """As `_rolls`, of what is within. By a filter there are roll-ups of all the log alone, but for those two that the
    limits are about."""
    if not given:
        return own, True
    name, value = next(iter(given.items()))
    if len(given) == 1 and name == "conversation":
        return [(name, value)] if reads(limits, value) else [], True
    if len(given) == 1 and name == "persona" and value in limits.personas:
        return [(name, value)], True
    return own, False


def _rolled(dim: str, val: str, start: int, step: int, size: int) -> Counter[int]:
    res = HOUR if step % HOUR == 0 else MINUTE
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT (bucket * {res} - %s) / {step}, CAST(SUM(n) AS bigint) FROM log_roll"
            " WHERE dim = %s AND val = %s AND res = %s AND bucket >= %s AND bucket < %s GROUP BY 1",
            [start, dim, val, res, start // res, (start + size * step) // res],
        )
        return Counter(dict(cursor.fetchall()))


def _counted(filters: dict[str, Any], limits: Limits | None, start: int, step: int) -> Counter[int]:
    readable = [] if limits is None else [within(limits)]
    moments = Entry.objects.filter(*readable, **filters).order_by("-id").values_list("at", flat=True)[:MOST_ROWS]
    return Counter((int(at.timestamp()) - start) // step for at in moments)
