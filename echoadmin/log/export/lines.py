"""Rows as lines: NDJSON of which each line verifies by itself, and CSV that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from pybase64 import b64encode_as_string

from echoadmin.log.chain import canonical
from echoadmin.log.clips import Range, read_ranges
from echoadmin.log.export import rows
from echoadmin.log.export.rows import BODY, CLIP, CLIP_BYTES, CLIP_START, ERASED, ID, LEAD, STREAM, N, Row
from echoadmin.log.models import EntryBody, Stream

CSV_COLUMNS = (
    *("id", "stream", "n", "at", "kind", "direction", "event_type", "family", "sender", "sender_name"),
    *("inference_id", "echo_id", "conversation_ref", "persona_ref", "actor", "api_key_ref", "is_error", "late"),
    *("epoch", "seq", "request_id", "said", "message", "body_bytes", "clip_start", "clip_bytes", "body_sha256"),
    *("leaf", "digest", "erased_at"),
)
FORMULA = frozenset("=+-@\t\r\n")
SAMPLES_AT_ONCE = 8 * 1024 * 1024  # bytes

Message = str | None  # as JSON; None: nothing is known of it any more


class Lines(Protocol):
    """One of the formats."""

    columns: list[Any]  # of a row, after those of LEAD

    def header(self) -> str:
        """The first line."""

    def lines(self, some: list[Row], streams: dict[int, str], messages: Iterable[Message]) -> Iterator[str]:
        """A line for each row, its end included."""


class Ndjson:
    """An object a line."""

    def __init__(self) -> None:
        names = [rows.column(name) for name in ("at", "inference_id", "request_id")]
        self.columns = [*names, rows.repeated(), rows.plain()]

    def header(self) -> str:
        """None."""
        return ""

    def lines(self, some: list[Row], streams: dict[int, str], messages: Iterable[Message]) -> Iterator[str]:
        """The columns by their names, `message` last."""
        head, quoted = rows.head, rows.quoted
        for row, message in zip(some, messages, strict=True):
            id_, n, stream, _, erased, _, _, _, at, inference_id, request_id, repeated, plain = row
            yield (
                f'{{"id":{id_},"n":{n},"at":"{at}",{head(streams[int(stream)], repeated)},'
                f'"inference_id":{quoted(inference_id)},"request_id":{quoted(request_id)},{plain},'
                f'"erased_at":{quoted(erased)},"message":{"null" if message is None else message}}}\n'
            )


class Csv:
    """RFC 4180, UTF-8; a cell that a spreadsheet would compute gets an apostrophe before it."""

    def __init__(self) -> None:
        self._text = io.StringIO(newline="")
        self._writer = csv.writer(self._text)
        self._names = [name for name in CSV_COLUMNS if name not in ("stream", "message", *LEAD[:5])]
        self.columns = [rows.column(name) for name in self._names]
        places = {name: len(LEAD) + at for at, name in enumerate(self._names)}
        places |= {"id": ID, "n": N, "erased_at": ERASED, "stream": STREAM, "message": BODY}
        self._places = [places[name] for name in CSV_COLUMNS]
        texts = set(CSV_COLUMNS) - {"id", "n", "echo_id", "epoch", "seq", "body_bytes", "clip_start", "clip_bytes"}
        self._texts = [at for at, name in enumerate(CSV_COLUMNS) if name in texts]

    def header(self) -> str:
        """The columns' names."""
        return self._line(CSV_COLUMNS)

    def lines(self, some: list[Row], streams: dict[int, str], messages: Iterable[Message]) -> Iterator[str]:
        """The columns in the order of CSV_COLUMNS."""
        for row, message in zip(some, messages, strict=True):
            values = list(row)
            values[STREAM], values[BODY] = streams[int(row[STREAM])], message
            cells = [values[place] for place in self._places]
            for at in self._texts:
                if (cell := cells[at]) and cell[0] in FORMULA:
                    cells[at] = f"'{cell}"
            yield self._line(cells)

    def _line(self, cells: Iterable[Any]) -> str:
        self._writer.writerow(cells)
        line = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        return line


class Streams(dict[int, str]):
    """The public ids of streams by their numbers."""

    def learn(self, some: Iterable[Row]) -> None:
        """Look up those that are new; what is no stream any more has none."""
        unknown = {int(row[STREAM]) for row in some} - self.keys()
        if unknown:
            self.update(dict.fromkeys(unknown, ""))
            self.update(Stream.objects.filter(pk__in=unknown).values_list("pk", "public_id"))


def messages(some: list[Row], audio: bool) -> Iterator[Message]:
    """The rows' messages as JSON, in order; those that lie beside their entries come one by one."""
    for group in _groups(some, audio):
        samples = read_ranges(_range(row) for row in group if _has_samples(row)) if audio else {}
        for row in group:
            body = row[BODY] if row[BODY] is not None else _beside(row)
            yield _with_samples(body, samples[_range(row)]) if body and _has_samples(row) else body


def _has_samples(row: Row) -> bool:
    return row[CLIP] is not None and row[CLIP_BYTES] is not None


def _range(row: Row) -> Range:
    return int(row[CLIP]), int(row[CLIP_START] or 0), int(row[CLIP_BYTES] or 0)


def _groups(some: list[Row], audio: bool) -> Iterator[list[Row]]:
    """So many rows at a time that their samples are few; all of them where samples are not wanted."""
    if not audio:
        yield some
        return
    group: list[Row] = []
    size = 0
    for row in some:
        size += int(row[CLIP_BYTES] or 0)
        group.append(row)
        if size > SAMPLES_AT_ONCE:
            yield group
            group, size = [], 0
    yield group


def _beside(row: Row) -> Message:
    if row[ERASED] is not None:
        return None
    found = EntryBody.objects.filter(stream=row[STREAM], n=row[N]).values_list("body", flat=True).first()
    return found if found is None else str(found)


def _with_samples(body: str, pcm: bytes) -> str:
    """The message as on the wire; where the samples are gone its audio stays null."""
    found = json.loads(body)
    properties = found.get("properties") if isinstance(found, dict) else None
    if isinstance(properties, dict) and pcm:
        properties["audio"] = b64encode_as_string(pcm)
    return canonical(found)
