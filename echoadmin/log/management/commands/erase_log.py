"""`manage.py erase_log`: make bodies, words and samples go, for good; the entries and the proof stay."""

from __future__ import annotations

import getpass
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from echoadmin.actors import Actor
from echoadmin.log.keeping.erasing import EraseRefused, Target, erase, would_erase
from echoadmin.log.keeping.holds import OnHold


class Command(BaseCommand):
    help = "Erase what was said by a sender, in an echo or in a conversation. It can't be undone."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--sender", metavar="ID", help="a participant's id in the room, as entries have it")
        which.add_argument("--echo", metavar="NUMBER", help="our echo's number, as entries have it")
        which.add_argument("--conversation", metavar="CV", help="our id: cv_…")
        parser.add_argument("--reason", default="", help="why; it is kept in the log")
        parser.add_argument("--actor", default="", help="who asks for it (default: who runs this)")
        parser.add_argument("--dry-run", action="store_true", help="only count what would go")
        parser.add_argument("--yes", action="store_true", help="don't ask")
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        of = next(name for name in ("sender", "echo", "conversation") if options[name] is not None)
        target = Target(of, options[of])  # type: ignore[arg-type]
        try:
            found = would_erase(target)
            said = f"{found.entries:,} entries of {len(found.streams):,} streams"
            if options["dry_run"] and options["json"]:
                counts = {"entries": found.entries, "streams": len(found.streams), "dry_run": True}
                self.stdout.write(json.dumps(counts))
                return
            if options["dry_run"]:
                self.stdout.write(f"{said} would lose what they say")
                return
            if not options["reason"].strip():
                raise CommandError("say why with --reason: it is kept in the log")
            if not options["yes"] and input(f"{said} lose what they say, for good. Go on? [y/N] ").lower() != "y":
                raise CommandError("nothing was erased")
            actor = Actor(name=options["actor"] or getpass.getuser(), source="command")
            done = erase(target=target, actor=actor, reason=options["reason"])
        except (EraseRefused, OnHold) as reason:
            raise CommandError(str(reason)) from reason
        if options["json"]:
            counts = {"entries": done.entries, "sample_bytes": done.sample_bytes, "dry_run": False}
            self.stdout.write(json.dumps(counts))
            return
        self.stdout.write(f"{done.entries:,} entries erased, with {done.sample_bytes:,} bytes of samples")
