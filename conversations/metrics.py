"""What `/metrics` tells of conversations, rooms and echoes. Workers die and rooms move, so the database is asked.

Imported once, by the URLs: that makes the gauges known and reads nothing yet.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models import Count, QuerySet
from django.utils import timezone

from conversations.models import Conversation, Echo, EchoState, Room, Worker
from conversations.models.echo import FINAL_STATES
from conversations.services.workers import counted
from echoadmin import metrics
from echoadmin.duties import Duty
from echoadmin.runs import ENDED, Run

WAITING: tuple[str, ...] = (EchoState.QUEUED, EchoState.HELD)


def rooms_by_state() -> dict[str, float]:
    """How many rooms are joined, lost, …"""
    return {row["state"]: row["n"] for row in Room.objects.values("state").annotate(n=Count("id")).order_by()}


def _echoes_today() -> QuerySet[Echo]:
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    # Back from the newest to the last of yesterday: there is no index by time, and the ids run with it.
    before = Echo.objects.filter(queued_at__lt=midnight).order_by("-id").values_list("id", flat=True).first() or 0
    return Echo.objects.filter(id__gt=before)


def echoes_today_by_state() -> dict[str, float]:
    """Of the echoes asked for since midnight UTC, how far each got."""
    return {row["state"]: row["n"] for row in _echoes_today().values("state").annotate(n=Count("id")).order_by()}


def echoes_today_by_end() -> dict[tuple[str, str], float]:
    """Of the same, those that have ended: how, and why."""
    ended = _echoes_today().filter(state__in=FINAL_STATES)
    counted = ended.values("state", "reason").annotate(n=Count("id")).order_by()
    return {(row["state"], row["reason"] or "none"): row["n"] for row in counted}


def echoes_waiting() -> dict[str, float]:
    """How long the queues are, all together."""
    found = dict.fromkeys(WAITING, 0.0)
    waiting = Echo.objects.filter(state__in=WAITING).values("state").annotate(n=Count("id")).order_by()
    return found | {row["state"]: row["n"] for row in waiting}


def conversations_by_status() -> dict[str, float]:
    """How many conversations upstream calls active or ended."""
    rows = Conversation.objects.values("status").annotate(n=Count("id")).order_by()
    return {row["status"] or "none": row["n"] for row in rows}


def workers_by_state() -> dict[str, float]:
    """How many workers live, drain, have stopped, or went without a word. Those of the last day: each `runrooms` that
    has a name of its own leaves a row."""
    found = dict.fromkeys(("alive", "draining", "stale", "stopped"), 0.0)
    for worker in _workers_since(timedelta(days=1)):
        found[worker.life] += 1
    return found


def lease_age() -> dict[str, float]:
    """For how many seconds each worker has not said that it lives. It says so three times in a lease's length."""
    living = _workers_since(timedelta(hours=1)).filter(stopped_at=None)
    return {worker.name: max(0.0, settings.WORKER_LEASE - worker.lease_left) for worker in living}


def rooms_held() -> dict[str, float]:
    """How many rooms each worker holds."""
    living = counted(_workers_since(timedelta(hours=1)))
    return {worker.name: worker.held for worker in living}  # type: ignore[attr-defined]


def _workers_since(age: timedelta) -> QuerySet[Worker]:
    return Worker.objects.filter(lease_until__gt=timezone.now() - age)


def duty_runs() -> dict[str, float]:
    """How often each duty was done."""
    return dict(Duty.objects.values_list("name", "runs"))


def duty_errors() -> dict[str, float]:
    """How often it failed."""
    return dict(Duty.objects.values_list("name", "errors"))


def duty_age() -> dict[str, float]:
    """Seconds since each duty was last done."""
    done = Duty.objects.filter(last_run_at__isnull=False).values_list("name", "last_run_at")
    now = timezone.now()
    return {name: (now - at).total_seconds() for name, at in done if at}


def runs_by_state() -> dict[tuple[str, str], float]:
    """How many runs (exports, replays, …) wait or are under way."""
    going = Run.objects.exclude(state__in=ENDED).values("kind", "state").annotate(n=Count("id")).order_by()
    return {(row["kind"], row["state"]): row["n"] for row in going}


metrics.register("echoadmin_rooms", "Rooms by state.", label="state", read=rooms_by_state)
metrics.register("echoadmin_echoes_today", "Today's echoes (UTC) by state.", label="state", read=echoes_today_by_state)
metrics.register("echoadmin_conversations", "Conversations by status.", label="status", read=conversations_by_status)
metrics.register("echoadmin_workers", "Workers of the last day by state.", label="state", read=workers_by_state)
metrics.register("echoadmin_worker_rooms", "Rooms that a worker holds.", label="worker", read=rooms_held)
metrics.register(
    "echoadmin_worker_lease_age_seconds", "Time since a worker renewed its lease.", label="worker", read=lease_age
)
metrics.register("echoadmin_queue", "Echoes that wait, in all conversations.", label="state", read=echoes_waiting)
metrics.register(
    "echoadmin_echoes_ended_today", "Today's echoes (UTC) that have ended.", label=("state", "reason"),
    read=echoes_today_by_end,
)  # fmt: skip
metrics.register("echoadmin_duty_runs", "How often a duty was done.", label="duty", read=duty_runs, counts=True)
metrics.register("echoadmin_duty_errors", "How often a duty failed.", label="duty", read=duty_errors, counts=True)
metrics.register("echoadmin_duty_age_seconds", "Time since a duty was last done.", label="duty", read=duty_age)
metrics.register("echoadmin_runs", "Runs that have not ended.", label=("kind", "state"), read=runs_by_state)
