"""Entries by way of the text index: for words, and where several filters together have no index of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL
from django.db.models.sql.where import WhereNode

from echoadmin.log.models import Entry, EntryQuerySet
from echoadmin.log.search.following import engine, indexed_up_to
from echoadmin.log.search.query import Query
from echoadmin.log.search.rows import FACETS
from echoadmin.log.search.words import facet

MOST_IDS = 5_000  # asked of the index at once


class _InIndex(RawSQL):
    """`id IN (what the index finds)`: right everywhere, quick only where few entries fit."""


@dataclass(frozen=True, slots=True)
class Search:
    """What the index is asked for: the words, and the filters as far as it knows them. `asked`: by words, or values."""

    query: Query
    asked: bool
    low: int = 0  # of ids
    high: int = 2**63 - 1

    def beside(self, entries: EntryQuerySet, low: int | None, high: int | None) -> EntryQuerySet:
        """`entries` (which have low <= id < high) with the search beside its filters."""
        found = entries
        if self.asked:
            sql, params = engine(connection).in_sql(self.query)
            found = entries.filter(_InIndex(sql, params, output_field=BooleanField()))
        found.search = replace(self, low=low or 0, high=self.high if high is None else high)
        return found

    def read(self, entries: EntryQuerySet, low: int, high: int, limit: int, *, newest_first: bool) -> list[Entry]:
        """The first entries with low <= id < high, in order of their ids; whole, up to the newest that is indexed."""
        low, high = max(low, self.low), min(high, self.high, indexed_up_to() + 1)
        entries = _without_index(entries).order_by("-id" if newest_first else "id")
        rows: list[Entry] = []
        asked = limit
        while len(rows) < limit and low < high:
            ids = self._ids(low, high, asked, newest_first=newest_first, at_once=asked > limit)
            if ids:  # the filters once more: the index knows no times, and takes A and a for the same
                rows += entries.filter(id__in=ids)
            if len(ids) < asked:
                break
            low, high = (low, ids[-1]) if newest_first else (ids[-1] + 1, high)
            asked = min(asked * 4, MOST_IDS)
        return rows[:limit]

    def _ids(self, low: int, high: int, limit: int, *, newest_first: bool, at_once: bool) -> list[int]:
        with connection.cursor() as cursor:
            ids: list[int] = engine(connection).find(
                cursor, self.query, low, high, limit, newest_first=newest_first, at_once=at_once
            )
        return ids


def best_search(query: Query | None, filters: Mapping[str, Any]) -> Search | None:
    """How the index helps with these filters; None where one of the table's own indexes is all that it takes."""
    facets = {facet(name, _told(filters[name])) for name in (*FACETS, "conversation") if name in filters}
    if filters.get("is_error") is True:
        facets.add(facet("is_error", "true"))
    if query is not None:
        return Search(replace(query, facets=query.facets | facets), asked=True)
    # SQLite uses one index for a table, whatever it has; PostgreSQL combines them.
    if len(facets) > 1 and connection.vendor == "sqlite":
        return Search(Query((), frozenset(facets)), asked=False)
    return None


def _told(value: Any) -> str:
    return str(int(value) if not isinstance(value, str) and value == int(value) else value)


def _without_index(entries: EntryQuerySet) -> EntryQuerySet:
    entries = entries.all()
    entries.query.where = _pruned(entries.query.where)
    return entries


def _pruned(node: WhereNode) -> WhereNode:
    node = node.clone()
    children = [child for child in node.children if not isinstance(getattr(child, "lhs", child), _InIndex)]
    node.children = [_pruned(child) if isinstance(child, WhereNode) else child for child in children]
    return node
