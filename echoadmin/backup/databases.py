"""One consistent copy of the database while everything writes to it, and its way back into an empty one."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from psycopg.conninfo import make_conninfo

from echoadmin.backup.manifest import DATABASE, BadBackup
from echoadmin.installation import UNFINISHED

Ask = Callable[[str], Iterable[tuple[Any, ...]]]
"""An SQL query → its rows, as they are in the copy."""

_LIBPQ = ("sslmode", "sslrootcert", "sslcert", "sslkey", "service", "target_session_attrs")


class NotEmpty(RuntimeError):
    """Something is there already, and is not overwritten."""


class NoProgram(RuntimeError):
    """pg_dump or pg_restore is missing, or failed; the message has its words."""


def copy_into(folder: Path) -> Callable[[], Any]:
    """A context manager: inside, the copy lies in the folder, and what it yields asks the copy's very state."""
    path = folder / DATABASE[connection.vendor]
    return lambda: _of_sqlite(path) if connection.vendor == "sqlite" else _of_postgresql(path)


@contextmanager
def _of_sqlite(path: Path) -> Iterator[Ask]:
    """By SQLite's online backup (sqlite.org/backup.html): in one step, from one state; writers go on meanwhile."""
    with closing(sqlite3.connect(path)) as target:
        with closing(sqlite3.connect(f"file:{_file()}?mode=ro", uri=True, timeout=30)) as source:
            source.backup(target, pages=-1)
        target.execute("PRAGMA journal_mode=DELETE")  # one file, without a log of its own
        yield target.execute
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def _of_postgresql(path: Path) -> Iterator[Ask]:
    """By pg_dump, from a snapshot that is held open here (postgresql.org/docs/15/app-pgdump.html, --snapshot)."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # a large database takes its time
        cursor.execute("SELECT pg_export_snapshot()")
        snapshot = cursor.fetchone()[0]
        _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={path}")

        def ask(query: str) -> Iterator[tuple[Any, ...]]:
            cursor.execute(query)
            yield from cursor

        yield ask


def refuse_unless_empty() -> None:
    """Raise NotEmpty where the database has tables, or the data folder spools."""
    if connection.introspection.table_names():
        where = connection.settings_dict["NAME"]
        raise NotEmpty(f"the database {where} is not empty; restore into a new ECHOADMIN_DATA folder or database")
    if any((Path(settings.DATA) / "spool").glob("*")):
        raise NotEmpty(f"{settings.DATA}/spool holds entries of another database; restore into a new folder")


def put_back(folder: Path) -> None:
    """The copy becomes the database, marked as unfinished: nothing starts on it until `finish`. Raises NoProgram."""
    path = folder / DATABASE[connection.vendor]
    if connection.vendor == "sqlite":
        connection.close()
        beside = _file().with_name(_file().name + ".restoring")
        shutil.copyfile(path, beside)
        with closing(sqlite3.connect(beside)) as copy:
            if copy.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise BadBackup(f"SQLite finds {path} damaged")
            copy.execute(f"CREATE TABLE {UNFINISHED} (id integer)")
            copy.commit()
        beside.replace(_file())
        return
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {UNFINISHED} (id integer)")
    try:
        _run("pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", str(path))
    except NoProgram:
        finish()  # nothing came: it is as empty as before
        raise


def finish() -> None:
    """From here on it may be used. Call it in the transaction that brought it to rest."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {UNFINISHED}")


def ask(query: str) -> Iterator[tuple[Any, ...]]:
    """The restored database."""
    with connection.cursor() as cursor:
        cursor.execute(query)
        yield from cursor.fetchall()


def _file() -> Path:
    return Path(connection.settings_dict["NAME"])


def _run(program: str, *arguments: str) -> None:
    """With the password in the environment, where other users of this machine can't read it."""
    known = settings.DATABASES["default"]
    where = {"host": known["HOST"], "port": known["PORT"], "user": known["USER"], "dbname": known["NAME"]}
    more = {name: known["OPTIONS"][name] for name in _LIBPQ if known["OPTIONS"].get(name)}
    conninfo = make_conninfo(**{name: str(value) for name, value in {**where, **more}.items() if value})
    environment = {**os.environ, **({"PGPASSWORD": known["PASSWORD"]} if known["PASSWORD"] else {})}
    try:
        done = subprocess.run(
            [program, f"--dbname={conninfo}", *arguments], env=environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise NoProgram(f"{program} is not there; install PostgreSQL's client programs (postgresql-client)") from error
    if done.returncode:
        raise NoProgram(f"{program} failed: {done.stderr.strip()[-2000:]}")
