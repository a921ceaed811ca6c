"""The text index on PostgreSQL: a narrow table for entries with words, one of facets for all of them, GIN over both.

Two ways lead to the newest hits: reading the newest rows one by one until there are enough (right for what is common),
and asking the GIN index for all hits and sorting their ids (right for what is rare). The planner guesses between them
and is wrong by a factor of a hundred at times, so here a first look at the newest rows decides.
"""

from __future__ import annotations

from collections.abc import Sequence

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
LONGEST_PROBE = 60_000  # of the second one
FEWEST = 4  # hits in the first look for a second one to be tried
LAST_POSITION = 16_383  # of a word in a tsvector


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
    table, condition, params = _condition(query)
    rows = 0 if at_once else PROBE
    found: list[int] = []
    while rows:
        seen, found = _probe(cursor, (table, condition, params), (low, high), (rows, limit), newest_first)
        if len(found) >= limit or seen < rows:
            return found
        needed = rows * limit // max(len(found), 1) * 3 // 2
        rows = needed if rows == PROBE and len(found) >= FEWEST and needed <= LONGEST_PROBE else 0
    order = "DESC" if newest_first else "ASC"
    # OFFSET 0 keeps the planner from walking the ids in their order.
    cursor.execute(
        f"SELECT id FROM (SELECT id FROM {table} WHERE {condition} AND id >= %s AND id < %s OFFSET 0) AS hits"
        f" ORDER BY id {order} LIMIT {int(limit)}",
        [*params, low, high],
    )
    return [row[0] for row in cursor.fetchall()]


def _probe(
    cursor: CursorWrapper,
    wanted: tuple[str, str, list[object]],
    bounds: tuple[int, int],
    sizes: tuple[int, int],
    newest_first: bool,
) -> tuple[int, list[int]]:
    """Of the first `sizes[0]` rows: how many there are, and the first `sizes[1]` ids that fit."""
    table, condition, params = wanted
    order = "DESC" if newest_first else "ASC"
    cursor.execute(
        f"WITH newest AS MATERIALIZED (SELECT * FROM {table} WHERE id >= %s AND id < %s ORDER BY id {order}"
        f" LIMIT {int(sizes[0])}) SELECT (SELECT count(*) FROM newest),"
        f" ARRAY(SELECT id FROM newest WHERE {condition} ORDER BY id {order} LIMIT {int(sizes[1])})",
        [*bounds, *params],
    )
    seen, found = cursor.fetchone()
    return seen, found


def _condition(query: Query) -> tuple[str, str, list[object]]:
    conditions: list[str] = []
    params: list[object] = []
    if query.phrases:
        conditions.append("said @@ %s::tsquery")
        params.append(" & ".join(_phrase(phrase) for phrase in query.phrases))
    if query.facets:
        conditions.append("facets @> %s::bigint[]")
        params.append(sorted(query.facets))
    return "log_words" if query.phrases else "log_facets", " AND ".join(conditions), params


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
