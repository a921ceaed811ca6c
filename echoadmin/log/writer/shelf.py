"""A writer's spools: what they take, what no longer fits, and what is lost beyond that, counted."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import monotonic

from echoadmin.log.writer import told
from echoadmin.log.writer.backlog import Backlog, Waiting
from echoadmin.log.writer.drafts import Draft, Unit
from echoadmin.log.writer.records import encode
from echoadmin.log.writer.spool import Folder
from echoadmin.log.writer.told import Tallies

logger = logging.getLogger(__name__)

AT_ONCE = 4 * 1024 * 1024  # bytes that are written to the disk together, about
GATHER = 0.05  # s between two waits for the disk, unless something waits to leave
RETRY = 1.0  # s until a disk that refused is asked again


@dataclass(slots=True)
class Stretch:
    """Units that follow each other, in a spool: up to the record that ends at `end`."""

    backlog: Backlog
    end: int


Held = Waiting | Stretch


class Shelf:
    """Used by the writer's thread; `lost` by all that put."""

    def __init__(self, folder: Folder | None) -> None:
        self._folder = folder
        self._current: Backlog | None = None
        self._refused_at: float | None = None  # when the disk refused
        self.written_at = 0.0
        self.trouble = ""  # why the spool takes nothing more
        self.lost: Tallies = {}
        self.lost_entries = 0  # since the start

    @property
    def entries(self) -> int:
        """How many entries the spool in use has taken."""
        return self._current.entries if self._current else 0

    @property
    def kept(self) -> int:
        """How many of its units somebody waits for."""
        return len(self._current.kept) if self._current else 0

    @property
    def size(self) -> int:
        """How many bytes of the spool in use are still to be taken in."""
        return self._current.left if self._current else 0

    def adopt(self) -> Iterator[Stretch]:
        """What dead processes left here: this one's to take in now."""
        if self._folder is None:
            return
        try:
            for file in self._folder.abandoned():
                backlog = Backlog(file, self._folder.owner, adopted=True)
                logger.warning("taking in %s, with %d entries that nobody had stored", file.name, backlog.entries)
                yield Stretch(backlog, file.size)
        except OSError as error:
            logger.error("what dead processes left in %s can't be read: %s", self._folder.path, error)

    def take(self, units: Iterable[Waiting]) -> list[Held]:
        """The units as they are held now: on the disk as far as they can be, in their order."""
        held: list[Held] = []
        group: list[tuple[Waiting, bytes]] = []
        size = 0
        for one in units:
            if not one.begin():
                continue
            record = self._record(one, size)
            if record is not None:
                group.append((one, record))
                size += len(record)
            if record is None or size >= AT_ONCE:
                held += self._write(group)
                group, size = [], 0
            if record is None:
                held.append(one)
        return [*held, *self._write(group)]

    def count_lost(self, unit: Unit) -> None:
        """Neither the database nor the spool nor memory takes it: what happened is lost, and told once it can be."""
        happened = [draft for draft in unit.drafts if draft.direction != "out"]  # what was to leave has not left
        if unit.can_be_spooled and happened:
            told.count(self.lost, happened)
            self.lost_entries += len(happened)

    def told(self) -> list[Draft]:
        """All that was taken is stored: entries about what was lost. From here on everything is as at the start."""
        lost, self.lost = self.lost, {}
        self._refused_at, self.trouble = None, ""
        return told.lost(lost, "spool_full")

    def finished(self, backlog: Backlog) -> None:
        """It is taken in; the next unit begins another."""
        if backlog is self._current:
            self._current = None

    def _record(self, one: Waiting, beside: int) -> bytes | None:
        """The unit as it goes to the disk; None where it has to wait in memory."""
        if self._folder is None or not one.unit.can_be_spooled:
            return None
        if self._refused_at is not None and monotonic() < self._refused_at + RETRY:
            return None
        try:
            record = encode(one.unit.drafts, one.doubt and one.doubt[0])
        except (TypeError, ValueError):
            return None  # no entry can hold it: it fails alone, in its turn
        if self.size + beside + len(record) > self._folder.limit:
            self._complain(f"the spool is full ({self._folder.limit / 2**20:g} MB, LOG_SPOOL_MB)")
            return None
        return record

    def _write(self, group: list[tuple[Waiting, bytes]]) -> list[Held]:
        """As a stretch; or as it is, where the disk refuses."""
        if not group or self._folder is None:
            return []
        try:
            self._current = self._current or Backlog(self._folder.new(), self._folder.owner)
            self._current.add(group)
        except OSError as error:
            self._refused_at = monotonic()
            self._complain(f"the spool can't be written: {error}")
            return [one for one, _ in group]
        self._refused_at, self.written_at = None, monotonic()
        return [Stretch(self._current, self._current.file.size)]

    def _complain(self, words: str) -> None:
        if self.trouble != words:
            logger.error("%s; further entries wait in memory, and are lost when too many do", words)
        self.trouble = words


def hold(held: deque[Held], more: Iterable[Held]) -> None:
    """Adds at the end; neighbours in one spool become one stretch."""
    for one in more:
        last = held[-1] if held else None
        if isinstance(one, Stretch) and isinstance(last, Stretch) and one.backlog is last.backlog:
            last.end = one.end
        else:
            held.append(one)
