"""`manage.py end_conversation ID`: end it at Tavus, which stops its clock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandParser

from conversations.management.told import one, summary, told
from conversations.services import mirroring
from echoadmin.actors import Actor
from echoadmin.json_commands import JsonCommand


class Command(JsonCommand):
    help = "End a conversation at Tavus: it costs nothing more. One that has ended stays as it is."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("conversation", metavar="ID", help="ours or Tavus's")

    def act(self, actor: Actor, options: dict[str, Any]) -> dict[str, Any]:
        conversation = mirroring.end_conversation(actor=actor, conversation=one(options["conversation"]))
        return told(one(conversation.public_id))

    def lines(self, data: Any) -> Iterable[str]:
        yield f"{summary(data)}  {data['seconds']} s"
