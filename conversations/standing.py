"""How a conversation stands, in one dict: for its page, for each look at it, and pushed over its WebSocket."""

from __future__ import annotations

from typing import Any

from conversations.models import Conversation, Room
from echoadmin.shown import money


def room_of(conversation: Conversation) -> Room | None:
    """The conversation's room, None before anybody joined."""
    return getattr(conversation, "room", None)


def standing(conversation: Conversation) -> dict[str, Any]:
    """State, time, money, room, and whether and why not something can be said."""
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
    }


def room_state(room: Room | None) -> dict[str, Any]:
    """The room; `people` without us."""
    if room is None:
        return {
            "wanted": "idle", "state": "idle", "worker": "", "error": "", "replica_present": False,
            "joined_at": None, "people": [], "floor": None,
        }  # fmt: skip
    people = [
        {
            "name": str(one.get("name") or "no name"),
            "is_replica": bool(one.get("is_replica")),
            "joined_at": one.get("joined_at"),
        }
        for one in room.participants
        if isinstance(one, dict) and not one.get("is_us")
    ]
    return {
        "wanted": room.wanted,
        "state": room.state,
        "worker": room.worker.name if room.worker else "",
        "error": room.error,
        "replica_present": room.replica_present,
        "joined_at": room.joined_at.isoformat() if room.joined_at else None,
        "people": people,
        "floor": floor_of(room),
    }


def floor_of(room: Room) -> dict[str, Any] | None:
    """Who alone may speak, and since when; None where everybody with the role may."""
    if room.floor_user_id is None:
        return None
    since = room.floor_since.isoformat() if room.floor_since else None
    return {"name": room.floor_name, "key": room.floor_key_ref, "since": since}


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
