"""Conversations, rooms and workers, echoes and interactions."""

from conversations.models.conversation import Conversation
from conversations.models.echo import Echo, EchoState, Interaction, InteractionState
from conversations.models.gap import Gap, GapKind, GapScan
from conversations.models.room import Room, RoomState, Wanted, Worker

__all__ = [
    "Conversation",
    "Echo",
    "EchoState",
    "Gap",
    "GapKind",
    "GapScan",
    "Interaction",
    "InteractionState",
    "Room",
    "RoomState",
    "Wanted",
    "Worker",
]
