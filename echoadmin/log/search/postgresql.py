"""The text index on PostgreSQL: a narrow table for entries with words, one of facets for all of them, GIN over both.

Two ways lead to the newest hits: reading the newest rows one by one until there are enough (right for what is common),
and asking the GIN index for all hits and sorting their ids (right for what is rare). The planner guesses between them
and is wrong by a factor of a hundred at times, so here a first look at the newest rows decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.backends.utils import CursorWrapper

from echoadmin.log.search.query import Phrase, Query
from echoadmin.log.search.rows import Indexed

CREATE = (
    "CREATE TABLE log_words (id bigint PRIMARY KEY, said tsvector NOT NULL, facets bigint[] NOT NULL)",
    "CREATE TABLE log_facets (id bigint PRIMARY KEY, facets bigint[] NOT NULL)",
    # fastupdate would make inserting cheaper and, now and then, a search slow: it would have to read what is pending.
    "CREATE INDEX log_words_gin ON log_words USING gin (said, facets) WITH (fastupdate = off)",
    "CREATE INDEX log_facets_gin ON log_facets USING gin (facets) WITH (fastupdate = off)",
)
DROP = ("DROP TABLE IF EXISTS log_words", "DROP TABLE IF EXISTS log_facets")
EMPTY = ("TRUNCATE log_words, log_facets",)

PROBE = 4_000  # rows of the first look
LONGEST_PROBE = 20_000  # of the second one
FEWEST = 4  # hits in the first look for a second one to be tried
LAST_POSITION = 16_383  # of a word in a tsvector


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A query in SQL."""

    table: str
    condition: str
    params: list[Any]


def store(cursor: CursorWrapper, rows: Sequence[Indexed]) -> None:
    """Adds entries that are not in the index."""
    with cursor.copy("COPY log_facets (id, facets) FROM STDIN") as copy:
        for row in rows:
            copy.write_row((row.id, _array(row.facets)))
    with cursor.copy("COPY log_words (id, said, facets) FROM STDIN") as copy:
        for row in rows:
            if row.words:
                copy.write_row((row.id, _vector(row.words), _array(row.facets)))


def forget(cursor: CursorWrapper, rows: Sequence[Indexed]) -> None:
    """Takes entries out."""
    ids = [row.id for row in rows]
    cursor.execute("DELETE FROM log_facets WHERE id = ANY(%s)", [ids])
    cursor.execute("DELETE FROM log_words WHERE id = ANY(%s)", [ids])


def find(
    cursor: CursorWrapper, query: Query, low: int, high: int, limit: int, *, newest_first: bool, at_once: bool = False
) -> list[int]:
    """The ids with low <= id < high that fit, in order. `at_once` leaves out looking at the first rows."""
    wanted = _condition(query)
    rows = 0 if at_once else PROBE
    found: list[int] = []
    while rows:
        found += _probe(cursor, wanted, (low, high), (rows, limit - len(found)), newest_first)
        if len(found) >= limit:
            return found
        end = _end_of_probe(cursor, wanted.table, (low, high), rows, newest_first)
        if end is None:
            return found
        low, high = (low, end) if newest_first else (end + 1, high)
        needed = rows * limit // max(len(found), 1) * 3 // 2
        rows = needed if rows == PROBE and len(found) >= FEWEST and needed <= LONGEST_PROBE else 0
    return found + _all_by_index(cursor, wanted, (low, high), limit - len(found), newest_first)


def in_sql(query: Query) -> tuple[str, list[Any]]:
    """The condition that an entry is found, and its parameters."""
    wanted = _condition(query)
    return f"log_entry.id IN (SELECT id FROM {wanted.table} WHERE {wanted.condition})", wanted.params


def _probe(
    cursor: CursorWrapper, wanted: _Wanted, bounds: tuple[int, int], sizes: tuple[int, int], newest_first: bool
) -> list[int]:
    """The first `sizes[1]` ids that fit, of the first `sizes[0]` rows."""
    order = "DESC" if newest_first else "ASC"
    cursor.execute(
        f"SELECT id FROM (SELECT * FROM {wanted.table} WHERE id >= %s AND id < %s ORDER BY id {order}"
        f" LIMIT {int(sizes[0])}) AS newest WHERE {wanted.condition} ORDER BY id {order} LIMIT {int(sizes[1])}",
        [*bounds, *wanted.params],
    )
    return [row[0] for row in cursor.fetchall()]


def _end_of_probe(
    cursor: CursorWrapper, table: str, bounds: tuple[int, int], rows: int, newest_first: bool
) -> int | None:
    """The id of the last of so many rows; None where there are no more behind it."""
    order = "DESC" if newest_first else "ASC"
    cursor.execute(
        f"SELECT id FROM {table} WHERE id >= %s AND id < %s ORDER BY id {order} OFFSET {int(rows) - 1} LIMIT 1",
        list(bounds),
    )
    row = cursor.fetchone()
    return row[0] if row else None


def _all_by_index(
    cursor: CursorWrapper, wanted: _Wanted, bounds: tuple[int, int], limit: int, newest_first: bool
) -> list[int]:
    order = "DESC" if newest_first else "ASC"
    # OFFSET 0 keeps the planner from walking the ids in their order.
    cursor.execute(
        f"SELECT id FROM (SELECT id FROM {wanted.table} WHERE {wanted.condition} AND id >= %s AND id < %s OFFSET 0)"
        f" AS hits ORDER BY id {order} LIMIT {int(limit)}",
        [*wanted.params, *bounds],
    )
    return [row[0] for row in cursor.fetchall()]


def _condition(query: Query) -> _Wanted:
    conditions: list[str] = []
    params: list[Any] = []
    if query.phrases:
        conditions.append("said @@ %s::tsquery")
        params.append(" & ".join(_phrase(phrase) for phrase in query.phrases))
    if query.facets:
        conditions.append("facets @> %s::bigint[]")
        params.append(sorted(query.facets))
    return _Wanted("log_words" if query.phrases else "log_facets", " AND ".join(conditions), params)


def _phrase(phrase: Phrase) -> str:
    *first, last = [f"'{word}'" for word in phrase.words]  # letters and digits alone: nothing to escape
    joined = " <-> ".join([*first, f"{last}:*" if phrase.prefix else last])
    return f"({joined})"


def _vector(words: list[str]) -> str:
    """A tsvector's text, positions of words included."""
    places: dict[str, list[int]] = {}
    for at, word in enumerate(words, 1):
        places.setdefault(word, []).append(min(at, LAST_POSITION))
    return " ".join([f"'{word}':{','.join(map(str, at[:255]))}" for word, at in places.items()])


def _array(facets: frozenset[int]) -> str:
    return "{" + ",".join(map(str, sorted(facets))) + "}"
