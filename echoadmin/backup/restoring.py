"""A backup becomes a database again. Nothing runs on it before it has come to rest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader

from echoadmin.accounts.recording import record
from echoadmin.actors import Actor
from echoadmin.backup import databases, keys, manifest
from echoadmin.backup.making import heads
from echoadmin.backup.manifest import BadBackup

Rest = Callable[[], dict[str, int]]
"""Brings what was under way to an end, in the open transaction; returns how much of each."""


def restore(
    *, actor: Actor, folder: Path, come_to_rest: Rest, passphrase: str = "", other_keys: bool = False
) -> dict[str, Any]:
    """The database and the spools of the backup, in this empty installation; returns the manifest, and as `rest` what
    was brought to an end. other_keys: go on though the keys here are others.

    Raises BadBackup, OtherKeys, NotEmpty, NoProgram, OSError. After a failure the database is still empty, or refuses
    to be used: restore into another.
    """
    told = manifest.read(folder)
    _refuse_what_does_not_fit(told)
    databases.refuse_unless_empty()
    brought = [] if other_keys else keys.bring_back(folder, told["keys"], passphrase)
    databases.put_back(folder)
    _compare_heads(folder)
    call_command("migrate", interactive=False, verbosity=0)
    _put_spools_back(folder / manifest.SPOOL)
    with transaction.atomic():
        rest = come_to_rest()
        databases.finish()
        facts = {"made_at": told["made_at"], "entries": told["entries"], "version": told["version"], "ended": rest}
        record("installation.restored", actor, facts)
    return {**told, "rest": rest, "keys_brought": brought}


def _refuse_what_does_not_fit(told: dict[str, Any]) -> None:
    _refuse_other_mode(told["mode"], settings.MODE)
    if told["engine"] != connection.vendor:
        ways = "unset DATABASE_URL" if told["engine"] == "sqlite" else "give an empty PostgreSQL as DATABASE_URL"
        raise BadBackup(f"the backup is of {told['engine']}, and this database is {connection.vendor}: {ways}")
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    if newer := sorted(set(told["migrations"]) - known):
        raise BadBackup(f"the backup was made by version {told['version']}, which is newer ({newer[0]}); restore there")


def _refuse_other_mode(told: str, ours: str) -> None:
    if told != ours:
        raise BadBackup(f"the backup is of the {told} mode; set ECHOADMIN_MODE={told}")


def _compare_heads(folder: Path) -> None:
    with (folder / manifest.HEADS).open(encoding="ascii") as file:
        kept = [json.loads(line) for line in file]
    if kept != list(heads(databases.ask)):
        raise BadBackup("the log of the restored database does not end where the backup's did")


def _put_spools_back(spools: Path) -> None:
    """The first worker that starts here takes them in."""
    to = Path(settings.DATA) / "spool"
    for path in sorted(spools.glob("*")):
        to.mkdir(mode=0o700, exist_ok=True)
        shutil.copyfile(path, to / path.name)
