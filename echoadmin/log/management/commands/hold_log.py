"""`manage.py hold_log`: put a conversation on legal hold, release it, or list the holds."""

from __future__ import annotations

import getpass
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from echoadmin.actors import Actor
from echoadmin.log.keeping.holds import HoldRefused, place_hold, release_hold
from echoadmin.log.models import Hold


class Command(BaseCommand):
    help = "Legal holds: of a conversation on hold nothing is pruned and nothing erased."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["place", "release", "list"])
        parser.add_argument("conversation", nargs="?", default="", help="our id: cv_…")
        parser.add_argument("--reason", default="", help="why; it is kept")
        parser.add_argument("--actor", default="", help="who asks for it (default: who runs this)")
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "list":
            self._list(options["json"])
            return
        change = place_hold if options["action"] == "place" else release_hold
        actor = Actor(name=options["actor"] or getpass.getuser(), source="command")
        try:
            change(conversation=options["conversation"], actor=actor, reason=options["reason"])
        except HoldRefused as reason:
            raise CommandError(str(reason)) from reason
        if options["json"]:
            on_hold = options["action"] == "place"
            self.stdout.write(json.dumps({"conversation": options["conversation"], "on_hold": on_hold}))
            return
        self.stdout.write(f"{options['conversation']}: {'on hold' if options['action'] == 'place' else 'released'}")

    def _list(self, as_json: bool) -> None:
        holds = list(Hold.objects.filter(released_at__isnull=True).order_by("placed_at"))
        if as_json:
            told = [
                {"conversation": hold.conversation_ref, "since": hold.placed_at.isoformat(), "by": hold.actor,
                 "reason": hold.reason}
                for hold in holds
            ]  # fmt: skip
            self.stdout.write(json.dumps({"holds": told}))
            return
        for hold in holds:
            self.stdout.write(
                f"{hold.conversation_ref}  since {hold.placed_at:%Y-%m-%d} by {hold.actor}: {hold.reason}"
            )
