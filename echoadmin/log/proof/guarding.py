"""When the database's guards are made."""

from __future__ import annotations

import logging
from typing import Any

from django.apps import AppConfig

from echoadmin.actors import SYSTEM
from echoadmin.log.models import Entry, Kind, Stream
from echoadmin.log.proof import triggers
from echoadmin.log.writer import Draft, append

logger = logging.getLogger(__name__)

RESTORED = "log.guards_restored"


def after_migrate(sender: AppConfig, using: str, **kwargs: Any) -> None:
    """Makes the guards that are missing. If no migration can have dropped them, the log tells that they were gone."""
    made = triggers.install(using)
    by_migration = any(migration.app_label == "log" for migration, _ in kwargs.get("plan") or ())
    if not made or by_migration or not Entry.objects.using(using).exists():
        return
    logger.warning("the database's guards were missing and were put back: %s", ", ".join(made))
    append([Draft(Stream.ACCOUNT, Kind.OPERATOR, RESTORED, actor=SYSTEM.name, message={"guards": made})])
