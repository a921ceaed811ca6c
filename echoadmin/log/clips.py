"""Samples: PCM16LE mono, stored once in parts of at most 256 KB, read back by byte range."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import Q
from django.db.models.functions import Coalesce

from echoadmin.log.many_rows import insert
from echoadmin.log.models import PART_BYTES, Clip, ClipPart
from echoadmin.log.proof.triggers import lifted

Range = tuple[int, int, int]  # clip id, first byte, bytes


def new_clip(sample_rate: int) -> Clip:
    """An empty clip of `sample_rate` Hz."""
    if not 1 <= sample_rate <= 1_000_000:
        raise ValueError(f"a sample rate of {sample_rate} Hz can't be; give one from 1 to 1,000,000")
    return Clip.objects.create(sample_rate=sample_rate)


def append_samples(clip_id: int, pcm: bytes) -> int:
    """Adds `pcm` to the clip's end and returns the byte at which it starts. Raises Clip.DoesNotExist."""
    with transaction.atomic(), connection.cursor() as cursor:
        # The update locks the row, so two that append at once get ranges one after the other.
        cursor.execute("UPDATE log_clip SET size = size + %s WHERE id = %s RETURNING size", (len(pcm), clip_id))
        found = cursor.fetchone()
        if found is None:
            raise Clip.DoesNotExist(f"there is no clip {clip_id}")
        start = int(found[0]) - len(pcm)
        _insert_parts(cursor, clip_id, start, pcm)
    return start


def drop_clip(clip_id: int) -> None:
    """Takes away a clip that nothing refers to: what was stored of an upload that was refused half-way."""
    with lifted("upload"):
        ClipPart.objects.filter(clip=clip_id).delete()
        Clip.objects.filter(pk=clip_id).delete()


def insert_clip(cursor: CursorWrapper, sample_rate: int, pcm: bytes) -> int:
    """A new clip that holds `pcm`, in the cursor's transaction; returns its id."""
    cursor.execute(
        "INSERT INTO log_clip (sample_rate, size, created_at) VALUES (%s, %s, %s) RETURNING id",
        (sample_rate, len(pcm), stored_time(cursor.db, datetime.now(UTC))),
    )
    clip_id: int = cursor.fetchone()[0]
    _insert_parts(cursor, clip_id, 0, pcm)
    return clip_id


def stored_time(connection: BaseDatabaseWrapper, at: datetime) -> Any:
    """A moment as raw SQL on `connection` takes it: on SQLite the text that Django would store."""
    if connection.vendor == "postgresql":
        return at
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).isoformat(" ")[:-6]  # without its +00:00


def _insert_parts(cursor: CursorWrapper, clip_id: int, start: int, pcm: bytes) -> None:
    parts = [(clip_id, start + at, pcm[at : at + PART_BYTES]) for at in range(0, len(pcm), PART_BYTES)]
    insert(cursor, "log_clippart (clip_id, start, samples)", parts)


def read_samples(clip_id: int, start: int, nbytes: int) -> bytes:
    """The range's bytes; fewer where the clip ends before it, or its samples were erased."""
    return b"".join(iter_samples(clip_id, start, nbytes))


_PARTS = "SELECT start, samples FROM log_clippart WHERE clip_id = %s AND start >= %s AND start < %s ORDER BY start"
_PARTS_FROM = _PARTS.replace(
    "start >= %s", "start >= COALESCE((SELECT MAX(start) FROM log_clippart WHERE clip_id = %s AND start <= %s), 0)"
)


def iter_samples(clip_id: int, start: int, nbytes: int) -> Iterator[bytes]:
    """The range's bytes, in blocks of at most 256 KB, two of which are in memory at a time.

    From the part on that holds the first byte: those of a stream are small, and many. In SQL: while somebody speaks it
    runs many times a second.
    """
    end, low = start + nbytes, start
    while low < end:
        high = min(low + PART_BYTES, end)
        with connection.cursor() as cursor:
            if low == start:
                cursor.execute(_PARTS_FROM, [clip_id, clip_id, low, high])
            else:
                cursor.execute(_PARTS, [clip_id, low, high])
            rows = [(at, bytes(samples)) for at, samples in cursor.fetchall()]
        samples = _assemble(rows, start, nbytes)
        yield from (samples[at : at + PART_BYTES] for at in range(0, len(samples), PART_BYTES))
        low = high


def read_ranges(ranges: Iterable[Range]) -> dict[Range, bytes]:
    """Many ranges in one query (of one statement for each 200 clips)."""
    wanted = sorted(set(ranges))
    bounds: dict[int, tuple[int, int]] = {}
    for clip_id, start, nbytes in wanted:
        low, high = bounds.get(clip_id, (start, start))
        bounds[clip_id] = (min(low, start), max(high, start + nbytes))
    parts = _read_parts(bounds)
    return {range_: _assemble(parts.get(range_[0], []), range_[1], range_[2]) for range_ in wanted}


def _read_parts(bounds: dict[int, tuple[int, int]]) -> dict[int, list[tuple[int, bytes]]]:
    found: dict[int, list[tuple[int, bytes]]] = {}
    clips = list(bounds)
    for at in range(0, len(clips), 200):
        condition = Q()
        for clip_id in clips[at : at + 200]:
            low, high = bounds[clip_id]
            before = ClipPart.objects.filter(clip=clip_id, start__lte=low).order_by("-start").values("start")[:1]
            condition |= Q(clip=clip_id, start__gte=Coalesce(before, 0), start__lt=high)
        rows = ClipPart.objects.filter(condition).order_by("clip", "start").values_list("clip_id", "start", "samples")
        for clip_id, start, samples in rows:
            found.setdefault(clip_id, []).append((start, bytes(samples)))
    return found


def _assemble(parts: list[tuple[int, bytes]], start: int, nbytes: int) -> bytes:
    end = start + nbytes
    return b"".join(
        samples[max(0, start - at) : end - at] for at, samples in parts if at < end and at + len(samples) > start
    )
