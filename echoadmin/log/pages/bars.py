"""The bars over the log, drawn: each is a link to its own time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from echoadmin.log.histogram import histogram
from echoadmin.log.pages.asked import Asked

MOST = 80  # bars
FEWEST = 40  # so that a young log does not look like a wall
HEIGHT = 48  # units of the drawing
LEAST = 2  # so that one entry can be seen, and hit
UNITS = {60: "minute", 3600: "hour", 86_400: "day", 604_800: "week"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar that is not empty."""

    place: int  # from the left
    height: float
    top: float
    count: int
    begins: datetime
    address: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """All bars. `filtered` is False where they count entries that the filters leave out."""

    bars: list[Bar]
    width: int
    height: int
    first: datetime
    last: datetime
    step: str  # in words
    most: int
    total: int
    filtered: bool


def drawing(asked: Asked, filters: Mapping[str, str]) -> Drawing:
    """The bars for these filters. Raises FilterError."""
    found = histogram(filters, MOST)
    most = max(found.bars, default=0)
    step = timedelta(seconds=found.step)
    empty = max(0, FEWEST - len(found.bars)) if "at_after" not in filters else 0
    first = found.start - empty * step
    counts = [0] * empty + found.bars
    bars = [_bar(asked, at, count, most, first + at * step, step) for at, count in enumerate(counts) if count]
    last = first + len(counts) * step
    return Drawing(bars, len(counts), HEIGHT, first, last, _words(found.step), most, sum(counts), found.filtered)


def _bar(asked: Asked, place: int, count: int, most: int, begins: datetime, step: timedelta) -> Bar:
    height = max(LEAST, round(HEIGHT * count / most, 1))
    address = asked.address(at_after=_iso(begins), at_before=_iso(begins + step))
    return Bar(place, height, HEIGHT - height, count, begins, address)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _words(step: int) -> str:
    """How long a bar lasts: minute, 5 minutes, hour."""
    if step in UNITS:
        return UNITS[step]
    unit = next(unit for unit in sorted(UNITS, reverse=True) if step % unit == 0)
    return f"{step // unit} {UNITS[unit]}s"
