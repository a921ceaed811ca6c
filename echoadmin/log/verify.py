"""Does the log say what it said when it was written? Recomputes the chain of a stream from its rows."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from echoadmin.log.chain import GENESIS, HEADER_COLUMNS, canonical, digest, header, instant, leaf
from echoadmin.log.clips import read_ranges
from echoadmin.log.models import Entry, Stream
from echoadmin.log.rebuild import stored_bodies

BLOCK = 500  # entries in memory


def verify_stream(public_id: str) -> int | None:
    """The number of the first entry that was changed, removed, inserted or moved; None when all is as it was written.

    A number past the last entry's means that the end was cut off. Raises Stream.DoesNotExist.
    """
    stream = Stream.objects.get(public_id=public_id)
    expected, previous = 1, GENESIS
    for entry, body_sha256 in _entries(stream):
        whole = body_sha256 is None or body_sha256 == bytes(entry.body_sha256)
        leaf_ = leaf(header(columns(entry, public_id)), bytes(entry.body_sha256))
        previous = digest(previous, leaf_)
        if entry.n != expected or not whole or (leaf_, previous) != (bytes(entry.leaf), bytes(entry.digest)):
            return min(entry.n, expected)
        expected += 1
    return None if (stream.last_n, bytes(stream.last_digest)) == (expected - 1, previous) else expected


def columns(entry: Entry, public_id: str) -> dict[str, Any]:
    """What the entry's header is made of."""
    found = {column: getattr(entry, column) for column in HEADER_COLUMNS if column != "stream"}
    return {**found, "stream": public_id, "at": instant(entry.at)}


def _entries(stream: Stream) -> Iterator[tuple[Entry, bytes | None]]:
    """Each entry with the hash of what is stored of its message; None where that was erased."""
    reached = 0
    while rows := list(Entry.objects.filter(stream=stream, n__gt=reached).order_by("n")[:BLOCK]):
        yield from zip(rows, _hashes(rows), strict=True)
        reached = rows[-1].n


def _hashes(rows: list[Entry]) -> list[bytes | None]:
    ranges = {
        entry: (entry.clip_id, entry.clip_start or 0, entry.clip_bytes or 0)
        for entry in rows
        if entry.clip_id is not None
    }
    samples = read_ranges(ranges.values())
    hashes: list[bytes | None] = []
    for entry, body in zip(rows, stored_bodies(rows), strict=True):
        if entry.erased_at is not None:
            hashes.append(None)
        elif entry in ranges and body is not None:
            message = json.loads(body)
            message["properties"]["audio"] = b64encode(samples[ranges[entry]]).decode("ascii")
            hashes.append(sha256(canonical(message).encode("ascii")).digest())
        else:  # the text as it lies there: it was canonical when it was written
            hashes.append(sha256((body or "").encode("utf-8", "surrogatepass")).digest())
    return hashes
