"""What `/metrics` tells of conversations, rooms and echoes. Workers die and rooms move, so the database is asked.

Imported once, by the URLs: that makes the gauges known and reads nothing yet.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone

from conversations.models import (
    Budget,
    Conversation,
    Echo,
    EchoState,
    Room,
    StateChange,
    WebhookReceived,
    WebhookState,
    Worker,
)
from conversations.models.echo import FINAL_STATES
from conversations.models.price import read_rates
from conversations.money.budgets import standings
from conversations.money.spending import Cost, costs, unsettled_in
from conversations.services.workers import counted
from conversations.slots.standing import slots
from echoadmin import metrics
from echoadmin.deliveries.models import Delivery
from echoadmin.duties import Duty
from echoadmin.metrics import Shown
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


def living_workers() -> dict[str, Worker]:
    """Those of the last hour that did not say goodbye, by name, with the rooms they hold."""
    return {worker.name: worker for worker in counted(_workers_since(timedelta(hours=1)).filter(stopped_at=None))}


def _workers_since(age: timedelta) -> QuerySet[Worker]:
    return Worker.objects.filter(lease_until__gt=timezone.now() - age)


def duties() -> dict[str, Duty]:
    """Each duty as it stands."""
    return {duty.name: duty for duty in Duty.objects.all()}


def _since(at: datetime | None) -> float | None:
    return (timezone.now() - at).total_seconds() if at else None


def _waits(at: datetime | None) -> float:
    return _since(at) or 0.0


def _overdue(duty: Duty) -> float:
    return 0.0 if duty.standing == "running" else max(0.0, _waits(duty.next_run_at))


def runs_by_state() -> dict[tuple[str, str], float]:
    """How many runs (exports, replays, …) wait or are under way."""
    going = Run.objects.exclude(state__in=ENDED).values("kind", "state").annotate(n=Count("id")).order_by()
    return {(row["kind"], row["state"]): row["n"] for row in going}


def today() -> dict[str, Cost]:
    """What the conversations that began today (UTC) have come to so far, by currency."""
    day = timezone.now().date()
    return {cost.currency: cost for cost in costs("day", day, day, read_rates(), unsettled_in(day, day))}


def budgets() -> dict[str, float]:
    """How many have room, have warned, or are reached."""
    found = dict.fromkeys(("ok", "warned", "reached"), 0.0)
    for standing in standings(Budget.objects.all(), read_rates()):
        found[standing.state] += 1
    return found


def webhooks_in() -> dict[tuple[()], tuple[int, int, datetime | None]]:
    """Webhooks that were received: how many wait to be processed, how many failed, and since when the oldest waits."""
    waits = Q(state=WebhookState.RECEIVED)
    rows = WebhookReceived.objects.filter(state__in=(WebhookState.RECEIVED, WebhookState.FAILED))
    found = rows.aggregate(
        waiting=Count("id", filter=waits),
        failed=Count("id", filter=~waits),
        oldest=Min("received_at", filter=waits),
    )
    return {(): (found["waiting"], found["failed"], found["oldest"])}


def looks_waiting() -> dict[tuple[()], tuple[int, datetime | None]]:
    """Conversations that a webhook or a lost room wants looked at upstream, and since when the first waits."""
    due = Conversation.objects.filter(sync_wanted_at__lte=timezone.now()).exclude(upstream_id=None)
    found = due.aggregate(n=Count("id"), oldest=Min("sync_wanted_at"))
    return {(): (found["n"], found["oldest"])}


def changes_waiting() -> dict[tuple[()], tuple[int, datetime | None]]:
    """Changes of states that no webhook out was made of yet, and since when the oldest waits."""
    found = StateChange.objects.aggregate(n=Count("id"), oldest=Min("at"))
    return {(): (found["n"], found["oldest"])}


def deliveries_waiting() -> dict[tuple[()], tuple[int, datetime | None]]:
    """Webhooks out that have not been taken yet, and since when the oldest waits."""
    found = Delivery.objects.filter(state="waiting").aggregate(n=Count("id"), oldest=Min("created_at"))
    return {(): (found["n"], found["oldest"])}


register = partial(metrics.register, shared=True)
register_rows = partial(metrics.register_rows, shared=True)

register("echoadmin_rooms", "Rooms by state.", label="state", read=rooms_by_state)
register("echoadmin_echoes_today", "Today's echoes (UTC) by state.", label="state", read=echoes_today_by_state)
register("echoadmin_conversations", "Conversations by status.", label="status", read=conversations_by_status)
register("echoadmin_workers", "Workers of the last day by state.", label="state", read=workers_by_state)
register_rows(
    Shown("echoadmin_worker_rooms", "Rooms that a worker holds.", lambda worker: worker.held),
    Shown("echoadmin_worker_capacity", "Rooms that it holds at most.", lambda worker: worker.capacity),
    Shown(
        "echoadmin_worker_lease_age_seconds", "Time since a worker renewed its lease.",
        lambda worker: max(0.0, settings.WORKER_LEASE - worker.lease_left),
    ),
    label="worker", read=living_workers,
)  # fmt: skip
register("echoadmin_queue", "Echoes that wait, in all conversations.", label="state", read=echoes_waiting)
register(
    "echoadmin_echoes_ended_today", "Today's echoes (UTC) that have ended.", label=("state", "reason"),
    read=echoes_today_by_end,
)  # fmt: skip
register_rows(
    Shown("echoadmin_duty_runs", "How often a duty was done.", lambda duty: duty.runs, counts=True),
    Shown("echoadmin_duty_errors", "How often a duty failed.", lambda duty: duty.errors, counts=True),
    Shown("echoadmin_duty_age_seconds", "Time since a duty was last done.", lambda duty: _since(duty.last_run_at)),
    Shown("echoadmin_duty_failing", "1 where a duty's last run failed.", lambda duty: bool(duty.last_error)),
    Shown("echoadmin_duty_overdue_seconds", "Time since a duty that nobody does was due.", _overdue),
    label="duty", read=duties,
)  # fmt: skip
register("echoadmin_runs", "Runs that have not ended.", label=("kind", "state"), read=runs_by_state)
register_rows(
    Shown("echoadmin_slots_used", "Conversations that hold a slot.", lambda slots: slots.taken),
    Shown("echoadmin_slots_limit", "Slots of the plan, where it is known.", lambda slots: slots.limit),
    Shown("echoadmin_slots_waiting", "Conversations that wait for a slot.", lambda slots: slots.waiting),
    read=lambda: {(): slots()},
)
register_rows(
    Shown("echoadmin_billed_seconds_today", "Seconds of what began today (UTC).", lambda cost: cost.seconds),
    Shown("echoadmin_cost_today", "What they cost so far, where a price is set.", lambda cost: cost.cost),
    label="currency", read=today,
)  # fmt: skip
register("echoadmin_budgets", "Budgets by how they stand.", label="state", read=budgets)
register_rows(
    Shown("echoadmin_webhooks_in_waiting", "Webhooks received and not processed yet.", lambda row: row[0]),
    Shown("echoadmin_webhooks_in_failed", "Webhooks whose processing failed.", lambda row: row[1]),
    Shown("echoadmin_webhooks_in_oldest_seconds", "For how long the oldest waits.", lambda row: _waits(row[2])),
    read=webhooks_in,
)
register_rows(
    Shown("echoadmin_looks_waiting", "Conversations to be looked at upstream.", lambda row: row[0]),
    Shown("echoadmin_looks_oldest_seconds", "For how long the first waits.", lambda row: _waits(row[1])),
    read=looks_waiting,
)
register_rows(
    Shown("echoadmin_changes_waiting", "State changes that no webhook out was made of yet.", lambda row: row[0]),
    Shown("echoadmin_changes_oldest_seconds", "For how long the oldest waits.", lambda row: _waits(row[1])),
    read=changes_waiting,
)
register_rows(
    Shown("echoadmin_deliveries_waiting", "Webhooks out that were not taken yet.", lambda row: row[0]),
    Shown("echoadmin_deliveries_oldest_seconds", "For how long the oldest waits.", lambda row: _waits(row[1])),
    read=deliveries_waiting,
)
