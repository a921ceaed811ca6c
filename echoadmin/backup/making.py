"""Making a backup, while everything runs."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from echoadmin import __version__
from echoadmin.accounts.recording import record
from echoadmin.actors import Actor
from echoadmin.backup import databases, keys, manifest
from echoadmin.backup.databases import Ask, NotEmpty
from echoadmin.log.models import Stream

HEADS = f"SELECT public_id, last_n, last_digest FROM {Stream._meta.db_table} ORDER BY public_id"


def make_backup(*, actor: Actor, folder: Path, passphrase: str = "") -> dict[str, Any]:
    """Everything that was accepted before this call, in `folder`; returns the manifest. passphrase: seals the keys
    into it; without one they are only named.

    The spools come first: what leaves one of them is in the database by then, and what is in both is taken in once.
    Raises NotEmpty, NoProgram, BadSigningKey, OSError.
    """
    if folder.exists() and any(folder.iterdir()):
        raise NotEmpty(f"{folder} is not empty; give a new folder")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    record("installation.backed_up", actor, {"folder": str(folder), "keys": "sealed" if passphrase else "named"})
    _copy_spools(folder / manifest.SPOOL)
    if passphrase:
        keys.seal_into(folder, passphrase)
    made_at = datetime.now(UTC)
    with databases.copy_into(folder)() as ask:
        facts = _facts(ask, folder)
    return manifest.write(folder, {**facts, "made_at": made_at.isoformat(), "keys_sealed": bool(passphrase)})


def _copy_spools(to: Path) -> None:
    to.mkdir(mode=0o700)
    for path in sorted((Path(settings.DATA) / "spool").glob("*.spool")):
        with suppress(FileNotFoundError):  # it was taken in a moment ago: the database has it
            shutil.copyfile(path, to / path.name)


def _facts(ask: Ask, folder: Path) -> dict[str, Any]:
    streams = entries = 0
    with (folder / manifest.HEADS).open("x", encoding="ascii") as file:
        for line in heads(ask):
            streams, entries = streams + 1, entries + line["n"]
            file.write(json.dumps(line) + "\n")
    return {
        "version": __version__,
        "mode": settings.MODE,
        "engine": connection.vendor,
        "migrations": sorted(f"{app}.{name}" for app, name in ask("SELECT app, name FROM django_migrations")),
        "streams": streams,
        "entries": entries,
        "keys": {key.file: key.fingerprint for key in keys.in_use()},
    }


def heads(ask: Ask) -> Any:
    """Where each stream of the log ends: `{"stream", "n", "digest"}`, in the order of their ids."""
    for stream, n, digest in ask(HEADS):
        yield {"stream": stream, "n": n, "digest": bytes(digest).hex()}
