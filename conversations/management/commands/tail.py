"""`manage.py tail ID [--follow]`: a conversation's log."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import CommandParser

from conversations.api.conversations import plain
from conversations.waiting import wait_for
from echoadmin.actors import Actor
from echoadmin.json_commands import JsonCommand
from echoadmin.log import reader
from echoadmin.log.api import shown
from echoadmin.log.models import Entry

PAGE = 500
A_WHILE = 3600.0  # seconds


class Command(JsonCommand):
    help = "Print a conversation's log, oldest first; --follow goes on until Ctrl-C. With --json, one entry a line."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("conversation", metavar="ID", help="ours or Tavus's")
        parser.add_argument("--after", type=int, default=0, metavar="N", help="only entries with a higher number")
        parser.add_argument("--follow", action="store_true", help="and those that come")

    def act(self, actor: Actor, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
        stream, after = plain(options["conversation"]).public_id, options["after"]

        def more() -> list[Entry] | None:
            return reader.tail(stream, after, PAGE) or None

        while rows := wait_for(stream, more, A_WHILE if options["follow"] else 0) or options["follow"]:
            if isinstance(rows, list):
                yield from shown(rows, audio=False)
                after = rows[-1].n

    def lines(self, data: Any) -> Iterable[str]:
        way = {"in": "<-", "out": "->"}.get(data["direction"] or "", "  ")
        who = data["sender_name"] or data["sender"] or data["actor"] or ""
        body = json.dumps(data["message"])[:120] if data["message"] is not None else ""
        yield f"{data['n']:>6}  {data['at'][11:23]}  {way} {data['event_type'] or data['kind']:<44} {who}  {body}"
