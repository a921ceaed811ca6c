"""How the text index follows the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from echoadmin.log.index.following import After, Follower, reached
from echoadmin.log.search import pieces, postgresql, sqlite
from echoadmin.log.search.rows import COLUMNS, Indexed, indexed

NAME = "search"


def engine(connection: BaseDatabaseWrapper) -> Any:
    """The module that knows this database's text index."""
    return postgresql if connection.vendor == "postgresql" else sqlite


def indexed_up_to() -> int:
    """The id up to which every entry can be found."""
    return reached(NAME)


def _read(rows: Sequence[tuple[Any, ...]]) -> list[Indexed]:
    return [indexed(row) for row in rows]


def _store(cursor: CursorWrapper, rows: list[Indexed]) -> None:
    engine(cursor.db).store(cursor, rows)


def _forget(cursor: CursorWrapper, rows: list[Indexed]) -> None:
    engine(cursor.db).forget(cursor, rows)


def _empty(cursor: CursorWrapper) -> None:
    for statement in engine(cursor.db).EMPTY:
        cursor.execute(statement)


_tidy_pieces = pieces.Tidy()


def _tidy(after: After) -> bool:
    return connection.vendor == "sqlite" and _tidy_pieces(connection, after)


SEARCH = Follower(NAME, COLUMNS, _read, _store, _forget, _empty, _tidy)
