"""The admin pages of conversations, rooms, workers, echoes, interactions, gaps, scripts, and of money and slots."""

from conversations.admin.conversation import ConversationAdmin
from conversations.admin.gaps import GapAdmin
from conversations.admin.lines import SavedLineAdmin
from conversations.admin.outbox import EchoAdmin, InteractionAdmin
from conversations.admin.rooms import RoomAdmin
from conversations.admin.scripts import ScriptAdmin
from conversations.admin.webhooks import WebhookReceivedAdmin
from conversations.admin.workers import WorkerAdmin
from conversations.money.admin import BudgetAdmin, PriceAdmin
from conversations.slots.admin import SlotRequestAdmin

__all__ = [
    "BudgetAdmin",
    "ConversationAdmin",
    "EchoAdmin",
    "GapAdmin",
    "InteractionAdmin",
    "PriceAdmin",
    "RoomAdmin",
    "SavedLineAdmin",
    "ScriptAdmin",
    "SlotRequestAdmin",
    "WebhookReceivedAdmin",
    "WorkerAdmin",
]
