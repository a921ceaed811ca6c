"""`manage.py backup FOLDER`: a copy of everything, while everything runs."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from echoadmin.actors import Actor
from echoadmin.backup.databases import NoProgram, NotEmpty
from echoadmin.backup.making import make_backup
from echoadmin.log.proof.signing import BadSigningKey


class Command(BaseCommand):
    help = (
        "Copy the database and the spools into a new folder, with a signed manifest; safe while consoles and workers "
        "run. With ECHOADMIN_BACKUP_PASSPHRASE the keys go with it, sealed; else they are only named."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="a folder that is not there yet, or empty")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"].absolute()
        passphrase = settings.BACKUP_PASSPHRASE
        try:
            actor = Actor(name=getpass.getuser(), source="command")
            made = make_backup(actor=actor, folder=folder, passphrase=passphrase)
        except (NotEmpty, NoProgram, BadSigningKey, DatabaseError, OSError) as reason:
            raise CommandError(str(reason)) from reason
        size = sum(file["bytes"] for file in made["files"].values())
        self.stdout.write(
            f"{folder}: {made['entries']:,} entries of {made['streams']:,} streams, {len(made['files'])} files, "
            f"{size:,} bytes"
        )
        if not passphrase:
            self.stdout.write("The keys are not in it. Keep ECHOADMIN_SECRET_KEY and ECHOADMIN_SIGNING_KEY elsewhere:")
            for name, fingerprint in made["keys"].items():
                self.stdout.write(f"  {name}  {fingerprint}")
