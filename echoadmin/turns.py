"""Taking turns: threads and coroutines that may do something, so many at once, in the order in which they came."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Future


class Turns:
    """So many at once, the others in the order in which they came. From any thread and any event loop."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._lock = threading.Lock()
        self._waiting: deque[Future[None]] = deque()

    def take(self, seconds: float | None = None) -> None:
        """Blocks until it is one's turn. Raises TimeoutError when that has not come so soon."""
        asked = self._asked()
        try:
            asked.result(seconds)
        except TimeoutError:
            self._not_wanted(asked)
            raise

    async def taken(self) -> None:
        """The same on an event loop. Whoever goes away meanwhile has no turn."""
        asked = self._asked()
        try:
            await asyncio.wrap_future(asked)
        except asyncio.CancelledError:
            self._not_wanted(asked)
            raise

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def give_back(self) -> None:
        """To who has waited longest."""
        with self._lock:
            while self._waiting:
                if (next_one := self._waiting.popleft()).set_running_or_notify_cancel():
                    next_one.set_result(None)
                    return
            self._free += 1

    def _not_wanted(self, asked: Future[None]) -> None:
        if not asked.cancel() and not asked.cancelled():  # it has come just now
            self.give_back()

    def _asked(self) -> Future[None]:
        asked: Future[None] = Future()
        with self._lock:
            if self._free:
                self._free -= 1
                asked.set_result(None)
            else:
                self._waiting.append(asked)
        return asked
