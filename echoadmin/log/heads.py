"""The highest id up to which the log is whole: what a reader across streams may pass, and no further."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from time import monotonic

from django.db import connection

from echoadmin.log.models import Entry

# Everybody who writes to the table holds this lock from before an id is drawn to the end of the transaction. The
# newest visible id is of the statement's beginning, the locks are looked up after that.
_LOOK = """
SELECT (SELECT max(id) FROM log_entry), ARRAY(
    SELECT virtualtransaction FROM pg_locks
    WHERE relation = 'log_entry'::regclass AND mode = 'RowExclusiveLock' AND granted AND pid <> pg_backend_pid()
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)"""


class SafeHead:
    """The highest id up to which no entry can appear any more.

    PostgreSQL hands out ids before they are committed, so an entry can become visible after one with a higher id. What
    was the newest id is safe when all who were writing at that look have ended, and after 5 s at the latest: the log's
    transactions hold their ids for under 4 s. Times are this process's own, never `at`. SQLite has one writing
    transaction at a time, and no such gaps.
    """

    WAIT = 5.0  # seconds

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: deque[tuple[float, int]] = deque()
        self._pending: tuple[int, frozenset[str]] | None = None  # the newest id of a look, and who wrote then
        self._safe = 0

    def __call__(self) -> int:
        """Looks, and returns the id; 0 where others were writing at the first look, and for 5 s have not ended."""
        if connection.vendor != "postgresql":
            return Entry.objects.order_by("-id").values_list("id", flat=True).first() or 0
        with self._lock, connection.cursor() as cursor:  # one look after the other: their order is what counts
            cursor.execute(_LOOK)
            newest, writers = cursor.fetchone()
            return self.saw(newest or 0, frozenset(writers))

    def saw(self, newest: int, writers: frozenset[str]) -> int:
        """Notes that `newest` was the highest visible id just now, and that `writers` were writing."""
        if self._pending is not None and not self._pending[1] & writers:
            self._safe = max(self._safe, self._pending[0])
            self._pending = None
        if not writers:
            self._safe = max(self._safe, newest)
        elif self._pending is None:
            self._pending = (newest, writers)
        now = self._clock()
        if not self._seen or self._seen[-1][0] <= now - 0.1:  # 50 notes suffice
            self._seen.append((now, newest))
        while self._seen and self._seen[0][0] <= now - self.WAIT:
            self._safe = max(self._safe, self._seen.popleft()[1])
        return self._safe


safe_head = SafeHead()
