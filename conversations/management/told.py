"""What the commands share: a conversation by its id, as the API tells it, and waiting for its room."""

from __future__ import annotations

from typing import Any

from conversations.api.conversations import one
from conversations.models import Conversation, Room, RoomState
from conversations.serializers import ConversationSerializer
from conversations.waiting import wait_for
from echoadmin.api.problems import refused

__all__ = ["one", "summary", "told", "until_joined"]


def told(conversation: Conversation) -> dict[str, Any]:
    """As the API answers."""
    return dict(ConversationSerializer(conversation).data)


def summary(data: dict[str, Any]) -> str:
    """One line of words."""
    room = data["room"]
    here = f"room {room['state']}" + (", replica there" if room["replica_present"] else "")
    return f"{data['id']}  {data['status'] or data['state']}  {here}  {data['conversation_name']}"


def until_joined(public_id: str, seconds: float) -> None:
    """Wait until the room is joined and the replica there. Raises ApiError when it is not within `seconds`."""

    def look() -> bool | None:
        room = Room.objects.filter(conversation__public_id=public_id).first()
        return (room is not None and room.state == RoomState.JOINED and room.replica_present) or None

    if not wait_for(public_id, look, seconds):
        words = f"{public_id} was not joined within {seconds:g} s. Does a worker run?"
        raise refused(409, "not_joined", words)
