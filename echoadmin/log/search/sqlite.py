"""The text index on SQLite: two FTS5 tables that hold no text themselves.

`log_words` has the entries with words, `log_facets` all of them (a table that knows no positions is a third of the
size). A rowid is the entry's id with a minus: FTS5 skips ahead in rising order only, and the newest are asked for most.
Tokens are made in Python, so the tokenizer only has to split at blanks.

Each transaction adds a piece to an FTS5 index, and pieces have to be merged: see echoadmin.log.search.pieces.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db.backends.utils import CursorWrapper

from echoadmin.log.many_rows import insert
from echoadmin.log.search.query import Phrase, Query
from echoadmin.log.search.rows import Indexed

CREATE = (
    "CREATE VIRTUAL TABLE log_words"
    " USING fts5(said, facets, content='', columnsize=0, prefix='2 3 4', tokenize='ascii')",
    "CREATE VIRTUAL TABLE log_facets USING fts5(facets, content='', columnsize=0, detail=none, tokenize='ascii')",
)
DROP = ("DROP TABLE IF EXISTS log_words", "DROP TABLE IF EXISTS log_facets")
EMPTY = (
    "INSERT INTO log_words(log_words) VALUES ('delete-all')",
    "INSERT INTO log_facets(log_facets) VALUES ('delete-all')",
)


def store(cursor: CursorWrapper, rows: Sequence[Indexed]) -> None:
    """Adds entries that are not in the index, oldest first."""
    rows = rows[::-1]  # FTS5 makes a new piece of its index whenever a rowid is lower than the one before
    insert(cursor, "log_facets(rowid, facets)", [(-row.id, _tokens(row.facets)) for row in rows])
    said = [(-row.id, " ".join(row.words), _tokens(row.facets)) for row in rows if row.words]
    insert(cursor, "log_words(rowid, said, facets)", said)


def forget(cursor: CursorWrapper, rows: Sequence[Indexed]) -> None:
    """Takes entries out, which must be given as they were put in: the tables hold no text to look that up in."""
    rows = sorted(rows, key=lambda row: -row.id)  # as in store()
    cursor.executemany(
        "INSERT INTO log_facets(log_facets, rowid, facets) VALUES ('delete', %s, %s)",
        [(-row.id, _tokens(row.facets)) for row in rows],
    )
    cursor.executemany(
        "INSERT INTO log_words(log_words, rowid, said, facets) VALUES ('delete', %s, %s, %s)",
        [(-row.id, " ".join(row.words), _tokens(row.facets)) for row in rows if row.words],
    )


def find(
    cursor: CursorWrapper, query: Query, low: int, high: int, limit: int, *, newest_first: bool, at_once: bool = False
) -> list[int]:
    """The ids with low <= id < high that fit, in order."""
    table, match = _match(query)
    order = "ASC" if newest_first else "DESC"
    cursor.execute(
        f"SELECT -rowid FROM {table} WHERE {table} MATCH %s AND rowid > %s AND rowid <= %s"
        f" ORDER BY rowid {order} LIMIT {int(limit)}",
        [match, -high, -low],
    )
    return [row[0] for row in cursor.fetchall()]


def in_sql(query: Query) -> tuple[str, list[str]]:
    """The condition that an entry is found, and its parameters."""
    table, match = _match(query)
    return f"log_entry.id IN (SELECT -rowid FROM {table} WHERE {table} MATCH %s)", [match]


def _match(query: Query) -> tuple[str, str]:
    """The table to look in, and what FTS5 is to look for: words are letters and digits alone, so nothing escapes."""
    facets = " AND ".join(f'"{facet:016x}"' for facet in sorted(query.facets))
    if not query.phrases:
        return "log_facets", facets
    said = f"said : ({' AND '.join(_phrase(phrase) for phrase in query.phrases)})"
    return "log_words", f"{said} AND facets : ({facets})" if facets else said


def _phrase(phrase: Phrase) -> str:
    return f'"{" ".join(phrase.words)}"{"*" if phrase.prefix else ""}'


def _tokens(facets: frozenset[int]) -> str:
    return " ".join([f"{facet:016x}" for facet in sorted(facets)])
