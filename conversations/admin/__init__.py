"""The admin pages of conversations, rooms, workers, echoes, interactions, gaps and scripts."""

from conversations.admin.conversation import ConversationAdmin
from conversations.admin.gaps import GapAdmin
from conversations.admin.lines import SavedLineAdmin
from conversations.admin.outbox import EchoAdmin, InteractionAdmin
from conversations.admin.rooms import RoomAdmin
from conversations.admin.scripts import ScriptAdmin
from conversations.admin.workers import WorkerAdmin

__all__ = [
    "ConversationAdmin",
    "EchoAdmin",
    "GapAdmin",
    "InteractionAdmin",
    "RoomAdmin",
    "SavedLineAdmin",
    "ScriptAdmin",
    "WorkerAdmin",
]
