"""Waiting for something to happen in a conversation: a bell says look, and without one there is a look every 2 s."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings

from conversations import bells
from echoadmin.request_threads import let_go

T = TypeVar("T")

SHORTEST = 0.01  # seconds between two looks, however often the bell rings
WAITERS = threading.BoundedSemaphore(200)
"""Each holds a thread, but no connection to the database."""


def wait_for(stream: str, look: Callable[[], T | None], seconds: float) -> T | None:
    """What `look` returns as soon as it is not None; None after `seconds`, or at once when 200 wait already.

    Call it outside a transaction; `stream` is the conversation's public id. `look` runs in the caller's thread.
    """
    if not WAITERS.acquire(blocking=False):
        return look()
    try:
        return async_to_sync(_wait)(stream, look, seconds)
    finally:
        WAITERS.release()


async def _wait(stream: str, look: Callable[[], T | None], seconds: float) -> T | None:
    layer, loop = get_channel_layer(), asyncio.get_running_loop()
    until = loop.time() + seconds
    ear = await layer.new_channel("waiting")
    await layer.group_add(bells.tail_group(stream), ear)
    try:
        while True:
            found = await sync_to_async(_look_and_let_go)(look)
            left = until - loop.time()
            if found is not None or left <= 0:
                return found
            await asyncio.sleep(min(SHORTEST, left))
            await _bell(layer, ear, min(settings.LOOK_EVERY, max(0.0, left - SHORTEST)))
    finally:
        await layer.group_discard(bells.tail_group(stream), ear)


async def _bell(layer: object, ear: str, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await layer.receive(ear)  # type: ignore[attr-defined]
    except TimeoutError:
        return


def _look_and_let_go(look: Callable[[], T | None]) -> T | None:
    """A waiter gives its connection back between looks: the pool is for those who do something."""
    try:
        return look()
    finally:
        let_go()
