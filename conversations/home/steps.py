"""The first steps of an empty console: persona, conversation, its room. None once something was said."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from conversations.models import Conversation, Echo, Wanted
from conversations.services.starting import suitable_persona
from conversations.standing import room_of
from echoadmin.read_only import address


def first_steps() -> list[dict[str, Any]]:
    """Each with its one button: `action` is pressed, `address` is opened."""
    if Echo.objects.exists():
        return []
    has_persona = suitable_persona() is not None
    rows = Conversation.objects.filter(status="active", state="live").select_related("room")
    newest = rows.order_by("-id").first()
    room = room_of(newest) if newest else None
    joined = room is not None and room.wanted == Wanted.JOINED
    steps: list[dict[str, Any]] = [
        {
            "words": "An echo persona: it says what it is sent, and nothing else. Costs nothing.",
            "button": "Make the persona",
            "action": reverse("admin:conversations_conversation_start_persona"),
            "done": has_persona or newest is not None,
        },
        {
            "words": "A conversation with it. Its clock, and its price, run from here on.",
            "button": "Make the conversation",
            "action": reverse("admin:conversations_conversation_start_conversation"),
            "done": newest is not None,
        },
        {"words": "Its room: once this console is in it, the replica says what you type.", "done": False},
    ]
    if newest is not None and joined:
        steps[2] |= {"button": "Say something", "address": address(newest)}
    elif newest is not None:
        where = reverse("admin:conversations_conversation_join", args=[newest.public_id])
        steps[2] |= {"button": "Join the room", "action": where}
    else:
        steps[2] |= {"button": "Join the room"}
    following = next(step for step in steps if not step["done"])
    following["next"] = True
    return steps
