"""What proof needs of a deployment: the database's guards, and a key to sign with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from echoadmin.log.proof import signing, triggers
from echoadmin.trigger_checks import lacking

Apps = Sequence[AppConfig] | None
FIRST = ("log", "0002_proof_and_keeping")  # from this migration on there are guards


@register()
def postgresql_needs_a_given_signing_key(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Hosts that each made a key of their own would not trust each other's checkpoints."""
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3") or settings.SIGNING_KEY_GIVEN:
        return []
    return [
        Error(
            "DATABASE_URL is set and ECHOADMIN_SIGNING_KEY is not.",
            hint="Give every process on this database the same ECHOADMIN_SIGNING_KEY (or ECHOADMIN_SIGNING_KEY_FILE): "
            "`openssl genpkey -algorithm ed25519`, or `openssl rand -base64 32`.",
            id="echoadmin.E008",
        )
    ]


@register()
def signing_key_can_be_read(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """A key that is none would be noticed an hour later, by a duty."""
    try:
        signing.trusted()
    except signing.BadSigningKey as reason:
        return [Error(f"{reason}.", id="echoadmin.E009")]
    return []


@register(Tags.database)
def guards_are_there(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """A database without its guards takes changes to the log from anybody."""
    missing = lacking(databases, FIRST, triggers.missing)
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
