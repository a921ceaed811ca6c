"""Many rows by few statements.

Python's sqlite3 gives the interpreter's lock away for each row of an `executemany`, and in a process with many threads
waits up to 5 ms for it each time, with the database locked meanwhile; on PostgreSQL each row is a statement of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from django.db.backends.utils import CursorWrapper

SIZES = (64, 16, 4, 1)  # rows of a statement: few, so that each stays prepared


def insert(cursor: CursorWrapper, into: str, rows: Sequence[Sequence[Any]], then: str = "") -> None:
    """`INSERT INTO {into} VALUES (…), (…) {then}`, in the order of `rows`; values as the database's driver takes them.

    `into` is a table with its columns in parentheses, `then` what follows the values (ON CONFLICT …).
    """
    execute(cursor, f"INSERT INTO {into}", rows, then)


def execute(cursor: CursorWrapper, before: str, rows: Sequence[Sequence[Any]], then: str) -> None:
    """`{before} VALUES (…), (…) {then}`."""
    at, on_sqlite = 0, cursor.db.vendor == "sqlite"
    # Django would turn each of SQLite's placeholders, each time, into the one that Python's sqlite3 wants.
    run, holder = (cursor.db.connection.execute, "?") if on_sqlite else (cursor.execute, "%s")
    with cursor.db.wrap_database_errors:
        for size in SIZES:
            while len(rows) - at >= size:
                some = rows[at : at + size]
                run(_sql(before, holder, len(some[0]), size, then), [*chain.from_iterable(some)])
                at += size


@lru_cache(maxsize=256)
def _sql(before: str, holder: str, columns: int, rows: int, then: str) -> str:
    row = f"({', '.join([holder] * columns)})"
    return f"{before} VALUES {', '.join([row] * rows)} {then}"
