"""What was said as audio: a zip of WAV files, one for each echo or utterance, and a manifest of them.

A file is made of the samples that the messages carried, in the order in which they were logged. The zip is written as
it goes; of its entries only their names stay in memory.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from itertools import groupby
from tempfile import SpooledTemporaryFile
from typing import Any

from echoadmin.log.chain import instant
from echoadmin.log.clips import Range, iter_samples
from echoadmin.log.export.asking import Export
from echoadmin.log.models import Clip, EntryQuerySet
from echoadmin.log.wav import HEADER_BYTES, Wav

BLOCK = 1_000  # entries looked at in one statement
MANIFEST = "manifest.json"
_FIRST = (
    *("id", "n", "at", "stream_id", "stream__public_id", "direction"),
    *("inference_id", "echo_id", "sender", "sender_name"),
)


class _Sink(io.RawIOBase):
    """Where the zip is written to, and taken away from; it can't be sought in, and zips need not."""

    def __init__(self) -> None:
        self._data = bytearray()

    def writable(self) -> bool:
        """As a file's."""
        return True

    def write(self, data: Any) -> int:
        """As a file's."""
        self._data += data
        return len(data)

    def take(self) -> bytes:
        """All that was written since the last time."""
        data, self._data = bytes(self._data), bytearray()
        return data


def audio_pieces(export: Export, entries: EntryQuerySet, after: int, until: int) -> Iterator[tuple[bytes, int, int]]:
    """The zip's bytes, each with the key of the entry that was reached and how many entries came with them."""
    sink = _Sink()
    about = {"filters": export.filters, "after": after, "until": until, "made_at": instant(datetime.now(UTC))}
    with SpooledTemporaryFile(max_size=1 << 20) as manifest, zipfile.ZipFile(sink, "w") as archive:
        manifest.write(f'{{"export":{json.dumps(about)},"files":['.encode())
        files = 0
        for first in _firsts(entries, after, until):
            for item in _write(archive, entries, first, until):
                if isinstance(item, dict):
                    manifest.write(b",\n" if files else b"\n")
                    manifest.write(json.dumps(item).encode())
                    files += 1
                    yield sink.take(), first[entries.key], item["entries"]
                else:
                    yield sink.take(), first[entries.key], 0
        manifest.write(b"\n]}\n")
        manifest.seek(0)
        with archive.open(zipfile.ZipInfo(MANIFEST, _zip_time(datetime.now(UTC))), "w") as member:
            while block := manifest.read(1 << 18):
                member.write(block)
                yield sink.take(), until, 0
    yield sink.take(), until, 0


def with_samples(entries: EntryQuerySet) -> EntryQuerySet:
    """Those of the entries that can be heard."""
    return entries.filter(clip_id__isnull=False, clip_bytes__gt=0, erased_at__isnull=True)


def _firsts(entries: EntryQuerySet, after: int, until: int) -> Iterator[dict[str, Any]]:
    """The first entry of each utterance among those that are meant; one that had begun before is left out."""
    seen: set[int] = set()
    begun = after
    ordered = with_samples(entries).order_by(entries.key).values(*_FIRST)
    while rows := list(ordered.filter(**{f"{entries.key}__gt": after, f"{entries.key}__lte": until})[:BLOCK]):
        for row in rows:
            mark = hash(_utterance(row))
            if mark not in seen:
                seen.add(mark)
                if not (begun and _all_of(entries, row, begun).exists()):
                    yield row
        after = rows[-1][entries.key]


def _utterance(row: dict[str, Any]) -> tuple[Any, ...]:
    """What one utterance's entries have in common; an entry that names none is one by itself."""
    if row["direction"] == "out" and row["echo_id"] is not None:
        return row["stream_id"], "out", row["echo_id"]
    if row["inference_id"] is None:
        return row["stream_id"], row["n"]
    return row["stream_id"], row["direction"], row["sender"], row["inference_id"]


def _all_of(entries: EntryQuerySet, first: dict[str, Any], until: int) -> Any:
    """The entries of one utterance, in order."""
    same = with_samples(entries).filter(stream=first["stream_id"], **{f"{entries.key}__lte": until})
    if first["direction"] == "out" and first["echo_id"] is not None:
        return same.filter(direction="out", echo_id=first["echo_id"]).order_by("n")
    if first["inference_id"] is None:
        return same.filter(n=first["n"])
    names = ("direction", "sender", "inference_id")
    equal = {name: first[name] for name in names if first[name] is not None}
    absent = {f"{name}__isnull": True for name in names if first[name] is None}
    return same.filter(**equal, **absent).order_by("n")


def _write(
    archive: zipfile.ZipFile, entries: EntryQuerySet, first: dict[str, Any], until: int
) -> Iterator[dict[str, Any] | None]:
    """Puts an utterance into the zip: None after each block, then its line of the manifest."""
    found = list(_all_of(entries, first, until).values_list("n", "clip_id", "clip_start", "clip_bytes"))
    rates = dict(Clip.objects.filter(pk__in={row[1] for row in found}).values_list("pk", "sample_rate"))
    for rate, group in groupby(found, key=lambda row: rates.get(row[1], 16_000)):
        rows = list(group)
        ranges = _joined([(clip, start or 0, size) for _, clip, start, size in rows])
        total = sum(size for _, _, size in ranges)
        info = zipfile.ZipInfo(_name(first, rows[0][0]), _zip_time(first["at"]))
        whole, silence = sha256(), 0
        with archive.open(info, "w", force_zip64=total > 1 << 31) as member:
            header = b"".join(Wav(0, 0, total, rate).blocks(0, HEADER_BYTES))
            whole.update(header)
            member.write(header)
            for clip, start, size in ranges:
                left = size
                for block in iter_samples(clip, start, size):
                    whole.update(block)
                    member.write(block)
                    left -= len(block)
                    yield None
                silence += left
                for block in _zeros(left):  # samples that are no longer there: the time they took stays
                    whole.update(block)
                    member.write(block)
        yield _line(first, rows, info.filename, rate, total, silence, whole.hexdigest())


def _line(
    first: dict[str, Any], rows: list[Any], name: str, rate: int, total: int, silence: int, digest: str
) -> dict[str, Any]:
    return {
        "file": name,
        "id": first["id"],
        "at": instant(first["at"]),
        "stream": first["stream__public_id"],
        **{column: first[column] for column in ("direction", "echo_id", "inference_id", "sender", "sender_name")},
        "first_n": rows[0][0],
        "last_n": rows[-1][0],
        "entries": len(rows),
        "sample_rate": rate,
        "seconds": round(total / 2 / rate, 6),
        "silence_bytes": silence,
        "sha256": digest,
    }


def _joined(ranges: list[Range]) -> list[Range]:
    """Ranges that follow each other in a clip, as one."""
    joined: list[Range] = []
    for clip, start, size in ranges:
        if joined and joined[-1][0] == clip and joined[-1][1] + joined[-1][2] == start:
            joined[-1] = (clip, joined[-1][1], joined[-1][2] + size)
        else:
            joined.append((clip, start, size))
    return joined


def _name(first: dict[str, Any], n: int) -> str:
    """A name that sorts by time, safe on every file system: cv_…/20261123T041500-00012-out-hello.wav."""
    said = re.sub(r"[^A-Za-z0-9._-]+", "_", first["inference_id"] or "")[:60].strip("._")
    stream = re.sub(r"[^A-Za-z0-9_-]+", "_", first["stream__public_id"])
    parts = [f"{first['at']:%Y%m%dT%H%M%S}", f"{n:05}", first["direction"] or "", said]
    return f"{stream}/{'-'.join(part for part in parts if part)}.wav"


def _zip_time(at: datetime) -> tuple[int, int, int, int, int, int]:
    return max(1980, at.year), at.month, at.day, at.hour, at.minute, at.second


def _zeros(count: int) -> Iterator[bytes]:
    while count > 0:
        yield bytes(min(count, 1 << 18))
        count -= 1 << 18
