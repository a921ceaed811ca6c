"""For system checks: which of an app's triggers a migrated database lacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.db import DatabaseError, connections
from django.db.migrations.recorder import MigrationRecorder


def lacking(databases: Sequence[str] | None, since: tuple[str, str], missing: Callable[[], list[str]]) -> list[str]:
    """Their names, where a check was asked to look at the database and migration `since` (app, name) was applied.

    None before that: migrating makes them. None where the database does not answer: another check says so.
    """
    if "default" not in (databases or ()):
        return []
    try:
        made = since in MigrationRecorder(connections["default"]).applied_migrations()
        return missing() if made else []
    except DatabaseError:
        return []
