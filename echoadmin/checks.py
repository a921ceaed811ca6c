"""What a deployment must have, told at start: each message names the setting and the way out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, connections

from echoadmin import consoles
from echoadmin.installation import WrongMode, refuse_other_mode

Apps = Sequence[AppConfig] | None


@register()
def live_needs_a_key(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """The live mode without TAVUS_API_KEY could only fail, one call at a time."""
    if settings.MODE != "live" or settings.TAVUS_API_KEY:
        return []
    return [
        Error(
            "ECHOADMIN_MODE is live and TAVUS_API_KEY is not set.",
            hint="Set TAVUS_API_KEY (or TAVUS_API_KEY_FILE), or ECHOADMIN_MODE=sandbox to work without a key.",
            id="echoadmin.E001",
        )
    ]


@register()
def postgresql_needs_a_given_secret(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """A key made in one host's data folder would neither sign in nor unseal on another host."""
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3") or settings.SECRET_KEY_GIVEN:
        return []
    return [
        Error(
            "DATABASE_URL is set and ECHOADMIN_SECRET_KEY is not.",
            hint="Give every process on this database the same ECHOADMIN_SECRET_KEY (or ECHOADMIN_SECRET_KEY_FILE), "
            "50 random characters or more.",
            id="echoadmin.E002",
        )
    ]


@register()
def data_folder_takes_files(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """The database, certificates and the log's spool lie there."""
    data = Path(settings.DATA)
    unwritable = [path for path in (data, *data.glob("*.sqlite3*")) if not os.access(path, os.W_OK)]
    if data.is_dir() and not unwritable:
        return []
    return [
        Error(
            f"{unwritable[0] if unwritable else data} can't be written to.",
            hint="Change its owner, or give another folder with ECHOADMIN_DATA.",
            id="echoadmin.E003",
        )
    ]


@register()
def workers_without_redis(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Beside one console on the same host a worker finds its work by looking; it works, only later."""
    if settings.ROOMS != "worker" or settings.REDIS_URL:
        return []
    return [
        Warning(
            "ECHOADMIN_ROOMS is worker and REDIS_URL is not set: bells don't reach other processes.",
            hint=f"Workers then look every {settings.LOOK_EVERY:g} s. Set REDIS_URL to be told at once.",
            id="echoadmin.W001",
        )
    ]


@register(Tags.database)
def database_can_be_used(
    app_configs: Apps, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """It answers, belongs to this mode, and has one console, or Redis between several."""
    if "default" not in (databases or ()):
        return []
    try:
        refuse_other_mode(settings.MODE)
        return _several_consoles()
    except WrongMode as reason:
        return [Error(f"{reason}.", id="echoadmin.E004")]
    except DatabaseError as error:
        where = connections["default"].settings_dict["HOST"] or connections["default"].settings_dict["NAME"]
        says = f"The database at {where} does not answer: {error}"
        return [Error(says, hint="See DATABASE_URL.", id="echoadmin.E005")]


def _several_consoles() -> list[CheckMessage]:
    if settings.REDIS_URL or not consoles.known():
        return []
    if len(consoles.living_others()) < 2:
        return []
    return [
        Error(
            "Several consoles run on this database without Redis: what one does, the others miss.",
            hint="Set REDIS_URL for all of them, or stop all but one.",
            id="echoadmin.E006",
        )
    ]
