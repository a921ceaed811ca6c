"""Conversations, rooms and workers, echoes and interactions, saved lines and scripts; prices, budgets and slots."""

from conversations.models.budget import Budget, Period, Scope
from conversations.models.change import StateChange
from conversations.models.conversation import Conversation
from conversations.models.echo import Echo, EchoState, Interaction, InteractionState
from conversations.models.gap import Gap, GapKind, GapScan
from conversations.models.line import SavedLine
from conversations.models.price import Price
from conversations.models.room import Room, RoomState, Wanted, Worker
from conversations.models.script import Script
from conversations.models.slot import RequestState, SlotLimit, SlotRequest
from conversations.models.webhook import WebhookReceived, WebhookState

__all__ = [
    "Budget",
    "Conversation",
    "Echo",
    "EchoState",
    "Gap",
    "GapKind",
    "GapScan",
    "Interaction",
    "InteractionState",
    "Period",
    "Price",
    "RequestState",
    "Room",
    "RoomState",
    "SavedLine",
    "Scope",
    "Script",
    "SlotLimit",
    "SlotRequest",
    "StateChange",
    "Wanted",
    "WebhookReceived",
    "WebhookState",
    "Worker",
]
