"""The threads in which WebSockets read and write the database: few, and none of them the event loop's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar

from echoadmin.request_threads import let_go

P = ParamSpec("P")
T = TypeVar("T")

READERS = ThreadPoolExecutor(4, thread_name_prefix="live-readers")
WRITERS = ThreadPoolExecutor(4, thread_name_prefix="live-writers")


async def in_thread(pool: ThreadPoolExecutor, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `call` returns; its connection is given back to PostgreSQL's pool right after."""

    def work() -> T:
        try:
            return call(*args, **kwargs)
        finally:
            let_go()

    return await asyncio.get_running_loop().run_in_executor(pool, copy_context().run, work)
