"""What the conversation's page starts with, and what a look at it answers: how it stands, and its newest echoes."""

from __future__ import annotations

from typing import Any

from conversations.models import Conversation
from conversations.serializers import echo_dict
from conversations.standing import standing

SHOWN = 40  # echoes on the page; the rest are under Echoes


def page_state(conversation: Conversation) -> dict[str, Any]:
    """How it stands as the WebSocket tells it, and the newest echoes, newest first, as the API has them."""
    echoes = conversation.echoes.select_related("conversation", "again_of").order_by("-position")[:SHOWN]
    return {**standing(conversation), "echoes": [echo_dict(echo) for echo in echoes]}
