"""What is live: each conversation with what is being said in it, its queue, its people and its worker."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Count
from django.template.defaultfilters import truncatechars
from django.utils import timezone

from conversations.models import Conversation, Echo, Room, Worker
from conversations.models.echo import UNDER_WAY
from conversations.slots.standing import slot_limit
from conversations.standing import room_of
from echoadmin.read_only import address
from echoadmin.shown import lasting, money

SHOWN = 10
WORDS = 90  # characters of a line


def live_now() -> dict[str, Any]:
    """The newest live conversations, how many there are, and the slots they take."""
    rows = Conversation.objects.filter(status="active", state="live")
    shown = list(rows.select_related("room", "room__worker").order_by("-id")[:SHOWN])
    taken = rows.count()
    said, waiting = _said(shown), _waiting(shown)
    slots = slot_limit()
    return {
        "live": [_row(row, said.get(row.pk), waiting.get(row.pk, 0)) for row in shown],
        "taken": taken,
        "more_live": max(0, taken - SHOWN),
        "slots": slots,
        "slots_full": bool(slots and taken >= slots),
        "slot_percent": min(100, round(100 * taken / slots)) if slots else 0,
    }


def people_and_worker() -> dict[str, Any]:
    """The workers that live, and how many rooms they could still take."""
    now = timezone.now()
    alive = Worker.objects.filter(stopped_at=None, lease_until__gt=now, lease_until__lt=now + timedelta(days=1))
    rows = list(alive.annotate(held=Count("rooms")).order_by("name")[:100])
    free = sum(max(0, row.capacity - row.held) for row in rows if row.life == "alive")
    return {"names": [row.name for row in rows], "free": free, "rooms": sum(row.held for row in rows)}


def _said(shown: list[Conversation]) -> dict[int, Echo]:
    """What is under way in each; a room has one echo outstanding at a time."""
    rows = Echo.objects.filter(conversation__in=[row.pk for row in shown], state__in=UNDER_WAY)
    return {row.conversation_id: row for row in rows.order_by("-id")[: 2 * SHOWN]}


def _waiting(shown: list[Conversation]) -> dict[int, int]:
    rows = Echo.objects.filter(conversation__in=[row.pk for row in shown], state__in=("queued", "held"))
    return dict(rows.values_list("conversation").annotate(Count("id")).order_by())


def _row(row: Conversation, echo: Echo | None, queue: int) -> dict[str, Any]:
    room = room_of(row)
    return {
        "id": row.public_id,
        "name": str(row),
        "address": address(row),
        "state": echo.state if echo else getattr(room, "state", "idle"),
        "words": _words(room, echo, queue),
        "people": len([one for one in room.participants if isinstance(one, dict)]) if room else 0,
        "worker": room.worker.name if room and room.worker else "",
        "queue": queue,
        "raw_seconds": row.seconds,
        "seconds": lasting(row.seconds),
        "cost": money(row.cost, row.currency),
    }


def _words(room: Room | None, echo: Echo | None, queue: int) -> str:
    if echo is not None:
        return f"“{truncatechars(echo.text, WORDS)}”" if echo.text else f"audio, {lasting(echo.seconds)}"
    if room is None or room.wanted != "joined":
        return "this console is not in its room"
    if room.state != "joined":
        return room.error or "its room is being joined"
    if not room.replica_present:
        since = f" ({lasting((timezone.now() - room.joined_at).total_seconds() // 1)})" if room.joined_at else ""
        return f"waiting for the replica{since}"
    return "about to speak" if queue else "silent"
