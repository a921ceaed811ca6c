"""`manage.py interrupt ID`: cancel what waits, and stop the replica."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from conversations.api.conversations import plain
from conversations.services import speaking
from conversations.waiting import wait_for
from echoadmin.actors import Actor
from echoadmin.json_commands import JsonCommand


class Command(JsonCommand):
    help = "Cancel what waits in a conversation and stop what its replica says."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("conversation", metavar="ID", help="ours or Tavus's")

    def act(self, actor: Actor, options: dict[str, Any]) -> dict[str, Any]:
        conversation = plain(options["conversation"])
        done = speaking.interrupt(actor=actor, conversation=conversation)

        def look() -> bool | None:
            done.interaction.refresh_from_db(fields=["ended_at", "result"])
            return done.interaction.ended_at is not None or None

        # without Redis the worker hears no bell of this process: it looks by itself
        wait_for(conversation.public_id, look, settings.INTERRUPT_DEADLINE + 1 + settings.LOOK_EVERY)
        result = done.interaction.result or {"interrupted": None, "confirmed": False}
        return {"cancelled": done.cancelled, **result}

    def lines(self, data: Any) -> Iterable[str]:
        what = data["interrupted"] or "nothing that was being said"
        yield f"interrupted {what}, {len(data['cancelled'])} cancelled" + ("" if data["confirmed"] else "; unconfirmed")
