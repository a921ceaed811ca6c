"""Which thread a request runs on: one that served others before, with its connection to SQLite still open.

Left to itself Django makes a thread for every request, and with it a connection to the database: 1.5 ms on SQLite, most
of it for the schema to be read, and every page that was cached is forgotten. (PostgreSQL has a pool of connections.)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from django.db import connection, connections

Application = Callable[..., Awaitable[None]]

KEPT = 8  # threads that wait for the next request; more are made while more are asked for, and end afterwards


class RequestThreads:
    """An ASGI application that lends each HTTP request a thread of its own for as long as it lasts."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self._idle: list[ThreadPoolExecutor] = []  # the one that was used last is used first: its caches are warm

    async def __call__(self, scope: dict[str, Any], receive: Application, send: Application) -> None:
        """Run the request; everything synchronous in it runs on the one thread."""
        thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, thread_name_prefix="request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.application(scope, receive, send)
        finally:
            if len(self._idle) < KEPT:
                self._idle.append(thread)
            else:
                thread.submit(connections.close_all)
                thread.shutdown(wait=False)


def let_go() -> None:
    """Give the connection back while its thread waits or ends, unless a transaction is open.

    The pool of PostgreSQL's connections is for those who do something. SQLite's cost nothing while they are idle.
    """
    if connection.vendor != "sqlite" and not connection.in_atomic_block:
        connection.close()
