"""The last 24 hours in numbers and small charts, from rows that are bounded in number and counted here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from conversations.home.drawing import bars
from conversations.models import Conversation, Echo
from conversations.models.price import rate_at, shown_rates
from echoadmin.shown import lasting, money

HOURS = 24
NEWEST_ECHOES, NEWEST_CONVERSATIONS = 2000, 1000


def last_day() -> dict[str, Any]:
    """Minutes, money, echoes by state, and how long it took from the queue to the replica's first sound."""
    now = timezone.now()
    since = now - timedelta(hours=HOURS)
    echoes = list(Echo.objects.order_by("-id").values_list("state", "queued_at", "speaking_at")[:NEWEST_ECHOES])
    today = [row for row in echoes if row[1] >= since]
    used = _used(since, now)
    waits = sorted((speaking - queued).total_seconds() for _, queued, speaking in today if speaking)
    by_hour = Counter(_hour(queued, since) for _, queued, _ in today)
    return {
        "numbers": _tiles(sum(used), _cost(used, since), waits, len(today)),
        "states": _states(row[0] for row in today),
        "only_newest": NEWEST_ECHOES if len(today) == NEWEST_ECHOES else 0,
        "charts": [
            {"title": "Minutes", "svg": bars([seconds / 60 for seconds in used], "minutes, hour by hour", "min")},
            {"title": "Echoes", "svg": bars([by_hour[n] for n in range(HOURS)], "echoes, hour by hour", "echoes")},
            {"title": "Queue to sound, p95", "svg": bars(_p95_by_hour(today, since), "seconds, hour by hour", "s")},
        ],
    }


def percentile(ordered: list[float], percent: int) -> float | None:
    """The smallest value that at least so many percent are not above; None of nothing."""
    if not ordered:
        return None
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _tiles(seconds: float, cost: str, waits: list[float], echoes: int) -> list[dict[str, str]]:
    return [
        {"name": "Minutes", "value": f"{seconds / 60:,.0f}" if seconds >= 600 else f"{seconds / 60:,.1f}"},
        {"name": "Money", "value": cost or "no price set"},
        {"name": "Echoes", "value": f"{echoes:,}"},
        {"name": "Queue to sound, p50", "value": _took(percentile(waits, 50))},
        {"name": "p95", "value": _took(percentile(waits, 95))},
    ]


def _cost(used: list[float], since: datetime) -> str:
    """Each hour at the price that was in force when it began; "" where there was none."""
    rates = shown_rates()
    cost, currency = None, ""
    for n, seconds in enumerate(used):
        rate = rate_at(since + timedelta(hours=n), rates)
        if rate is not None:
            cost, currency = (cost or 0) + Decimal(seconds) * rate.per_minute / 60, rate.currency
    return money(cost, currency)


def _took(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds * 1000:,.0f} ms" if seconds < 1 else lasting(seconds)


def _states(states: Iterable[str]) -> list[dict[str, Any]]:
    counts = Counter(states)
    spoken = counts.pop("spoken", 0)
    rows = [("spoken", spoken), *sorted(counts.items())]
    return [{"state": state, "count": f"{count:,}"} for state, count in rows]


def _hour(at: datetime, since: datetime) -> int:
    return min(HOURS - 1, max(0, int((at - since).total_seconds() // 3600)))


def _p95_by_hour(today: list[tuple[Any, ...]], since: datetime) -> list[float]:
    waits: list[list[float]] = [[] for _ in range(HOURS)]
    for _, queued, speaking in today:
        if speaking:
            waits[_hour(queued, since)].append((speaking - queued).total_seconds())
    return [percentile(sorted(one), 95) or 0 for one in waits]


def _used(since: datetime, now: datetime) -> list[float]:
    """Billed seconds in each hour, of the newest conversations."""
    rows = Conversation.objects.filter(test_mode=False, upstream_id__isnull=False).order_by("-id")
    columns = ("upstream_created_at", "created_at", "ended_at", "status", "state")
    hours = [0.0] * HOURS
    for upstream, made, ended, status, state in rows.values_list(*columns)[:NEWEST_CONVERSATIONS]:
        running = status == "active" and state == "live"
        end = ended or (now if running else None)
        if end is None or end <= since:
            continue
        start = max(upstream or made, since)
        for n in range(_hour(start, since), _hour(end, since) + 1):
            begins = since + timedelta(hours=n)
            inside = (min(end, begins + timedelta(hours=1)) - max(start, begins)).total_seconds()
            hours[n] += max(0.0, inside)
    return hours
