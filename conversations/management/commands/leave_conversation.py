"""`manage.py leave_conversation ID`: have its worker leave the room."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandParser

from conversations.management.told import one, summary, told
from conversations.services import rooms
from echoadmin.actors import Actor
from echoadmin.json_commands import JsonCommand


class Command(JsonCommand):
    help = "Want a conversation's room left. Tavus ends it participant_left_timeout seconds after the last one left."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("conversation", metavar="ID", help="ours or Tavus's")

    def act(self, actor: Actor, options: dict[str, Any]) -> dict[str, Any]:
        conversation = one(options["conversation"])
        rooms.leave(actor=actor, conversation=conversation)
        return told(one(conversation.public_id))

    def lines(self, data: Any) -> Iterable[str]:
        yield summary(data)
