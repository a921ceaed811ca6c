"""When the database's guards are made, and who notices that they are gone."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError, connections
from django.db.migrations.recorder import MigrationRecorder

from echoadmin.actors import SYSTEM
from echoadmin.log.models import Entry, Kind, Stream
from echoadmin.log.proof import triggers
from echoadmin.log.writer import Draft, append

logger = logging.getLogger(__name__)

FIRST = ("log", "0002_proof_and_keeping")  # from this migration on there are guards
RESTORED = "log.guards_restored"


def after_migrate(sender: AppConfig, using: str, **kwargs: Any) -> None:
    """Makes the guards that are missing. If no migration can have dropped them, the log tells that they were gone."""
    made = triggers.install(using)
    by_migration = any(migration.app_label == "log" for migration, _ in kwargs.get("plan") or ())
    if not made or by_migration or not Entry.objects.using(using).exists():
        return
    logger.warning("the database's guards were missing and were put back: %s", ", ".join(made))
    append([Draft(Stream.ACCOUNT, Kind.OPERATOR, RESTORED, actor=SYSTEM.name, message={"guards": made})])


@register(Tags.database)
def guards_are_there(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """A database without its guards takes changes to the log from anybody."""
    if "default" not in (databases or ()):
        return []
    try:
        if FIRST not in MigrationRecorder(connections["default"]).applied_migrations():
            return []  # migrating makes them
        missing = triggers.missing()
    except DatabaseError:
        return []  # another check says that the database does not answer
    if not missing:
        return []
    return [
        Error(
            f"The log's guards are not as they should be: {', '.join(missing)}.",
            hint="Entries could have been changed since. Look with `manage.py verify_log`, and find out who took the "
            "guards away; `manage.py migrate --skip-checks` puts them back and says so in the log.",
            id="echoadmin.E007",
        )
    ]
