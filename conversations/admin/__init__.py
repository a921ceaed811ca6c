"""The admin pages of conversations, rooms, workers, echoes and interactions."""

from conversations.admin.conversation import ConversationAdmin
from conversations.admin.outbox import EchoAdmin, InteractionAdmin
from conversations.admin.rooms import RoomAdmin, WorkerAdmin

__all__ = ["ConversationAdmin", "EchoAdmin", "InteractionAdmin", "RoomAdmin", "WorkerAdmin"]
