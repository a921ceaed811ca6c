"""Entries as the database has them, block by block, with what their leaves are made of. Read raw: it is quicker, and
an entry that somebody has damaged must not stop who looks for damage."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.db import connection

from echoadmin.log.chain import HEADER_COLUMNS, canonical, header
from echoadmin.log.clips import read_ranges

INLINE = 16 * 1024  # bytes; longer bodies are read one by one, so that a block stays small
SAMPLES_AT_ONCE = 4 * 1024 * 1024  # bytes

_STORED = tuple(column for column in HEADER_COLUMNS if column != "stream")
_AT, _N = _STORED.index("at"), _STORED.index("n")
_FLAGS = tuple(_STORED.index(column) for column in ("is_error", "late"))
_CLIP_START, _CLIP_BYTES = _STORED.index("clip_start"), _STORED.index("clip_bytes")
_STREAM_AT = HEADER_COLUMNS.index("stream")
# Moments as text, made by the database: quicker than by way of datetime, and nothing of them is lost.
_MOMENT = {
    "sqlite": "\"at\" || ''",
    "postgresql": """to_char("at" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""",
}
_COLUMNS = ", ".join(f'"{column}"' if column != "at" else "{moment}" for column in _STORED)
_SELECT = f"""
SELECT {_COLUMNS}, id, body_sha256, leaf, digest, erased_at IS NOT NULL, body IS NOT NULL, clip_id,
       CASE WHEN body_bytes - COALESCE(clip_bytes, 0) * 4 / 3 <= {INLINE} THEN body END
FROM log_entry WHERE stream = %s AND n > %s AND n <= %s ORDER BY n LIMIT %s
"""


@dataclass(slots=True)
class Row:
    """One entry. `header` is b"" where its columns hold what no header can be made of."""

    n: int
    id: int
    header: bytes
    body_sha256: bytes
    leaf: bytes
    digest: bytes
    erased: bool
    has_body: bool  # in the entry itself
    clip: tuple[int, int, int] | None
    body: str | None
    sha: bytes | None = None  # of the message as it can be made again now; None: erased, or nothing there


def block(stream: int, public_id: str, after: int, upto: int, limit: int) -> list[Row]:
    """At most `limit` entries with after < n <= upto, ascending, with the hashes of their messages."""
    with connection.cursor() as cursor:
        cursor.execute(_SELECT.replace("{moment}", _MOMENT[connection.vendor]), [stream, after, upto, limit])
        rows = [_row(values, public_id) for values in cursor.fetchall()]
    _hash(stream, rows)
    return rows


def _row(values: Sequence[Any], public_id: str) -> Row:
    columns = list(values[: len(_STORED)])
    start, nbytes = columns[_CLIP_START], columns[_CLIP_BYTES]
    id_, sha, leaf, digest, erased, has_body, clip_id, body = values[len(_STORED) :]
    return Row(
        columns[_N],
        id_,
        _header(columns, public_id),
        _bytes(sha),
        _bytes(leaf),
        _bytes(digest),
        bool(erased),
        bool(has_body),
        None if clip_id is None else (clip_id, start or 0, nbytes or 0),
        body if isinstance(body, str) else None,
    )


def _header(columns: list[Any], public_id: str) -> bytes:
    try:
        columns[_AT] = _moment(columns[_AT])
        for flag in _FLAGS:
            columns[flag] = bool(columns[flag])
        columns.insert(_STREAM_AT, public_id)
        return header(dict(zip(HEADER_COLUMNS, columns, strict=True)))
    except (TypeError, ValueError, AttributeError):
        return b""


def _moment(text: str) -> str:
    """The database's text of a moment, as headers have it. SQLite leaves out microseconds that are 0."""
    if text.endswith("Z"):
        return text
    if len(text) == 26:
        return f"{text[:10]}T{text[11:]}Z"
    return f"{datetime.fromisoformat(text).isoformat(timespec='microseconds')}Z"


def _bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else b""


def _hash(stream: int, rows: list[Row]) -> None:
    """Fills `sha` of each row whose message can be made again."""
    with_samples: list[Row] = []
    for row in rows:
        if row.erased:
            continue
        body = row.body if row.body is not None else _long_body(stream, row)
        if body is None:
            continue
        if row.clip is None:  # the text as it lies there: it was canonical when it was written
            row.sha = sha256(body.encode("utf-8", "surrogatepass")).digest()
            row.body = None
        else:
            row.body = body
            with_samples.append(row)
    for group in _groups(with_samples):
        samples = read_ranges(row.clip for row in group if row.clip)
        for row in group:
            row.sha = _sha_with(row.body or "", samples[row.clip or (0, 0, 0)])
            row.body = None


def _long_body(stream: int, row: Row) -> str | None:
    with connection.cursor() as cursor:
        if row.has_body:
            cursor.execute("SELECT body FROM log_entry WHERE id = %s", [row.id])
        else:
            cursor.execute("SELECT body FROM log_entrybody WHERE stream = %s AND n = %s", [stream, row.n])
        found = cursor.fetchone()
    return found[0] if found and isinstance(found[0], str) else None


def _groups(rows: list[Row]) -> Iterator[list[Row]]:
    """So many at a time that their samples stay under SAMPLES_AT_ONCE, about."""
    group: list[Row] = []
    size = 0
    for row in rows:
        size += row.clip[2] if row.clip else 0
        if group and size > SAMPLES_AT_ONCE:
            yield group
            group, size = [], row.clip[2] if row.clip else 0
        group.append(row)
    if group:
        yield group


def _sha_with(body: str, pcm: bytes) -> bytes:
    """The hash of a message with its samples put back; of no message at all where that can't be done."""
    try:
        message = json.loads(body)
        message["properties"]["audio"] = b64encode(pcm).decode("ascii")
        return sha256(canonical(message).encode("ascii")).digest()
    except (ValueError, TypeError, KeyError, RecursionError):
        return b""
