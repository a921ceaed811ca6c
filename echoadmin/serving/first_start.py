"""What a database needs before the console can use it: its tables, its stamp, somebody who can log in."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from echoadmin import installation

_LOCK = 0x6563686F  # PostgreSQL's advisory lock of whoever prepares this database


def prepare(mode: str) -> str | None:
    """Bring the database up to date and stamp it; returns the password of the `admin` login when it was just made.

    Several consoles may start at once on one PostgreSQL: one does it, the others wait. Raises installation.WrongMode.
    """
    installation.refuse_other_mode(mode)
    with _one_at_a_time():
        if unapplied_migrations():
            call_command("migrate", interactive=False, verbosity=0)
        installation.stamp(mode)
        return make_first_login()


def unapplied_migrations() -> list[str]:
    """Names of the migrations that this code has and the database lacks."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def make_first_login() -> str | None:
    """The user `admin` with a random password, where there is no user at all; returns that password."""
    users = get_user_model()
    with transaction.atomic():
        if users.objects.exists():
            return None
        password = secrets.token_urlsafe(12)
        users.objects.create_superuser("admin", password=password)
    return password


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    if connection.vendor != "postgresql":
        yield  # SQLite: one console alone, which its lease sees to
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
