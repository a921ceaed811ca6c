"""From entries back to the messages that they record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Q
from pybase64 import b64encode_as_string

from echoadmin.log.clips import Range, read_ranges
from echoadmin.log.models import Entry, EntryBody


def message(entry: Entry, audio: bool = True) -> Any:
    """The message of one entry, equal as parsed JSON to what was logged; see messages()."""
    return messages([entry], audio)[0]


def messages(entries: Sequence[Entry], audio: bool = True) -> list[Any]:
    """The entries' messages, in at most three queries.

    With `audio`, `properties.audio` is the base64 as on the wire; without, it is null. The message of an erased entry
    is None, and samples that are no longer there are null.
    """
    bodies = stored_bodies(entries)
    ranges = {_range(entry) for entry in entries if audio and _has_clip(entry)}
    samples = read_ranges(ranges) if ranges else {}
    return [
        _rebuilt(entry, body, samples, audio) if body is not None else None
        for entry, body in zip(entries, bodies, strict=True)
    ]


def stored_bodies(entries: Sequence[Entry]) -> list[str | None]:
    """The bodies as stored (samples left out), those beside their entries included; None where erased."""
    beside = _beside(entry for entry in entries if entry.body is None and entry.erased_at is None)
    return [entry.body if entry.body is not None else beside.get((entry.stream_id, entry.n)) for entry in entries]


def _beside(entries: Iterable[Entry]) -> dict[tuple[int, int], str]:
    condition = Q()
    for entry in entries:
        condition |= Q(stream=entry.stream_id, n=entry.n)
    if not condition:
        return {}
    rows = EntryBody.objects.filter(condition).values_list("stream", "n", "body")
    return {(stream, n): body for stream, n, body in rows}


def _has_clip(entry: Entry) -> bool:
    return entry.clip_id is not None and entry.clip_bytes is not None


def _range(entry: Entry) -> Range:
    return entry.clip_id or 0, entry.clip_start or 0, entry.clip_bytes or 0


def _rebuilt(entry: Entry, body: str, samples: dict[Range, bytes], audio: bool) -> Any:
    found = json.loads(body)
    if not audio:
        _leave_out_audio(found)
    elif _has_clip(entry):
        pcm = samples[_range(entry)]
        if len(pcm) == entry.clip_bytes:
            found["properties"]["audio"] = b64encode_as_string(pcm)
    return found


def _leave_out_audio(message: Any) -> None:
    properties = message.get("properties") if isinstance(message, dict) else None
    if isinstance(properties, dict) and isinstance(properties.get("audio"), str):
        properties["audio"] = None
