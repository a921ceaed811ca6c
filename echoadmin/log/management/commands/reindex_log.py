"""`manage.py reindex_log`: make the text index and the roll-ups again from the entries."""

from __future__ import annotations

import json
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection

from echoadmin.log.heads import SafeHead, safe_head
from echoadmin.log.index.duties import FOLLOWERS
from echoadmin.log.index.following import Follower, advance, start_again

BATCH = 1_000  # entries in a transaction


class Command(BaseCommand):
    help = (
        "Make the text index and the roll-ups again. The console may run meanwhile: it finds what is in again already. "
        "Stopped, it is gone on with by the console itself."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        names = [follower.name for follower in FOLLOWERS]
        parser.add_argument("--only", choices=names, help="one of them (default: both)")
        parser.add_argument("--batch", type=int, default=BATCH, help=f"entries in a transaction (default: {BATCH:,})")
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        for follower in FOLLOWERS:
            if options["only"] in (None, follower.name):
                entries, seconds = self._again(follower, max(options["batch"], 1))
                told = json.dumps({"index": follower.name, "entries": entries, "seconds": round(seconds, 3)})
                words = f"{follower.name}: {entries:,} entries in {seconds:.1f} s ({connection.vendor})"
                self.stdout.write(told if options["json"] else words)

    def _safe(self) -> int:
        """Up to where nothing can appear any more; on a busy PostgreSQL that takes 5 s to know."""
        until = time.monotonic() + SafeHead.WAIT + 1
        while not (up_to := safe_head()) and time.monotonic() < until:
            time.sleep(0.2)
        return up_to

    def _again(self, follower: Follower, batch: int) -> tuple[int, float]:
        up_to = self._safe()
        start_again(follower)
        began = told = time.monotonic()
        taken = 0
        while count := advance(follower, up_to, batch):  # what comes meanwhile is the console's to take in
            taken += count
            if time.monotonic() - told > 5:
                told = time.monotonic()
                self.stderr.write(f"{follower.name}: {taken:,} entries, {taken / (told - began):,.0f} a second")
        return taken, time.monotonic() - began
