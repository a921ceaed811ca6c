"""`manage.py checkpoint_log`: sign where the log ends now, and export all checkpoints."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from echoadmin.log.models import SigningKey
from echoadmin.log.proof import checkpoints, signing


class Command(BaseCommand):
    help = "Sign where each stream of the log ends; a duty does it hourly. Keep an export where nobody can change it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--export", type=Path, metavar="FILE", help="write all checkpoints, as lines of JSON")
        parser.add_argument("--keys", action="store_true", help="only list the public keys that signed here")
        parser.add_argument("--json", action="store_true", help="the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["keys"]:
                self._list_keys(options["json"])
                return
            made = checkpoints.make_checkpoints()
        except signing.BadSigningKey as reason:
            raise CommandError(str(reason)) from reason
        if options["export"]:
            self._export(options["export"])
        if options["json"]:
            told = [{"number": row.number, "heads": row.heads, "sha256": bytes(row.sha256).hex()} for row in made]
            exported = str(options["export"]) if options["export"] else None
            self.stdout.write(json.dumps({"checkpoints": told, "exported": exported}))
            return
        for row in made:
            self.stdout.write(f"checkpoint {row.number}: {row.heads} streams, SHA-256 {bytes(row.sha256).hex()}")
        if not made:
            self.stdout.write("nothing has come since the last checkpoint")
        if options["export"]:
            path = options["export"]
            self.stdout.write(f"exported to {path}; verify_log --checkpoints {path} holds the log to it")

    def _export(self, path: Path) -> None:
        try:
            with path.open("w", encoding="ascii") as file:
                for line in checkpoints.exported():
                    file.write(line + "\n")
        except OSError as error:
            raise CommandError(f"{path} can't be written: {error}") from error

    def _list_keys(self, as_json: bool) -> None:
        current, trusted = signing.key_id(signing.public_key()), signing.trusted()
        keys = {row.key_id: bytes(row.public_key) for row in SigningKey.objects.order_by("id")}
        for key_id, public in {**keys, current: signing.public_key()}.items():
            mark = "in use" if key_id == current else "trusted" if key_id in trusted else "not trusted"
            told = {"key_id": key_id, "public_key": b64encode(public).decode(), "standing": mark}
            self.stdout.write(json.dumps(told) if as_json else "  ".join(told.values()))
