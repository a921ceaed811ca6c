"""`manage.py list_conversations [--active]`: the conversations, newest first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandParser

from conversations.api.conversations import rows
from conversations.management.told import summary, told
from echoadmin.actors import Actor
from echoadmin.json_commands import JsonCommand


class Command(JsonCommand):
    help = "List conversations, newest first, as this console knows them; `sync` asks Tavus."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--active", action="store_true", help="only those whose clock runs")
        parser.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (50)")

    def act(self, actor: Actor, options: dict[str, Any]) -> Iterable[dict[str, Any]]:
        found = rows().order_by("-id")
        if options["active"]:
            found = found.filter(status="active", state="live")
        return (told(conversation) for conversation in found[: max(1, options["limit"])])

    def lines(self, data: Any) -> Iterable[str]:
        yield summary(data)
