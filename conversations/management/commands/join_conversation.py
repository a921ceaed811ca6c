"""`manage.py join_conversation ID`: have a worker enter its room."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandParser

from conversations.management.told import one, summary, told, until_joined
from conversations.services import rooms
from echoadmin.actors import Actor
from echoadmin.json_commands import JsonCommand


class Command(JsonCommand):
    help = "Want a conversation's room joined; a worker does it within seconds."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("conversation", metavar="ID", help="ours or Tavus's")
        parser.add_argument("--wait", type=float, default=0, metavar="S", help="until it is, at most so long")

    def act(self, actor: Actor, options: dict[str, Any]) -> dict[str, Any]:
        conversation = one(options["conversation"])
        rooms.join(actor=actor, conversation=conversation)
        if options["wait"] > 0:
            until_joined(conversation.public_id, options["wait"])
        return told(one(conversation.public_id))

    def lines(self, data: Any) -> Iterable[str]:
        yield summary(data)
