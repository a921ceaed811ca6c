"""Search: words that were said and values in messages, behind one interface for both databases.

The index follows the log (echoadmin.log.index): what was written in the last seconds is not in it yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from echoadmin.log.index.following import Follower, reached
from echoadmin.log.search import postgresql, sqlite
from echoadmin.log.search.query import LONGEST_QUERY, Query, QueryError, marked, parse
from echoadmin.log.search.rows import COLUMNS, FACETS, Indexed, indexed
from echoadmin.log.search.words import facet

__all__ = ["LONGEST_QUERY", "SEARCH", "Query", "QueryError", "Search", "indexed_up_to", "marked", "parse"]

NAME = "search"


def _engine(cursor: CursorWrapper) -> Any:
    return postgresql if cursor.db.vendor == "postgresql" else sqlite


@dataclass(frozen=True, slots=True)
class Search:
    """A query, and the filters beside it as far as the index knows them."""

    query: Query

    def beside(self, filters: Mapping[str, Any]) -> Search:
        """The same, narrowed down. What the index does not know is left for the database to check."""
        known = {facet(name, str(filters[name])) for name in (*FACETS, "conversation") if name in filters}
        if filters.get("is_error") is True:
            known.add(facet("is_error", "true"))
        return Search(replace(self.query, facets=self.query.facets | known))

    def ids(self, low: int, high: int, limit: int, *, newest_first: bool, at_once: bool = False) -> list[int]:
        """The first ids with low <= id < high that fit. `at_once`: more than a page was asked for before."""
        with connection.cursor() as cursor:
            found: list[int] = _engine(cursor).find(
                cursor, self.query, low, high, limit, newest_first=newest_first, at_once=at_once
            )
        return found


def indexed_up_to() -> int:
    """The id up to which every entry can be found."""
    return reached(NAME)


def _read(rows: Sequence[tuple[Any, ...]]) -> list[Indexed]:
    return [indexed(row) for row in rows]


def _store(cursor: CursorWrapper, rows: list[Indexed]) -> None:
    _engine(cursor).store(cursor, rows)


def _forget(cursor: CursorWrapper, rows: list[Indexed]) -> None:
    _engine(cursor).forget(cursor, rows)


def _empty(cursor: CursorWrapper) -> None:
    for statement in _engine(cursor).EMPTY:
        cursor.execute(statement)


SEARCH = Follower(NAME, COLUMNS, _read, _store, _forget, _empty)
