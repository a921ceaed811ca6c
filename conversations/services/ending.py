"""Which of a conversation's limits ends it next, and when, by what this console knows.

Tavus counts `max_call_duration` and `participant_absent_timeout` from the creation, `participant_left_timeout` from
when the last human left, and takes this console's worker for a human (docs.tavus.io, call duration and timeout).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from conversations.models import Conversation, Room, RoomState

ABSENT_TIMEOUT = 300  # seconds: Tavus's, where none was asked for
OVERDUE = timedelta(minutes=1)  # a limit that has passed by this much, and did nothing: somebody is in the room


@dataclass(frozen=True, slots=True)
class Ending:
    """`limit` is Tavus's name of it; `provided` what must hold for it until then ("" for what holds in any case)."""

    limit: str
    at: datetime
    because: str
    provided: str = ""


def ending(conversation: Conversation, room: Room | None) -> Ending | None:
    """What ends it next, if nobody ends it before; None when it has ended, or none of its limits is known.

    room: with its worker, as what is asked of it is asked for each look at a page.
    """
    if not conversation.is_active:
        return None
    longest = list(_longest(conversation))
    overdue = timezone.now() - OVERDUE
    empty = [one for one in _empty(conversation, room) if one.at > overdue]
    return min([*empty, *longest], key=lambda one: one.at, default=None)


def _longest(conversation: Conversation) -> Iterator[Ending]:
    seconds = limit_of(conversation, "max_call_duration")
    if seconds:
        at = conversation.started_at + timedelta(seconds=seconds)
        yield Ending("max_call_duration", at, "its longest time")


def _empty(conversation: Conversation, room: Room | None) -> Iterator[Ending]:
    """The limits of a room in which this console is not: nobody of ours has come, or we have left."""
    if room is None or room.joined_at is None:
        seconds = limit_of(conversation, "participant_absent_timeout")
        if seconds is not None:
            at = conversation.started_at + timedelta(seconds=seconds)
            yield Ending("participant_absent_timeout", at, "nobody has come yet", "if nobody enters the room")
        return
    seconds = limit_of(conversation, "participant_left_timeout")
    if seconds is None or is_inside(room):
        return
    since = room.last_seen_at or room.joined_at
    because = "this console left it" if room.state == RoomState.IDLE else "this console lost it"
    at = since + timedelta(seconds=seconds)
    yield Ending("participant_left_timeout", at, because, "if nobody else is in the room")


def is_inside(room: Room) -> bool:
    """Whether a worker of ours is in the room, as far as the database says: it joined, and its lease runs."""
    return room.state == RoomState.JOINED and room.worker is not None and room.worker.life in ("alive", "draining")


def limit_of(conversation: Conversation, name: str) -> int | None:
    """A limit in seconds, as it was asked for or as Tavus answered; its default where we asked and named none; else
    None."""
    column = getattr(conversation, name, None)
    if column is not None:
        return int(column)
    for told in (conversation.payload, conversation.requested):
        properties = told.get("properties") if isinstance(told, dict) else None
        value = properties.get(name) if isinstance(properties, dict) else None
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31:
            return value
    return ABSENT_TIMEOUT if name == "participant_absent_timeout" and conversation.made_here else None
