"""How long the steps of echoes took: percentiles over the newest that ended, in one conversation and over all."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from django.db.models import Q

from conversations.models import Conversation, Echo
from conversations.models.echo import FINAL_STATES

NEWEST = 500  # echoes that ended
STEPS = {
    "queued_to_sending": ("queued_at", "sending_at"),
    "sending_to_sent": ("sending_at", "sent_at"),
    "sent_to_speaking": ("sent_at", "speaking_at"),
    "queued_to_speaking": ("queued_at", "speaking_at"),
}
_COLUMNS = ("conversation_id", "state", "queued_at", "sending_at", "sent_at", "speaking_at", "ended_at", "decided_at")


def latencies(within: Q | None = None, newest: int = NEWEST) -> dict[str, Any]:
    """`{"echoes", "states", "steps": {step: {count, p50, p95, p99, longest}}}`, in seconds. `within`: of the
    conversations that this is true of; of all without it.

    `queued_to_speaking` counts only echoes with nothing ahead of them: else it tells how long others spoke. What a
    second person took to decide is no latency: those are left out of what begins with the queue.
    """
    ended = Echo.objects.filter(state__in=FINAL_STATES)
    if within is not None:
        ended = ended.filter(conversation__in=Conversation.objects.filter(within).order_by())
    rows = list(ended.order_by("-id").values(*_COLUMNS)[:newest])
    rows.reverse()
    took: dict[str, list[float]] = {step: [] for step in STEPS}
    states: dict[str, int] = {}
    busy_until: dict[int, deque[Any]] = {}
    for row in rows:
        states[row["state"]] = states.get(row["state"], 0) + 1
        ends = busy_until.setdefault(row["conversation_id"], deque(maxlen=50))
        alone = all(end <= row["queued_at"] for end in ends)
        ends.append(row["ended_at"] or row["queued_at"])
        for step, (first, last) in STEPS.items():
            begin, end = row[first], row[last]
            if begin is None or end is None or (first == "queued_at" and row["decided_at"]):
                continue
            if step != "queued_to_speaking" or alone:
                took[step].append(max(0.0, (end - begin).total_seconds()))
    return {"echoes": len(rows), "states": states, "steps": {step: summary(values) for step, values in took.items()}}


def summary(values: list[float]) -> dict[str, Any]:
    """Percentiles by nearest rank; None where there is nothing to tell."""
    ranked = sorted(values)

    def at(share: float) -> float | None:
        return round(ranked[max(0, math.ceil(share * len(ranked)) - 1)], 4) if ranked else None

    return {"count": len(ranked), "p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "longest": at(1.0)}
