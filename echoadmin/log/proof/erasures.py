"""What the log says of erasures: an erased entry must be named by an entry that tells who erased it, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator

from echoadmin.log.models import Entry, Kind
from echoadmin.log.proof import numbers
from echoadmin.log.rebuild import stored_bodies

ERASED = "log.erased"  # the event type; its message has `entries`: {stream: "3,7-12"}

SLACK = 1_000  # ids: on PostgreSQL they don't become visible in their order


class Erasures:
    """Which entries were erased on the record. Read once, and once more for each that is not found."""

    def __init__(self) -> None:
        self._ranges: dict[str, set[tuple[int, int]]] = {}
        self._read_up_to = 0

    def cover(self, stream: str, n: int) -> bool:
        """Whether an entry of the log says that this one was erased."""
        if self._known(stream, n):
            return True
        for name, first, last in self._more():
            self._ranges.setdefault(name, set()).add((first, last))
        return self._known(stream, n)

    def _known(self, stream: str, n: int) -> bool:
        return any(first <= n <= last for first, last in self._ranges.get(stream, ()))

    def _more(self) -> Iterator[tuple[str, int, int]]:
        wanted = Entry.objects.filter(event_type=ERASED, kind=Kind.OPERATOR, id__gt=self._read_up_to - SLACK)
        for entry in wanted.order_by("id").iterator(chunk_size=100):
            self._read_up_to = max(self._read_up_to, entry.pk)
            try:
                told = json.loads(stored_bodies([entry])[0] or "{}")["entries"]
                yield from [(name, *run) for name, text in told.items() for run in numbers.runs(text)]
            except (ValueError, KeyError, TypeError, AttributeError):
                continue  # no record as erase_log() writes them: it covers nothing
