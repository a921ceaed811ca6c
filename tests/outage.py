"""A database that refuses everybody for a while: what each of the two does when it can't be written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import DatabaseError, connection, connections


@contextmanager
def database_away() -> Iterator[None]:
    """Until the end of the block nobody can write; the test's own connection still reads."""
    with _refusing_postgresql() if connection.vendor == "postgresql" else _locked_sqlite():
        yield


def own_connection_works() -> bool:
    """Whether the test's own connection does; a broken one is given back, for another. Requests may have changed it."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        connection.close()
        return False
    return True


@contextmanager
def _locked_sqlite() -> Iterator[None]:
    """Somebody else has the one lock: 'database is locked' after the timeout."""
    holder = connections.create_connection("default")
    try:
        with holder.cursor() as cursor:
            cursor.execute("BEGIN EXCLUSIVE")
        yield
        with holder.cursor() as cursor:
            cursor.execute("ROLLBACK")
    finally:
        holder.close()


@contextmanager
def _refusing_postgresql() -> Iterator[None]:
    """Every connection but the test's own is ended, and none is let in."""
    connection.ensure_connection()
    own, known = connection.connection.info.backend_pid, connection.settings_dict
    name = known["NAME"]
    server = psycopg.connect(
        host=known["HOST"], port=known["PORT"], user=known["USER"], password=known["PASSWORD"], dbname="postgres",
        autocommit=True,
    )  # fmt: skip
    with server:
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> %s", [name, own]
            )
            yield
        finally:
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            pool = getattr(connection, "pool", None)
            if pool is not None:
                pool.check()  # the next test gets none that was ended here
