"""How a conversation stands, in one dict: for its page, for each look at it, and pushed over its WebSocket."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from conversations.models import Conversation, Room, RoomState
from conversations.services.ending import Ending, ending
from echoadmin.shown import money


def room_of(conversation: Conversation) -> Room | None:
    """The conversation's room, None before anybody joined."""
    return getattr(conversation, "room", None)


def standing(conversation: Conversation) -> dict[str, Any]:
    """State, time, money, room, what will end it by itself, and whether and why not something can be said.

    `now` is this console's clock: who shows how long something lasts counts from it.
    """
    room = room_of(conversation)
    can_speak, hint = composer(conversation, room)
    next_end, now = ending(conversation, room), timezone.now()
    return {
        "now": now.isoformat(),
        "state": conversation.status if conversation.state == "live" else conversation.state,
        "is_active": conversation.is_active,
        "seconds": conversation.seconds,
        "seconds_left": max(0, round((next_end.at - now).total_seconds())) if next_end else None,
        "ending": _ending(next_end),
        "cost": money(conversation.cost, conversation.currency),
        "ended_reason": conversation.ended_reason,
        "room": room_state(room),
        "can_speak": can_speak,
        "hint": hint,
    }


def _ending(found: Ending | None) -> dict[str, Any] | None:
    if found is None:
        return None
    words = {"because": found.because, "provided": found.provided}
    return {"limit": found.limit, "at": found.at.isoformat(), **words}


def room_state(room: Room | None) -> dict[str, Any]:
    """The room; `people` are those in it, this console's worker (`is_us`) among them."""
    if room is None:
        return {
            "wanted": "idle", "state": "idle", "worker": "", "error": "", "replica_present": False,
            "joined_at": None, "people": [], "floor": None,
        }  # fmt: skip
    return {
        "wanted": room.wanted,
        "state": room.state,
        "worker": room.worker.name if room.worker else "",
        "error": room.error,
        "replica_present": room.replica_present,
        "joined_at": room.joined_at.isoformat() if room.joined_at else None,
        "people": people_of(room),
        "floor": floor_of(room),
    }


def people_of(room: Room) -> list[dict[str, Any]]:
    """Who is in the room, the replica first; `joined_at` is None where Daily did not tell it."""
    others = [one for one in room.participants if isinstance(one, dict) and not one.get("is_us")]
    people = [
        {
            "name": str(one.get("name") or "no name"),
            "is_replica": bool(one.get("is_replica")),
            "is_us": False,
            "joined_at": one.get("joined_at"),
        }
        for one in sorted(others, key=lambda one: not one.get("is_replica"))
    ]
    if room.state == RoomState.JOINED and room.worker is not None:  # Daily's list has us only now and then
        since = room.joined_at.isoformat() if room.joined_at else None
        us = {"name": f"echoadmin/{room.worker.name}", "is_replica": False, "is_us": True, "joined_at": since}
        people.append(us)
    return people


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
        return True, "The replica has not joined yet: lines wait in the queue."
    return True, "Enter says it. Esc interrupts."
