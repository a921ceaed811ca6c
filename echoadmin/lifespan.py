"""What starts and stops with the server's process, whichever ASGI server it is."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings

from echoadmin import consoles, tracing
from echoadmin.duties import DutyThread, console_holder
from echoadmin.garbage import spare_what_is_loaded

logger = logging.getLogger(__name__)

Channel = Callable[..., Awaitable[Any]]

# s after which a thread that computes lets another go on. Python's own 5 ms, for each of the threads that make pages,
# kept chunks waiting: with 20 rooms, 5 pages and 50 GETs a second 820 ms at p99, and 80 now; pages take twice as long.
ROOMS_FIRST = 0.0001


async def lifespan(scope: dict[str, Any], receive: Channel, send: Channel) -> None:
    """ASGI's lifespan protocol: start everything or say why not, wait, stop everything in reverse order."""
    running = AsyncExitStack()
    await receive()  # lifespan.startup
    try:
        await _start(running)
    except Exception as error:
        logger.exception("the console could not start")
        await running.aclose()
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    spare_what_is_loaded()
    await send({"type": "lifespan.startup.complete"})
    await receive()  # lifespan.shutdown
    try:
        await running.aclose()
    except Exception as error:
        logger.exception("the console did not stop in order")
        await send({"type": "lifespan.shutdown.failed", "message": str(error)})
        return
    await send({"type": "lifespan.shutdown.complete"})


async def _start(running: AsyncExitStack) -> None:
    from conversations import bells

    bells.use_loop(asyncio.get_running_loop())
    running.callback(bells.use_loop, None)
    await sync_to_async(consoles.take)()
    running.push_async_callback(sync_to_async(consoles.release))
    tracing.start(f"console {socket.gethostname()}/{os.getpid()}")
    running.push_async_callback(asyncio.to_thread, tracing.stop)
    if settings.ROOMS == "inline":
        from conversations.rooms.gauges import shown
        from conversations.rooms.worker import start_worker, stop_worker

        running.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(ROOMS_FIRST)
        running.push_async_callback(stop_worker)  # first: a start that fails halfway is stopped too
        worker = await start_worker()
        running.enter_context(shown(worker))
    else:
        duties = DutyThread(console_holder())
        duties.start()
        running.push_async_callback(asyncio.to_thread, duties.stop, 5.0)
