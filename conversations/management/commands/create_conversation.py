"""`manage.py create_conversation --persona ID [--join]`: a conversation at Tavus, paid from here on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandParser

from conversations.management.told import one, told, until_joined
from conversations.services import mirroring
from echoadmin.actors import Actor
from echoadmin.json_commands import JsonCommand, json_object


class Command(JsonCommand):
    help = "Create a conversation at Tavus: its clock, and its price, run from here on. End it with end_conversation."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--persona", required=True, metavar="ID", help="ours or Tavus's")
        parser.add_argument("--replica", default="", metavar="ID", help="instead of the persona's own")
        parser.add_argument("--name", default="")
        parser.add_argument("--join", action="store_true", help="a worker enters its room")
        parser.add_argument("--wait", type=float, default=0, metavar="S", help="until it is joined, at most so long")
        parser.add_argument("--body", type=json_object, default={}, metavar="JSON", help="more of Tavus's fields")

    def act(self, actor: Actor, options: dict[str, Any]) -> dict[str, Any]:
        named = {"persona_id": "persona", "replica_id": "replica", "conversation_name": "name"}
        body = {field: options[name] for field, name in named.items() if options[name]}
        join = options["join"] or options["wait"] > 0
        made = mirroring.create_conversation(actor=actor, body={**body, **options["body"]}, join=join)
        if options["wait"] > 0:
            until_joined(made.public_id, options["wait"])
        return told(one(made.public_id))

    def lines(self, data: Any) -> Iterable[str]:
        yield f"{data['id']}  {data['conversation_id']}  {data['conversation_url']}  room {data['room']['state']}"
        yield from (f"note: {words}" for words in data["warnings"])
