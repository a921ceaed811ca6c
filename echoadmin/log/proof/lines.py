"""What goes beside an export so that it verifies with no database: keys, checkpoints, and leaves of what is not in it.

An exported entry is one line of JSON with all columns of its header under their own names (`stream`: the public id,
`at` with six digits), and `message`, `erased_at`, `body_sha256`, `leaf`, `digest` (hex). The lines here have a `type`:

    {"type": "key", "id", "public_key"}                             base64
    {"type": "checkpoint", "document", "signature"}                 the document as text: its bytes are what is signed
    {"type": "pruned", "document", "signature", "leaves"}           leaves of numbers that were pruned, 32 bytes each
    {"type": "leaves", "stream", "first", "leaves"}                 leaves of numbers from `first` on

`echoadmin/log/verify_export.py` reads both, from one file or from several, in any order.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Iterator
from typing import Any

from echoadmin.log.chain import canonical
from echoadmin.log.models import Checkpoint, CheckpointHead, Entry, Pruned, SigningKey, Stream
from echoadmin.log.proof import pruned
from echoadmin.log.proof.checkpoints import checkpoint_line, key_line

LEAVES = 4_096  # in a line


def proof_lines(streams: Collection[str] | None = None, leaves: bool = False) -> Iterator[str]:
    """The lines for these streams (public ids), or for all. With `leaves`, those of every entry: a filtered export
    needs them, since its chain has holes."""
    for key in SigningKey.objects.order_by("id"):
        yield canonical(key_line(key.key_id, bytes(key.public_key)))
    for row in _checkpoints(streams):
        yield canonical(checkpoint_line(row))
    wanted = Stream.objects.order_by("id")
    if streams is not None:
        wanted = wanted.filter(public_id__in=streams)
    for stream in wanted.iterator(chunk_size=500):
        for kept in Pruned.objects.filter(stream=stream.pk).order_by("first_n", "id").iterator(chunk_size=10):
            yield canonical(_pruned_line(kept, stream.public_id))
        if leaves:
            yield from (canonical(line) for line in _leaves(stream))


def _checkpoints(streams: Collection[str] | None) -> Iterator[Checkpoint]:
    rows = Checkpoint.objects.order_by("number")
    if streams is not None:
        rows = rows.filter(number__in=CheckpointHead.objects.filter(stream__in=streams).values("checkpoint"))
    yield from rows.iterator(chunk_size=50)


def _pruned_line(row: Pruned, public_id: str) -> dict[str, Any]:
    return {
        "type": "pruned",
        "document": pruned.stored_document(row, public_id).decode("ascii"),
        "signature": b64encode(bytes(row.signature)).decode("ascii"),
        "leaves": b64encode(bytes(row.leaves)).decode("ascii"),
    }


def _leaves(stream: Stream) -> Iterator[dict[str, Any]]:
    """Of the entries that are there, in runs of numbers without a hole."""
    entries = Entry.objects.filter(stream=stream.pk).order_by("n").values_list("n", "leaf")
    first, run = 0, bytearray()
    for n, leaf in entries.iterator(chunk_size=LEAVES):
        if run and (n != first + len(run) // 32 or len(run) >= LEAVES * 32):
            yield _leaves_line(stream, first, run)
            run = bytearray()
        first = first if run else n
        run += bytes(leaf)
    if run:
        yield _leaves_line(stream, first, run)


def _leaves_line(stream: Stream, first: int, run: bytearray) -> dict[str, Any]:
    return {"type": "leaves", "stream": stream.public_id, "first": first, "leaves": b64encode(run).decode("ascii")}
