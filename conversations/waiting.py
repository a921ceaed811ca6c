"""Waiting for something to happen in a conversation: a bell says look, and without one there is a look every 2 s."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings

from conversations import bells
from echoadmin.request_threads import let_go, pause

logger = logging.getLogger(__name__)
T = TypeVar("T")

SHORTEST = 0.01  # seconds between two looks, however often the bell rings
JOIN_AGAIN = 600.0  # s until a group is joined again: a Redis that began anew has forgotten who was in it
WAITERS = threading.BoundedSemaphore(200)
"""Each holds a thread, but no connection to the database."""


def wait_for(stream: str, look: Callable[[], T | None], seconds: float) -> T | None:
    """What `look` returns as soon as it is not None; None after `seconds`, or at once when 200 wait already.

    Call it outside a transaction; `stream` is the conversation's public id. `look` runs in the caller's thread.
    """
    if not WAITERS.acquire(blocking=False):
        return look()
    try:
        with pause():
            return async_to_sync(_wait)(stream, look, seconds)
    finally:
        WAITERS.release()


async def _wait(stream: str, look: Callable[[], T | None], seconds: float) -> T | None:
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    ear = Ear(bells.tail_group(stream))
    await ear.open()
    try:
        while True:
            found = await sync_to_async(_look_and_let_go)(look)
            left = until - loop.time()
            if found is not None or left <= 0:
                return found
            await asyncio.sleep(min(SHORTEST, left))
            await ear.hear(min(settings.LOOK_EVERY, max(0.0, left - SHORTEST)))
    finally:
        await ear.close()


class Ear:
    """Hears the bells of a group. While the channel layer is away it hears nothing, and who waits looks by the clock.

    One task receives over all looks, and nobody waits for its end: channels_redis on redis-py can take a cancellation
    in without ending, and whoever waited for that would wait for good.
    """

    def __init__(self, group: str) -> None:
        self.group = group
        self.layer: Any = get_channel_layer()
        self.channel = ""  # empty while nothing is heard
        self._joined = 0.0
        self._rang = asyncio.Event()
        self._is_deaf = False  # and that was told
        self._receiving: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """From now on no bell is missed."""
        try:
            # Its usual prefix: of the channels of one process channels_redis reads one prefix at a time.
            channel = await self.layer.new_channel()
            await self.layer.group_add(self.group, channel)
        except Exception as error:  # noqa: BLE001 - whatever the layer's client raises: looks make up for it
            self._fail(error)
            return
        self.channel, self._joined, self._is_deaf = channel, asyncio.get_running_loop().time(), False
        self._receiving = asyncio.create_task(self._receive(channel))

    async def hear(self, seconds: float) -> bool:
        """Until a bell rings, at most so long; whether one did since the last time, however many."""
        if not self.channel:
            await asyncio.sleep(seconds)
            await self.open()
            return False
        await self._join_again()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rang.wait()
        rang = self._rang.is_set()
        self._rang.clear()
        return rang

    async def close(self) -> None:
        """Leaves the group."""
        channel, self.channel = self.channel, ""
        if self._receiving is not None:
            self._receiving.cancel()
        if channel:
            try:
                await self.layer.group_discard(self.group, channel)
            except Exception as error:  # noqa: BLE001 - the group forgets a silent channel by itself
                self._fail(error)

    async def _receive(self, channel: str) -> None:
        try:
            while channel == self.channel:
                await self.layer.receive(channel)
                self._rang.set()
        except Exception as error:  # noqa: BLE001 - as when it opens
            if channel == self.channel:
                self._fail(error)
                self._rang.set()

    async def _join_again(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._joined > JOIN_AGAIN:
            self._joined = now
            try:
                await self.layer.group_add(self.group, self.channel)
            except Exception as error:  # noqa: BLE001 - as when it opens
                self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self._is_deaf:
            logger.warning("bells are not heard, so it is looked every %s s: %s", settings.LOOK_EVERY, error)
        self.channel, self._is_deaf = "", True


def _look_and_let_go(look: Callable[[], T | None]) -> T | None:
    """A waiter gives its connection back between looks: the pool is for those who do something."""
    try:
        return look()
    finally:
        let_go()
