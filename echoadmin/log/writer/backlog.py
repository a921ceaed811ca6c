"""What waits in one spool: the file, and what this process still has to do with its units once they are stored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from itertools import takewhile
from time import monotonic
from typing import NamedTuple

from django.db.backends.utils import CursorWrapper

from echoadmin.log.writer import told
from echoadmin.log.writer.drafts import Draft, Place, Unit, Written
from echoadmin.log.writer.records import Record, Transaction, decode
from echoadmin.log.writer.spool import Spool
from echoadmin.log.writer.storing import Ready
from echoadmin.log.writer.told import Tallies

logger = logging.getLogger(__name__)

Doubt = tuple[Transaction, list[Written]]
"""A transaction that broke in its COMMIT, and where the unit's entries are if it was committed."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A unit that is not stored yet. `since`: when it was put, by time.monotonic()."""

    unit: Unit
    future: Future[list[Written]]
    since: float
    ready: Ready | None = None
    doubt: Doubt | None = None
    _began: bool = False

    def begin(self) -> bool:
        """It is this unit's turn: from here on it can't be cancelled. False where it was."""
        self._began = self._began or self.future.set_running_or_notify_cancel()
        return self._began

    def settle(self, outcome: list[Written] | Exception) -> None:
        """Tells whoever waits; twice is once."""
        try:
            if isinstance(outcome, Exception):
                self.future.set_exception(outcome)
            else:
                self.future.set_result(outcome)
        except InvalidStateError:  # asked for first, it would cost as much as telling
            return


@dataclass(slots=True)
class Kept:
    """What a spooled unit leaves in memory."""

    guard: Callable[[CursorWrapper], bool | list[Draft]] | None
    places: list[Place]
    future: Future[list[Written]] | None  # of one that is done only when it's in the database
    doubt: Doubt | None

    def settle(self, outcome: list[Written]) -> None:
        """The numbers have come."""
        for place, written in zip(self.places, outcome, strict=False):
            place.n = written.n if isinstance(written.n, int) else written.n.n
        if self.future is not None:
            self.future.set_result(outcome)


class Found(NamedTuple):
    """A record as it is read back; None where it is damaged."""

    end: int
    record: Record | None
    kept: Kept | None


@dataclass(eq=False)
class Backlog:
    """One spool with what belongs to it. `adopted`: another process wrote it."""

    file: Spool
    owner: str
    adopted: bool = False
    began: float = field(default_factory=monotonic)
    done: int | None = None  # how far it was taken in, as far as is known
    kept: dict[int, Kept] = field(default_factory=dict)  # by their records' ends
    tallies: Tallies = field(default_factory=dict)
    damaged: set[int] = field(default_factory=set)  # records that can't be read, by their ends
    attempt: tuple[int, list[tuple[Kept | None, list[Written]]]] | None = None  # the last COMMIT, until it is settled

    def __post_init__(self) -> None:
        if self.adopted:
            for one in self.read(self.file.first, self.file.size):
                if one.record is not None:
                    told.count(self.tallies, one.record.drafts)
                else:
                    self.damaged.add(one.end)
        else:
            self.done = self.file.first

    @property
    def left(self) -> int:
        """Bytes that are not taken in yet."""
        return self.file.size - (self.done or self.file.first)

    @property
    def entries(self) -> int:
        """How many entries were put in, all told."""
        return sum(tally.entries for tally in self.tallies.values())

    def add(self, group: list[tuple[Waiting, bytes]]) -> None:
        """Puts units, with their records, at the end: on the disk when this returns. After an OSError none is there."""
        ends = self.file.add([record for _, record in group])
        for end, (one, _) in zip(ends, group, strict=True):
            told.count(self.tallies, one.unit.drafts)
            kept = _keep(one)
            if kept is not None:
                self.kept[end] = kept

    def read(self, start: int, end: int) -> Iterator[Found]:
        """Records in their order."""
        for after, payload in self.file.read(start, end):
            try:
                record = None if payload is None else decode(payload)
            except ValueError as error:
                logger.error("a record of %s can't be read: %s", self.file.name, error)
                record = None
            yield Found(after, record, self.kept.get(after))

    def forget(self, end: int) -> None:
        """The records up to there are in the database, or never will be."""
        for one in [*takewhile(lambda one: one <= end, self.kept)]:
            kept = self.kept.pop(one)
            if kept.future is not None and not kept.future.done():
                kept.future.set_exception(LookupError("the unit lay in the spool, and can't be read there"))

    def fail(self, error: Exception) -> None:
        """The writer ends: the file keeps what is in it, and whoever waits is told."""
        for kept in self.kept.values():
            if kept.future is not None:
                kept.future.set_exception(error)
        self.kept.clear()
        self.file.close()


def _keep(one: Waiting) -> Kept | None:
    """Settles what is done by being on the disk; returns what is left to do."""
    unit = one.unit
    if not unit.happened:
        return Kept(None, [], one.future, one.doubt)
    places = [Place() for _ in unit.drafts]
    one.settle([Written(None, draft.stream, place, b"") for draft, place in zip(unit.drafts, places, strict=True)])
    if not unit.leaves and unit.guard is None:
        return None  # nobody asks for these numbers: with many of them in the file, memory stays small
    return Kept(unit.guard, places, None, one.doubt)
