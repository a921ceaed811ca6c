"""From the SDK's threads to the loop: what all rooms of a process report, in the order in which it came.

Waking the loop costs more than most of what it is woken for, so while much comes it is not woken each time: it looks by
itself every few ms, until nothing came.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from conversations.rooms.events import Dropped, Event, Heard

logger = logging.getLogger(__name__)

MOST = 20_000  # app messages of one room that may wait; those over that are counted as dropped
AT_ONCE = 50  # items, then others have a turn on the loop: chunks leave on time
LOOK_EVERY = 0.003  # s, while something comes

T = TypeVar("T")
Item = Event | Callable[[], None]
_inboxes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Inbox] = weakref.WeakKeyDictionary()


class Box:
    """One room's part: who takes its items, on the loop."""

    __slots__ = ("dropped", "heard", "take", "taken")

    def __init__(self, take: Callable[[Item], None]) -> None:
        self.take = take
        self.heard = 0  # app messages, counted by the one thread that brings them
        self.taken = 0  # and on the loop
        self.dropped = 0


class Inbox:
    """Of one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._items: deque[tuple[Box, Item]] = deque()
        self._awake = False
        self._answers = Box(lambda call: call())  # type: ignore[operator]

    def put(self, box: Box, item: Item) -> None:
        """From any thread: note it, wake the loop where it does not look anyway, return at once."""
        if isinstance(item, Heard):
            if box.heard - box.taken >= MOST:
                box.dropped += 1
                return
            box.heard += 1
        self._items.append((box, item))
        if not self._awake:
            self._awake = True
            loop = self._loop()
            try:
                if loop is not None:
                    loop.call_soon_threadsafe(self._look, loop)
            except RuntimeError:  # the loop is closed: the process is ending
                logger.debug("an event of a room came after the end")

    async def answer(self, future: Future[T]) -> T:
        """What a thread of this process puts into `future`; whoever gives up waiting cancels it."""
        waiter: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: self.put(self._answers, partial(_pass_on, done, waiter)))
        try:
            return await waiter
        except asyncio.CancelledError:
            future.cancel()
            raise

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        count = len(self._items)
        if not count:
            self._awake = False
            if not self._items:  # else it came a moment ago, and whoever put it believed that this looks
                return
            self._awake = True
        self._hand_out(min(count, AT_ONCE))
        if count > AT_ONCE:
            loop.call_soon(self._look, loop)
        else:
            loop.call_later(LOOK_EVERY, self._look, loop)

    def _hand_out(self, count: int) -> None:
        full: set[Box] = set()
        for _ in range(count):
            box, item = self._items.popleft()
            box.taken += isinstance(item, Heard)
            _hand(box, item)
            if box.dropped:
                full.add(box)
        for box in full:
            dropped, box.dropped = box.dropped, 0
            _hand(box, Dropped(datetime.now(UTC), dropped))


def _hand(box: Box, item: Item) -> None:
    try:
        box.take(item)
    except Exception:  # of one room; the others' items wait behind it
        logger.exception("a room could not take what was reported")


def _pass_on(done: Future[T], waiter: asyncio.Future[T]) -> None:
    if waiter.done() or done.cancelled():
        waiter.cancel()
    elif error := done.exception():
        waiter.set_exception(error)
    else:
        waiter.set_result(done.result())


def of(loop: asyncio.AbstractEventLoop) -> Inbox:
    """The one of this loop."""
    found = _inboxes.get(loop)
    if found is None:
        found = _inboxes[loop] = Inbox(loop)
    return found
