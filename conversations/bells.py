"""Bells: "look again", sent through the channel layer. They carry ids only, and may get lost: who waits also looks.

`rooms.<worker>` is a worker's channel, `rooms` the group of all; `tail.<stream>` is the group of a stream's readers.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine, Iterable
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

logger = logging.getLogger(__name__)

ROOMS = "rooms"
# What a bell can be about; "" is anything. An echo of audio: nothing is looked for that could be claimed in one go.
ECHO, AUDIO, INTERACTION, ROOM = "echo", "audio", "interaction", "room"
TAIL_EVERY = 0.1  # s, at most so often the readers of a stream that grows are told by a worker

_loop: asyncio.AbstractEventLoop | None = None
_ringing: set[asyncio.Task[None]] = set()


def use_loop(loop: asyncio.AbstractEventLoop | None) -> None:
    """From now on bells are rung on this loop (the server's), without anybody waiting for them."""
    global _loop
    _loop = loop


def worker_channel(worker: str) -> str:
    """The channel of one worker."""
    return f"rooms.{worker}"


def tail_group(stream: str) -> str:
    """The group of those who read a stream: a conversation's public id, or `account`."""
    return f"tail.{stream}"


def ring_room_on_commit(conversation_id: int, worker: str | None, about: str) -> None:
    """After the commit: tell the room's worker, or all of them while nobody holds it, where to look."""
    transaction.on_commit(lambda: ring(_room_bell(conversation_id, worker, about)), robust=True)


def ring_room(conversation_id: int, about: str) -> None:
    """Tell all workers at once: the room is free."""
    ring(_room_bell(conversation_id, None, about))


def ring_worker_on_commit(worker: str) -> None:
    """After the commit: tell a worker that something else is wanted of it."""
    transaction.on_commit(lambda: ring(_room_bell(0, worker, ROOM)), robust=True)


def ring_tail(stream: str) -> None:
    """Tell the readers of a stream that it grew, or that an echo of its conversation changed."""
    ring(_group(tail_group(stream), {"type": "tail.grew", "stream": stream}))


def ring_tail_on_commit(stream: str) -> None:
    """The same after the commit."""
    transaction.on_commit(lambda: ring_tail(stream), robust=True)


def ring(bell: Coroutine[Any, Any, None]) -> None:
    """Ring from any thread; a bell that fails is only a look that comes later."""
    loop = _loop
    if loop is not None and loop.is_running():
        loop.call_soon_threadsafe(_start, bell)
        return
    async_to_sync(_carefully)(bell)


def _start(bell: Coroutine[Any, Any, None]) -> None:
    task = asyncio.get_running_loop().create_task(_carefully(bell))
    _ringing.add(task)
    task.add_done_callback(_ringing.discard)


async def _carefully(bell: Coroutine[Any, Any, None]) -> None:
    try:
        await bell
    except Exception as error:  # noqa: BLE001 - whatever the layer's client raises, the look every 2 s makes up for it
        logger.warning("a bell did not ring: %s", error)


class Tails:
    """Rings for streams that grow all the time: the first at once, then each at most every TAIL_EVERY seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._grown: set[str] = set()
        self._resting = False

    def grew(self, streams: Iterable[str]) -> None:
        """From any thread. Without a loop to ring on, each is rung for at once."""
        loop = _loop
        if loop is None or not loop.is_running():
            for stream in streams:
                ring_tail(stream)
            return
        with self._lock:
            self._grown.update(streams)
            begins, self._resting = not self._resting, True
        if begins:
            loop.call_soon_threadsafe(self._ring, loop)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            grown, self._grown = self._grown, set()
            self._resting = bool(grown)
        for stream in grown:
            _start(_group(tail_group(stream), {"type": "tail.grew", "stream": stream}))
        if grown:
            loop.call_later(TAIL_EVERY, self._ring, loop)


async def _room_bell(conversation_id: int, worker: str | None, about: str) -> None:
    message = {"type": "room.bell", "conversation": conversation_id, "about": about}
    layer = get_channel_layer()
    if worker is None:
        await layer.group_send(ROOMS, message)
    else:
        await layer.send(worker_channel(worker), message)


async def _group(group: str, message: dict[str, Any]) -> None:
    await get_channel_layer().group_send(group, message)
