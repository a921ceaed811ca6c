"""What `/metrics` tells of conversations, rooms and echoes. Workers die and rooms move, so the database is asked.

Imported once, by the URLs: that makes the gauges known and reads nothing yet.
"""

from __future__ import annotations

from django.db.models import Count
from django.db.models.functions import Now
from django.utils import timezone

from conversations.models import Conversation, Echo, Room, Worker
from echoadmin import metrics


def rooms_by_state() -> dict[str, float]:
    """How many rooms are joined, lost, …"""
    return {row["state"]: row["n"] for row in Room.objects.values("state").annotate(n=Count("id")).order_by()}


def echoes_today_by_state() -> dict[str, float]:
    """Of the echoes asked for since midnight UTC, how far each got."""
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    # Back from the newest to the last of yesterday: there is no index by time, and the ids run with it.
    before = Echo.objects.filter(queued_at__lt=midnight).order_by("-id").values_list("id", flat=True).first() or 0
    today = Echo.objects.filter(id__gt=before)
    return {row["state"]: row["n"] for row in today.values("state").annotate(n=Count("id")).order_by()}


def conversations_by_status() -> dict[str, float]:
    """How many conversations upstream calls active or ended."""
    rows = Conversation.objects.values("status").annotate(n=Count("id")).order_by()
    return {row["status"] or "none": row["n"] for row in rows}


def workers_by_life() -> dict[str, float]:
    """How many workers hold a lease."""
    return {"alive": Worker.objects.filter(lease_until__gt=Now()).count()}


metrics.register("echoadmin_rooms", "Rooms by state.", label="state", read=rooms_by_state)
metrics.register("echoadmin_echoes_today", "Today's echoes (UTC) by state.", label="state", read=echoes_today_by_state)
metrics.register("echoadmin_conversations", "Conversations by status.", label="status", read=conversations_by_status)
metrics.register("echoadmin_workers", "Workers that hold a lease.", label="life", read=workers_by_life)
