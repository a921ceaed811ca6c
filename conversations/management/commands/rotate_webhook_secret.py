"""`manage.py rotate_webhook_secret`: a new secret in the address that Tavus reports to."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from conversations.webhooks import secrets
from echoadmin.actors import Actor

COMMAND = Actor(name="command line", source="command")


class Command(BaseCommand):
    """`manage.py rotate_webhook_secret [--at-once] [--json]`."""

    help = "Replace the secret in the address that Tavus's webhooks come to. The secret is not printed."

    def add_arguments(self, parser: CommandParser) -> None:
        """How soon the old one ends, and how the outcome is told."""
        parser.add_argument("--at-once", action="store_true", help="the old ones count no more: for one that leaked")
        parser.add_argument("--json", action="store_true", help="tell the outcome as one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate, and say until when the old secret counts."""
        until = secrets.rotate(actor=COMMAND, at_once=options["at_once"])
        if options["json"]:
            self.stdout.write(json.dumps({"at_once": options["at_once"], "old_counts_until": until.isoformat()}))
        elif options["at_once"]:
            self.stdout.write("New conversations use a new secret. No old one counts any more.")
        else:
            self.stdout.write(
                f"New conversations use a new secret. The old one counts until {until:%Y-%m-%d %H:%M} UTC, and as long "
                "as a conversation that was made with it lasts."
            )
