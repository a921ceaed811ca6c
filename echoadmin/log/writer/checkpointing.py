"""SQLite's checkpoints beside the writer, not in it: copying pages back and waiting for the disk takes 100 ms and more.

In WAL mode whoever commits past `wal_autocheckpoint` pages copies them back at once, in the commit that it waits for
(https://www.sqlite.org/wal.html#ckpt). Here a thread does that every two seconds. PASSIVE keeps nobody from writing;
only FULL, for what came meanwhile, takes the lock, for some pages, so that the file is begun anew and does not grow.
It waits for the disk while it holds the lock; so it follows on a PASSIVE one for which the disk was quick.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from time import monotonic

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.backends.utils import CursorWrapper

logger = logging.getLogger(__name__)

Cursor = CursorWrapper | sqlite3.Cursor
EVERY = 2.0  # seconds
LONG = 16_000  # pages (64 MB) in the WAL file, from which on it is begun anew when that holds nobody up
TOO_LONG = 64_000  # and from here on whatever the disk does
FEW = 500  # pages that are left for FULL, which has to have the lock; those that came meanwhile are copied before
QUICK = 0.03  # seconds for the PASSIVE one before
MOST_TIMES = 6
PATIENCE = 20  # ms that FULL waits for others' locks, while writers wait for its own


class Checkpointer:
    """A thread that keeps the WAL file short. `start` it once, `stop` it at the end."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-checkpointer", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it, after the checkpoint that is under way."""
        self._over.set()
        self._thread.join(5)

    def _run(self) -> None:
        try:
            while not self._over.wait(EVERY):
                try:
                    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
                        checkpoint(cursor)
                except DatabaseError as error:
                    logger.warning("no checkpoint: %s", error)
                    connections[DEFAULT_DB_ALIAS].close()
        finally:
            connections.close_all()


def checkpoint(cursor: Cursor) -> int:
    """Copies back what can be; returns how many pages of the WAL file are still needed, as far as is known."""
    cursor.execute(f"PRAGMA busy_timeout={PATIENCE}")
    pages, done = _copy_back(cursor, "PASSIVE")
    if pages >= LONG and (_few_are_left(cursor, pages) or pages >= TOO_LONG):
        pages, done = _copy_back(cursor, "FULL")
    return pages - done


def _few_are_left(cursor: Cursor, pages: int) -> bool:
    """Copies back what comes meanwhile, until that is little and done quickly; False where it never is."""
    for _ in range(MOST_TIMES):
        before, started = pages, monotonic()
        pages, _done = _copy_back(cursor, "PASSIVE")
        if pages - before < FEW and monotonic() - started < QUICK:
            return True
    return False


def _copy_back(cursor: Cursor, mode: str) -> tuple[int, int]:
    cursor.execute(f"PRAGMA wal_checkpoint({mode})")
    _busy, pages, done = cursor.fetchone()
    return pages, done
