"""`manage.py create_persona "Ana" [--replica ID]`: a persona in echo mode at Tavus."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandParser

from echoadmin.actors import Actor
from echoadmin.json_commands import JsonCommand, json_object
from personas import services
from personas.serializers import PersonaSerializer


class Command(JsonCommand):
    help = "Create a persona at Tavus, in echo mode unless the body says otherwise. It costs nothing."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--replica", default="", metavar="ID", help="the replica that it has by default")
        parser.add_argument("--body", type=json_object, default={}, metavar="JSON", help="more of Tavus's fields")

    def act(self, actor: Actor, options: dict[str, Any]) -> dict[str, Any]:
        body = {"persona_name": options["name"], "pipeline_mode": "echo"}
        body |= {"default_replica_id": options["replica"]} if options["replica"] else {}
        made = services.create_persona(actor=actor, body={**body, **options["body"]})
        return dict(PersonaSerializer(made).data)

    def lines(self, data: Any) -> Iterable[str]:
        yield f"{data['id']}  {data['persona_id']}  {data['persona_name']}"
        yield from (f"note: {words}" for words in data["warnings"])
