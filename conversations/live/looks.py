"""How those who follow look at the database: in few threads, none of them the event loop's, and not too often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar

from conversations.waiting import Ear
from echoadmin.request_threads import let_go

P = ParamSpec("P")
T = TypeVar("T")

READERS = ThreadPoolExecutor(2, thread_name_prefix="live-readers")
WRITERS = ThreadPoolExecutor(2, thread_name_prefix="live-writers")

SHORTEST, LONGEST = 0.1, 1.0  # seconds between two looks: as soon as that, and no later where a bell rings
SHARE = 4  # a follower rests so many times as long as its look took: where many look at once, each looks less often
SETTLE = 0.02  # seconds from a bell to the look: what rang it goes to the room first


async def in_thread(pool: ThreadPoolExecutor, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `call` returns; its connection is given back to PostgreSQL's pool right after."""

    def work() -> T:
        try:
            return call(*args, **kwargs)
        finally:
            let_go()

    return await asyncio.get_running_loop().run_in_executor(pool, copy_context().run, work)


def rest_after(took: float) -> float:
    """Seconds until the next look, after one that took so long, its wait for a thread and for the reader included."""
    return min(LONGEST, max(SHORTEST, SHARE * took))


async def rest(ear: Ear, took: float, look_every: float) -> None:
    """Until it is worth to look again: after a rest, when a bell rings, and without one after `look_every` seconds."""
    shortest = rest_after(took)
    await asyncio.sleep(shortest)
    if await ear.hear(max(0.0, look_every - shortest)):
        await asyncio.sleep(SETTLE)
