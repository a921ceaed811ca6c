"""What the conversation's page shows and keeps up to date: one dict, for the first drawing and for each look."""

from __future__ import annotations

from typing import Any

from conversations.models import Conversation, Echo, EchoState, Room
from echoadmin.shown import money

SHOWN = 40  # echoes on the page; the rest are under Echoes
WAITING = (EchoState.HELD, EchoState.QUEUED)


def room_of(conversation: Conversation) -> Room | None:
    """The conversation's room, None before anybody joined."""
    return getattr(conversation, "room", None)


def page_state(conversation: Conversation) -> dict[str, Any]:
    """State, time, money, room, echoes (newest first), and whether and why not something can be said."""
    room = room_of(conversation)
    can_speak, hint = composer(conversation, room)
    left = None
    if conversation.is_active and conversation.max_call_duration:
        left = max(0, conversation.max_call_duration - conversation.seconds)
    return {
        "state": conversation.status if conversation.state == "live" else conversation.state,
        "is_active": conversation.is_active,
        "seconds": conversation.seconds,
        "seconds_left": left,
        "cost": money(conversation.cost),
        "ended_reason": conversation.ended_reason,
        "room": room_state(room),
        "can_speak": can_speak,
        "hint": hint,
        "echoes": [echo_state(echo) for echo in conversation.echoes.order_by("-position")[:SHOWN]],
    }


def room_state(room: Room | None) -> dict[str, Any]:
    """The room as the page shows it; `people` without us."""
    if room is None:
        return {"wanted": "idle", "state": "idle", "worker": "", "error": "", "replica_present": False, "people": []}
    people = [
        {"name": str(one.get("name") or "no name"), "is_replica": bool(one.get("is_replica"))}
        for one in room.participants
        if isinstance(one, dict) and not one.get("is_us")
    ]
    return {
        "wanted": room.wanted,
        "state": room.state,
        "worker": room.worker.name if room.worker else "",
        "error": room.error,
        "replica_present": room.replica_present,
        "people": people,
    }


def composer(conversation: Conversation, room: Room | None) -> tuple[bool, str]:
    """Whether something can be said, and what to know about it before one tries."""
    if not conversation.is_active:
        return False, "This conversation has ended. Start a new one to say something."
    if room is None or room.wanted != "joined":
        return False, "Join the room first: what is said goes through it."
    if room.state == "lost":
        return True, f"The room is lost and is being joined again: {room.error}. Lines wait in the queue."
    if room.state == "failed":
        return True, f"The room can't be joined: {room.error} Lines wait in the queue."
    if room.state != "joined":
        return True, "The room is being joined; lines wait in the queue."
    if not room.replica_present:
        return True, "The replica has not come yet; lines wait in the queue."
    return True, "Enter says it. Esc interrupts."


def echo_state(echo: Echo) -> dict[str, Any]:
    """One echo, in the names of the API."""
    return {
        "id": echo.pk,
        "inference_id": echo.inference_id,
        "modality": echo.modality,
        "text": echo.text,
        "seconds": echo.seconds,
        "state": echo.state,
        "reason": echo.reason,
        "detail": echo.detail,
        "actor": echo.actor,
        "chunks": echo.chunks,
        "chunks_sent": echo.chunks_sent,
        "position": echo.position,
        "replay_of": echo.replay_of,
        "times": {name: at.isoformat() if at else None for name, at in echo.times.items()},
    }
