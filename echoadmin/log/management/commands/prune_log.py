"""`manage.py prune_log`: delete entries past their age, as LOG_KEEP_DAYS… say; their leaves stay, signed."""

from __future__ import annotations

import getpass
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from echoadmin.actors import Actor
from echoadmin.log.keeping.leases import Busy, Lost
from echoadmin.log.keeping.pruning import Outcome, prune, would_prune
from echoadmin.log.proof.signing import BadSigningKey


class Command(BaseCommand):
    help = "Prune the log by age (LOG_KEEP_DAYS, LOG_KEEP_DAYS_PRESENCE, …). Conversations on hold are left alone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count what would go")
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            self._tell(would_prune(), "would go", options["json"])
            return
        told = 0

        def progress(entries: int) -> None:
            nonlocal told
            if entries - told >= 10_000:
                told = entries
                self.stderr.write(f"{entries:,} entries so far")

        try:
            outcomes = prune(actor=Actor(name=getpass.getuser(), source="command"), progress=progress)
        except (Busy, Lost, BadSigningKey) as reason:
            raise CommandError(str(reason)) from reason
        self._tell(outcomes, "are gone", options["json"])

    def _tell(self, outcomes: list[Outcome], went: str, as_json: bool) -> None:
        if as_json:
            rules = [{"rule": one.rule, "entries": one.entries, "streams": len(one.streams)} for one in outcomes]
            self.stdout.write(json.dumps({"rules": rules, "dry_run": went == "would go"}))
            return
        for outcome in outcomes:
            self.stdout.write(f"{outcome.rule}: {outcome.entries:,} entries of {len(outcome.streams):,} streams {went}")
        if not outcomes:
            self.stdout.write("nothing is pruned: set LOG_KEEP_DAYS, or LOG_KEEP_DAYS_PRESENCE and the like")
