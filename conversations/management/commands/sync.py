"""`manage.py sync`: bring the mirror up to date with upstream, now."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from conversations.services import mirroring
from echoadmin.actors import Actor
from echoadmin.mirror.models import Mirrored
from echoadmin.mirror.syncing import SyncResult
from echoadmin.tavus.errors import TavusError
from personas import services

COMMAND = Actor(name="manage.py sync", source="command")
STEPS: dict[str, Callable[..., SyncResult]] = {
    "personas": services.sync_personas,
    "replicas": services.sync_replicas,
    "conversations": mirroring.sync_conversations,
}


class Command(BaseCommand):
    """Reads personas, replicas and conversations from upstream, and looks for creates whose answer was lost."""

    help = (
        "Bring personas, replicas and conversations up to date with upstream. Exits 1 when something stood in the way."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Which kinds; all without any."""
        parser.add_argument(
            "kinds", nargs="*", metavar="KIND", help=f"one or more of {', '.join(STEPS)}; all by default"
        )

        parser.add_argument("--json", action="store_true", help="the result as JSON, a line for each kind")

    def handle(self, *args: Any, **options: Any) -> None:
        """Sync each kind; the next is tried although one failed."""
        kinds = options["kinds"] or list(STEPS)
        if strangers := sorted(set(kinds) - set(STEPS)):
            raise CommandError(f"There is nothing called {strangers[0]} to sync; give some of: {', '.join(STEPS)}")
        failed = False
        for kind in kinds:
            try:
                result = STEPS[kind](actor=COMMAND)
            except TavusError as error:
                failed = True
                self.stderr.write(f"{kind}: {error.message} {error.way_out}")
                continue
            failed = failed or bool(result.problems)
            told = json.dumps({"kind": kind, **result.facts()})
            self.stdout.write(told if options["json"] else f"{kind}: {result}")
        self._resolve(kinds, options["json"])
        if failed:
            raise CommandError("not everything could be synced; see above")

    def _resolve(self, kinds: list[str], as_json: bool) -> None:
        """What was lost is looked for with the kinds that were asked for."""
        finders: dict[str, Callable[..., Iterable[Mirrored]]] = {
            "personas": services.resolve_unknown_personas,
            "conversations": mirroring.resolve_unknown,
        }
        for kind in kinds:
            if kind in finders:
                try:
                    found = finders[kind](actor=COMMAND)
                except TavusError as error:
                    raise CommandError(f"{kind}: {error.message} {error.way_out}") from error
                for row in found:
                    told = json.dumps({"kind": kind, "found": row.public_id})
                    words = f"{kind}: found {row.public_id}, whose answer had been lost"
                    self.stdout.write(told if as_json else words)
