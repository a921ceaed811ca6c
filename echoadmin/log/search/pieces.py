"""SQLite's text index is kept in pieces, which are merged here: little by little, so that the log's writer never waits.

Each transaction adds a piece to an FTS5 index, the marks of what was taken out included. FTS5 would merge pieces in
those transactions (https://www.sqlite.org/fts5.html#the_automerge_configuration_option), by the pages that it writes.
Where marks meet what they mark nothing is left to write, and thousands of pages are read in one go, for up to 400 ms.
So that is off. Pieces are merged after each transaction, a little at a time; and large ones, for an hour after entries
were taken out, only while nothing else is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from echoadmin.log.index.following import After

TABLES = ("log_words", "log_facets")
SETTINGS = tuple(
    f"INSERT INTO {table}({table}, rank) VALUES ('{name}', {value})"
    for table in TABLES
    # Whole levels would be merged at once from `crisismerge` pieces on; more than 2,000 there may not be.
    for name, value in (("automerge", 0), ("crisismerge", 200))
)
ENOUGH = 4  # pieces of a level, to be merged to one of the next: FTS5's `usermerge`
LARGE = 400  # pages that go into a merge; reading one takes up to 0.1 ms
FEWEST, MOST = 1, 64  # pages to be written by one merge
AIM = 0.01  # seconds for it
SLOW = 0.05  # seconds of a merge, from which on large pieces wait too
PATIENT = 3600.0  # seconds that they wait for a moment in which nothing is written
MANY = 64  # pieces of a level, which wait no longer: each costs a search some 20 µs


@dataclass(frozen=True, slots=True)
class Level:
    """Pieces of about the same size, oldest first. `merging`: how many of them a merge under way takes in."""

    merging: int
    pages: list[int]  # of each piece

    @property
    def is_large(self) -> bool:
        """Whether a merge may take long."""
        return sum(self.pages) > LARGE


class Tidy:
    """Merges pieces, some at each call, in transactions of its own, which hold the database's lock for about AIM."""

    def __init__(self) -> None:
        self._pages = dict.fromkeys(TABLES, 8)
        self._patient_until = 0.0

    def __call__(self, connection: BaseDatabaseWrapper, after: After) -> bool:
        """Merges some of each table's, where there are enough; returns whether there were."""
        merged = False
        if after == "pruning":
            self._patient_until = monotonic() + PATIENT
        patient = after != "nothing" and monotonic() < self._patient_until
        for table in TABLES:
            with connection.cursor() as cursor:
                level = next_to_merge(levels(cursor, table))
            if level is None or (patient and level.is_large and len(level.pages) < MANY):
                continue
            merged = True
            if self._merge(connection, table) > SLOW:
                self._patient_until = monotonic() + PATIENT
        return merged

    def _merge(self, connection: BaseDatabaseWrapper, table: str) -> float:
        pages = self._pages[table]
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            started = monotonic()
            cursor.execute(f"INSERT INTO {table}({table}, rank) VALUES ('merge', {pages})")
        took = max(monotonic() - started, 0.0001)
        self._pages[table] = round(min(MOST, max(FEWEST, min(pages * AIM / took, pages * 1.5 + 1))))
        return took


def next_to_merge(levels: list[Level]) -> Level | None:
    """The level that FTS5 goes on with, as its fts5IndexMerge() chooses: the lower ones first, then the fullest."""
    best: Level | None = None
    for level in levels:
        if level.merging:
            return level if best is None or level.merging > len(best.pages) else _enough(best)
        if level.pages and (best is None or len(level.pages) > len(best.pages)):
            best = level
    return _enough(best)


def _enough(level: Level | None) -> Level | None:
    return level if level is not None and len(level.pages) >= ENOUGH else None


def levels(cursor: CursorWrapper, table: str) -> list[Level]:
    """The pieces of the index, the smallest first. Format: fts5StructureDecode() in SQLite's fts5_index.c."""
    cursor.execute(f"SELECT block FROM {table}_data WHERE id = 10")
    found = cursor.fetchone()
    if found is None:
        return []
    numbers = _varints(bytes(found[0])[4:])
    count, _pieces, _written = next(numbers), next(numbers), next(numbers)
    made = []
    for _ in range(count):
        merging, pieces = next(numbers), next(numbers)
        spans = [(next(numbers), next(numbers), next(numbers)) for _ in range(pieces)]
        made.append(Level(merging, [last - first + 1 for _, first, last in spans]))
    return made


def _varints(data: bytes) -> Iterator[int]:
    """SQLite's numbers of variable length (https://www.sqlite.org/fileformat2.html#varint), here of below 2^56."""
    number = 0
    for byte in data:
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            yield number
            number = 0
