"""`manage.py prove_log FILE`: what verify_export.py needs beside an export, to verify it with no database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from echoadmin.log.proof.lines import proof_lines


class Command(BaseCommand):
    help = "Write keys, checkpoints and the leaves of pruned entries to FILE, for verify_export.py."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--stream", action="append", metavar="CV", help="only for this one; can be given again")
        parser.add_argument(
            "--leaves", action="store_true", help="the leaves of all entries too: for an export with a filter"
        )
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        count = 0
        try:
            with options["file"].open("x", encoding="ascii") as file:
                for line in proof_lines(options["stream"], options["leaves"]):
                    file.write(line + "\n")
                    count += 1
        except FileExistsError:
            raise CommandError(f"{options['file']} is there already; give another file, or take it away") from None
        except OSError as error:
            raise CommandError(f"{options['file']} can't be written: {error.strerror}") from error
        told = json.dumps({"file": str(options["file"]), "lines": count})
        self.stdout.write(told if options["json"] else f"{count} lines in {options['file']}")
