"""Nothing of what was erased stays in SQLite's file: deleted rows are overwritten, and the text index is merged.

FTS5 only marks words as gone until its segments are merged; that is done here in steps of a few milliseconds. On
PostgreSQL it is VACUUM that frees the space, in its own time; write-ahead logs and backups are beyond both.
"""

from __future__ import annotations

import time

from django.db import connection
from django.db.backends.utils import CursorWrapper

TABLES = ("log_words", "log_facets")
PAGES = 64  # in a step
PAUSE = 0.02  # seconds


def overwrite_deleted() -> None:
    """From now on this connection overwrites with zeros what it deletes."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA secure_delete = ON")
            cursor.fetchall()


def merge_index() -> None:
    """Has the text index forget the words that it marked as gone."""
    if connection.vendor != "sqlite":
        return
    there = connection.introspection.table_names()
    for table in TABLES:
        if table in there:
            _step(table, -PAGES)  # a negative number begins to merge everything into one
            while _step(table, PAGES):
                time.sleep(PAUSE)


def _step(table: str, pages: int) -> bool:
    """Whether there is more to merge: FTS5 tells it by how many rows it changed."""
    with connection.cursor() as cursor:
        before = _changes(cursor)
        cursor.execute(f"INSERT INTO {table}({table}, rank) VALUES ('merge', %s)", [pages])
        return _changes(cursor) - before >= 2


def _changes(cursor: CursorWrapper) -> int:
    cursor.execute("SELECT total_changes()")
    return int(cursor.fetchone()[0])
