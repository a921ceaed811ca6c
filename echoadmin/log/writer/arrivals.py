"""Units on their way from those that put them to the writer's thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from itertools import islice
from time import monotonic

from echoadmin.log.writer.backlog import Waiting


class Arrivals:
    """In the order in which they came. `closing_at`: when a stop stops waiting for the database, by monotonic()."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.closing_at: float | None = None
        self._queue: deque[Waiting] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def over(self) -> bool:
        """Whether nothing is waited for any longer."""
        return self.closing_at is not None and monotonic() > self.closing_at

    def add(self, waiting: Waiting) -> None:
        """With `changed` held."""
        self._queue.append(waiting)
        self.changed.notify()

    def close(self, timeout: float) -> None:
        """Nothing more comes."""
        with self.changed:
            self.closing_at = monotonic() + timeout
            self.changed.notify_all()

    def look(self) -> None:
        """Something else that is waited for has come."""
        with self.changed:
            self.changed.notify_all()

    def take(self, most: int) -> list[Waiting]:
        """All that waits, up to about so many entries; waits for the first, and is empty when the writer is to end."""
        with self.changed:
            while not self._queue and self.closing_at is None:
                self.changed.wait()
            batch: list[Waiting] = []
            entries = 0
            while self._queue and entries < most:
                waiting = self._queue.popleft()
                entries += len(waiting.unit.drafts)
                batch.append(waiting)
        return batch

    def next_ones(self, most: int) -> list[Waiting]:
        """The first that wait, at most so many; they stay."""
        with self.changed:
            return [*islice(self._queue, most)]

    def take_all(self) -> list[Waiting]:
        """All that waits now."""
        with self.changed:
            batch = list(self._queue)
            self._queue.clear()
        return batch

    def wait(self, ready: Callable[[], bool]) -> None:
        """Until there is a unit, or `ready` is, or the writer is to end."""
        with self.changed:
            closing_at = self.closing_at
            left = None if closing_at is None else max(0.0, closing_at - monotonic()) + 0.001
            self.changed.wait_for(lambda: bool(self._queue) or ready() or self.closing_at != closing_at, left)

    def gather(self, until: float, ready: Callable[[], bool]) -> None:
        """Until the moment `until`, or something waits to leave, or `ready` is, or the writer is to end."""
        with self.changed:
            while (left := until - monotonic()) > 0 and self.closing_at is None and not ready():
                if any(waiting.unit.leaves for waiting in self._queue):
                    return
                self.changed.wait(left)
