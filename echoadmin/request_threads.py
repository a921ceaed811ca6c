"""Which thread a request runs on: one that served others before, with its connection to SQLite still open.

Of those threads few compute at once; the others wait their turn. Hundreds that take Python's one lock from each other
every tenth of a millisecond (see lifespan.ROOMS_FIRST) do nothing but that.

Left to itself Django makes a thread for every request, and with it a connection to the database: 1.5 ms on SQLite, most
of it for the schema to be read, and every page that was cached is forgotten. (PostgreSQL has a pool of connections.)
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from django.db import connection, connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

Application = Callable[..., Awaitable[None]]

KEPT = 8  # threads that wait for the next request; more are made while more are asked for, and end afterwards

AT_ONCE = 12  # requests that compute at the same time; on PostgreSQL each has one of DATABASE_POOL's connections

_turns = threading.BoundedSemaphore(AT_ONCE)
_here = threading.local()


def in_turn(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: a request waits until it is among the AT_ONCE, and is one of them until it has its answer."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        with _turns:
            _here.has_turn = True
            try:
                return get_response(request)
            finally:
                _here.has_turn = False

    return answer


@contextmanager
def pause() -> Iterator[None]:
    """Around what only waits (for a bell, for Tavus): another request computes meanwhile, with the connection that this
    one had. Nothing in other threads."""
    if not getattr(_here, "has_turn", False):
        yield
        return
    let_go()
    _here.has_turn = False
    _turns.release()
    try:
        yield
    finally:
        _turns.acquire()
        _here.has_turn = True


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
