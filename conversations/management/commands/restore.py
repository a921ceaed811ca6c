"""`manage.py restore FOLDER`: a backup into an empty database and data folder."""

from __future__ import annotations

import getpass
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection

from conversations.resting import come_to_rest
from echoadmin.actors import Actor
from echoadmin.backup.databases import NoProgram, NotEmpty
from echoadmin.backup.keys import OtherKeys
from echoadmin.backup.manifest import BadBackup
from echoadmin.backup.restoring import restore
from echoadmin.log.proof.signing import BadSigningKey

REFUSALS = (BadBackup, OtherKeys, NotEmpty, NoProgram, BadSigningKey, DatabaseError, OSError)


class Command(BaseCommand):
    help = (
        "Restore a backup into an empty ECHOADMIN_DATA folder or DATABASE_URL and verify its log. What was queued or "
        "being said is not said again, no room is joined, and nothing outside is reached until manage.py wake."
    )
    requires_system_checks = []  # they are about a database that is in use

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="a folder that manage.py backup made")
        parser.add_argument(
            "--other-keys", action="store_true",
            help="the keys are lost: go on with others; what they sealed stays unreadable",
        )  # fmt: skip
        parser.add_argument("--no-verify", action="store_true", help="verify the log later, with manage.py verify_log")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            told = restore(
                actor=Actor(name=getpass.getuser(), source="command"), folder=options["folder"].absolute(),
                come_to_rest=come_to_rest, passphrase=settings.BACKUP_PASSPHRASE, other_keys=options["other_keys"],
            )  # fmt: skip
        except REFUSALS as reason:
            raise CommandError(str(reason)) from reason
        connection.close()
        for name in told["keys_brought"]:
            self.stdout.write(f"{name} is that of the backup")
        ended = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in told["rest"].items())
        self.stdout.write(f"restored as of {told['made_at']}: {told['entries']:,} entries; brought to an end: {ended}")
        self.stdout.write("It is at rest. When the original is gone for good: manage.py wake")
        if not options["no_verify"]:
            self._verify()

    def _verify(self) -> None:
        """In a process of its own: the keys may have changed under this one."""
        self.stdout.flush()
        done = subprocess.run([sys.executable, str(settings.BASE_DIR / "manage.py"), "verify_log"], check=False)
        if done.returncode:
            raise CommandError("the log is not as it was written; what was found stands above", returncode=1)
