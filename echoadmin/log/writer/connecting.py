"""The connection of a writer's thread: its own, so that it hears at once when the database is away."""

from __future__ import annotations

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

SILENT = 4_000  # ms without an answer from PostgreSQL's machine until a connection counts as broken


def own_connection() -> BaseDatabaseWrapper:
    """A new one, not out of the pool: who asks an empty pool waits ten seconds to hear that nobody answers."""
    connection = connections.create_connection(DEFAULT_DB_ALIAS)
    if connection.vendor == "postgresql":
        known = connection.settings_dict
        options = {name: value for name, value in known["OPTIONS"].items() if name != "pool"}
        connection.settings_dict = {**known, "OPTIONS": {**options, "tcp_user_timeout": SILENT}}
    return connection


def use_own_connection() -> None:
    """For this thread: also what guards do goes over it, in the writer's transaction."""
    connections[DEFAULT_DB_ALIAS] = own_connection()


def mend_pool() -> None:
    """The database is back: throws out of this process's pool what broke meanwhile, before a request gets it."""
    pool = getattr(connections.create_connection(DEFAULT_DB_ALIAS), "pool", None)
    if pool is not None:
        pool.check()
