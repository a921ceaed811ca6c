"""Conversations, rooms and workers, echoes and interactions, saved lines and scripts."""

from conversations.models.conversation import Conversation
from conversations.models.echo import Echo, EchoState, Interaction, InteractionState
from conversations.models.gap import Gap, GapKind, GapScan
from conversations.models.line import SavedLine
from conversations.models.room import Room, RoomState, Wanted, Worker
from conversations.models.script import Script

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
    "SavedLine",
    "Script",
    "Wanted",
    "Worker",
]
