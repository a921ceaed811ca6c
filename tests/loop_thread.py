"""An event loop in a thread of its own, for what lives on one while tests are plain sync code."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread(threading.Thread):
    """An event loop that lives as long as the test run: the SDK and the channel layer are bound to one."""

    def __init__(self) -> None:
        super().__init__(name="rooms-loop", daemon=True)
        self.loop = asyncio.new_event_loop()

    def run(self) -> None:
        self.loop.run_forever()

    def do(self, work: Coroutine[Any, Any, T], timeout: float = 40) -> T:
        """Run a coroutine there and wait for what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function there, as the loop's own code would."""

        async def called() -> T:
            return function(*args)

        return self.do(called())

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.join(5)
