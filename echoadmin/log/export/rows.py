"""Entries for export, block by block, as quick as the database gives them: no objects, values as text.

A block is one statement, so nothing is held open between two blocks, and an export can go on from any entry. What the
database can put together quicker than Python, it puts together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models.expressions import RawSQL

from echoadmin.log.models import Entry, EntryQuerySet

ROWS = 2_000  # in a block, at most
ROW_BYTES = 800  # about, without the body
BLOCK_BYTES = 4 * 1024 * 1024  # of bodies and rows, about: one body more than that at the most

Row = Sequence[Any]  # texts and numbers, None for NULL; first those of LEAD
LEAD = ("id", "n", "stream_id", "body", "erased_at", "clip_id", "clip_start", "clip_bytes")
ID, N, STREAM, BODY, ERASED, CLIP, CLIP_START, CLIP_BYTES = range(len(LEAD))
REPEATED = (  # texts that are the same in many entries
    *("kind", "direction", "event_type", "family", "sender", "sender_name"),
    *("conversation_ref", "persona_ref", "actor", "api_key_ref"),
)
_NUMBERS = ("echo_id", "epoch", "seq", "clip_start", "clip_bytes", "body_bytes")
_HASHES = ("body_sha256", "leaf", "digest")
_FLAGS = ("is_error", "late")
_ON_POSTGRESQL = {
    "hex": "encode(log_entry.{}, 'hex')",
    "moment": "to_char(log_entry.{} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
    "repeated": f"ARRAY[{', '.join(f'log_entry.{name}' for name in REPEATED)}]::text",
}
_ON_SQLITE = {
    "hex": "lower(hex(log_entry.{}))",
    "moment": "replace(log_entry.{0}, ' ', 'T') || CASE length(log_entry.{0}) WHEN 19 THEN '.000000Z' ELSE 'Z' END",
    "repeated": f"json_array({', '.join(f'log_entry.{name}' for name in REPEATED)})",
}
_FLAG = "CASE WHEN log_entry.{} THEN 'true' ELSE 'false' END"


def _said(how: str, name: str = "") -> str:
    """A column as SQL that gives its text."""
    texts = _ON_POSTGRESQL if connection.vendor == "postgresql" else _ON_SQLITE
    return {**texts, "flag": _FLAG}[how].format(name)


def column(name: str) -> Any:
    """A column for a row: times as the log's header has them, hashes in hexadecimal, flags as true and false."""
    how = "moment" if name in ("at", "erased_at") else "hex" if name in _HASHES else "flag" if name in _FLAGS else ""
    return RawSQL(_said(how, name), []) if how else name


def plain() -> Any:
    """What no text has to be escaped for, as the inside of a JSON object."""
    numbers = [f"'\"{name}\":' || coalesce(CAST(log_entry.{name} AS text), 'null')" for name in _NUMBERS]
    hashes = [f"'\"{name}\":\"' || {_said('hex', name)} || '\"'" for name in _HASHES]
    flags = [f"'\"{name}\":' || {_said('flag', name)}" for name in _FLAGS]
    return RawSQL(" || ',' || ".join(numbers + hashes + flags), [])


def repeated() -> Any:
    """The columns of REPEATED as one text, which head() reads."""
    return RawSQL(_said("repeated"), [])


@lru_cache(maxsize=1 << 14)
def head(stream: str, text: str) -> str:
    """The stream's public id and the columns of REPEATED as the inside of a JSON object."""
    values = _array(text) if text.startswith("{") else json.loads(text)
    named = zip(("stream", *REPEATED), (stream, *values), strict=True)
    return ",".join([f'"{name}":{quoted(value)}' for name, value in named])


def quoted(text: str | None) -> str:
    """A text as JSON."""
    return "null" if text is None else encode_basestring_ascii(text)


def _array(text: str) -> list[str | None]:
    """The texts in PostgreSQL's literal of an array: {one,"two, three",NULL}."""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|([^,{}"]+)', text, re.DOTALL)
    return [re.sub(r"\\(.)", r"\1", inside, flags=re.DOTALL) if bare == "" else _bare(bare) for inside, bare in found]


def _bare(text: str) -> str | None:
    return None if text == "NULL" else text


def blocks(
    entries: EntryQuerySet, after: int, until: int, columns: Sequence[Any], *, audio: bool = False
) -> Iterator[list[Row]]:
    """LEAD and `columns` of the entries with after < key <= until, ascending; the key is that of the filter's order.

    Where samples are not wanted, nothing is said of where they lie.
    """
    key = entries.key
    place = N if key == "n" else ID
    nothing = RawSQL("NULL", [])
    lead = [nothing if name.startswith("clip") and not audio else column(name) for name in LEAD]
    size = ROWS
    while True:
        wanted = _wanted(entries, after, until, size).values_list(*lead, *columns)
        rows, whole = _block(wanted.order_by(key)[:size])
        if not rows:
            return
        yield rows
        after = int(rows[-1][place])
        size = min(ROWS, size * 2) if whole else len(rows)


def _wanted(entries: EntryQuerySet, after: int, until: int, size: int) -> Any:
    """The next ones; of a search by the index's own way, since the same question in SQL is only right, not quick."""
    search = entries.search
    if search is None or not search.asked:
        return entries.filter(**{f"{entries.key}__gt": after, f"{entries.key}__lte": until})
    found = search.read(entries.only("id"), after + 1, until + 1, size, newest_first=False)
    return Entry.objects.filter(id__in=[entry.pk for entry in found])


def _block(wanted: Any) -> tuple[list[Row], bool]:
    """The first rows, and whether they are all: their bodies may be too long for one block."""
    try:
        sql, params = wanted.query.sql_with_params()
    except EmptyResultSet:  # a search that found nothing more
        return [], True
    rows: list[Row] = []
    size = 0
    with connection.cursor() as cursor, closing(_rows(cursor, sql, params)) as found:
        for row in found:
            if size > BLOCK_BYTES:
                return rows, False
            rows.append(row)
            size += ROW_BYTES + len(row[BODY] or "")
    return rows, True


def _rows(cursor: Any, sql: str, params: Any) -> Generator[Row, None, None]:
    if connection.vendor == "postgresql":
        # Quicker than a SELECT: the server goes on while rows are made here. Left early, it is cancelled.
        with cursor.db.wrap_database_errors, cursor.copy(f"COPY ({sql}) TO STDOUT", params) as copy:
            yield from copy.rows()
        return
    cursor.execute("PRAGMA cache_size = -8192")  # kB: what is read once is not worth keeping
    cursor.execute(sql, params)
    while some := cursor.fetchmany(200):
        yield from some
