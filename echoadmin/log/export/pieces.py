"""The export's bytes, piece by piece: each tells from which entry on the rest can be asked for again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from echoadmin.log import reader
from echoadmin.log.export.asking import BadExport, Export
from echoadmin.log.export.audio import audio_pieces, with_samples
from echoadmin.log.export.lines import Csv, Lines, Ndjson, Streams, messages
from echoadmin.log.export.rows import ID, N, blocks
from echoadmin.log.models import EntryQuerySet

PIECE_BYTES = 2 * 1024 * 1024  # about, and one message more than that at the most


class Piece(NamedTuple):
    """Some of the file. `after` is the key of the last entry in it, `entries` how many are in it."""

    data: bytes
    after: int
    entries: int


def source(export: Export) -> EntryQuerySet:
    """The entries that are meant; their `key` says what `after` counts: ids, or a conversation's own numbers."""
    return reader.filtered(export.filters, export.limits)


def newest(entries: EntryQuerySet) -> int:
    """The key up to which an export that begins now goes; what comes meanwhile is not in it."""
    found = entries.model.objects.all() if entries.key == "id" else entries.all()
    return found.order_by(f"-{entries.key}").values_list(entries.key, flat=True).first() or 0


def check_after(export: Export, after: int) -> None:
    """Raises BadExport for a place that this log has not reached: it is of another database."""
    if after < 0 or after > newest(source(export)):
        raise BadExport(after=f"There is no entry {after} here to go on after. Give the `id` of the last whole line.")


def count(export: Export, entries: EntryQuerySet, after: int, until: int) -> int:
    """How many will be in it; not quick."""
    meant = with_samples(entries) if export.format == "zip" else entries
    return meant.filter(**{f"{entries.key}__gt": after, f"{entries.key}__lte": until}).count()


def pieces(export: Export, after: int = 0, until: int | None = None) -> Iterator[Piece]:
    """The file from the entry after `after` on; its header only where it is begun."""
    entries = source(export)
    until = newest(entries) if until is None else until
    if export.format == "zip":
        for data, reached, count_ in audio_pieces(export, entries, after, until):
            yield Piece(data, reached, count_)
        return
    yield from _lines(export, entries, after, until)


def _lines(export: Export, entries: EntryQuerySet, after: int, until: int) -> Iterator[Piece]:
    table: Lines = Csv() if export.format == "csv" else Ndjson()
    streams = Streams()
    place = N if entries.key == "n" else ID
    if not after and (header := table.header()):
        yield Piece(header.encode(), 0, 0)
    for rows in blocks(entries, after, until, table.columns, audio=export.audio):
        streams.learn(rows)
        lines: list[str] = []
        size = done = 0
        for line in table.lines(rows, streams, messages(rows, export.audio)):
            lines.append(line)
            size += len(line)
            if size > PIECE_BYTES:  # messages beside their entries, and samples, make it long
                done += len(lines)
                yield Piece("".join(lines).encode(), int(rows[done - 1][place]), len(lines))
                lines, size = [], 0
        if lines:
            yield Piece("".join(lines).encode(), int(rows[-1][place]), len(lines))
