"""Which thread a request runs on: one that served others before, with its connection to SQLite still open.

Few requests compute at once; the others wait their turn, and take no thread until they have it. Hundreds of threads
that take Python's one lock from each other every tenth of a millisecond (see lifespan.ROOMS_FIRST) do nothing but that,
and each would have a connection to the database, with pages that it caches.

Left to itself Django makes a thread for every request, and with it a connection to the database: 1.5 ms on SQLite, most
of it for the schema to be read, and every page that was cached is forgotten. (PostgreSQL has a pool of connections.)
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.base import BaseHandler
from django.db import connection, connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from echoadmin.turns import Turns

Application = Callable[..., Awaitable[None]]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]

KEPT = 8  # threads that wait for the next request; more are made while more are asked for, and end afterwards
AT_ANY_TIME = ("/healthz",)  # addresses that are answered at once
AT_ONCE = 6  # requests that compute at the same time; on PostgreSQL each has one of DATABASE_POOL's connections


class Turn:
    """One request's: it has it, or has lent it to others while it only waits."""

    def __init__(self) -> None:
        self.has_it = False
        self.asked_at = 0.0  # s of the monotonic clock, when all of the request was there

    def end(self) -> None:
        """Somebody else's now."""
        if self.has_it:
            self.has_it = False
            _turns.give_back()


_turns = Turns(AT_ONCE)
_turn: ContextVar[Turn | None] = ContextVar("turn", default=None)


class TurnHandler(ASGIHandler):
    """Django's, where a request waits for its turn when its body is there, and has it until its answer is.

    Its thread takes it all the way through the middlewares and the view. Django's own handler goes back to the event
    loop before the view, and from there to the thread again: for an echo's POST 23 ms instead of 19, and more where
    threads wait for Python's one lock at each change (uvicorn, two cores).

    What asks whether the process lives does not wait.
    """

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)

    async def handle(self, scope: dict[str, Any], receive: Receive, send: Application) -> None:
        """One request."""
        turn = Turn()
        _turn.set(None if scope["path"] in AT_ANY_TIME else turn)
        try:
            await super().handle(scope, receive, send)
        finally:
            turn.end()

    async def read_body(self, receive: Receive) -> Any:
        """The body, when it is whole and the request's turn has come."""
        body = await super().read_body(receive)
        if (turn := _turn.get()) is not None:
            turn.asked_at = time.monotonic()
            await _turns.taken()
            turn.has_it = True
        return body

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """The request has `asked_at` then: who asked has waited since."""
        turn = _turn.get()
        if turn is not None:
            request.asked_at = turn.asked_at  # type: ignore[attr-defined]
        try:
            return await sync_to_async(self.get_response)(request)
        finally:
            if turn is not None:
                turn.end()


def waiting() -> int:
    """How many requests wait for their turn."""
    return _turns.waiting


@contextmanager
def pause() -> Iterator[None]:
    """Around what only waits (for a bell, for Tavus): another request computes meanwhile, with the connection that this
    one had. Nothing outside of a request."""
    turn = _turn.get()
    if turn is None or not turn.has_it:
        yield
        return
    let_go()
    turn.end()
    try:
        yield
    finally:
        _turns.take()
        turn.has_it = True


class LentThread(Executor):
    """One request's thread, taken when there is something to do."""

    def __init__(self, idle: list[ThreadPoolExecutor]) -> None:
        self._idle = idle  # the one that was used last is used first: its caches are warm
        self._thread: ThreadPoolExecutor | None = None

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run it after what came before."""
        if self._thread is None:
            self._thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, thread_name_prefix="request")
        return self._thread.submit(call, *args, **kwargs)

    def give_back(self) -> None:
        """The request is over."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if len(self._idle) < KEPT:
            self._idle.append(thread)
        else:
            thread.submit(connections.close_all)
            thread.shutdown(wait=False)


class RequestThreads:
    """An ASGI application that lends each HTTP request a thread of its own for as long as it lasts."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self._idle: list[ThreadPoolExecutor] = []

    async def __call__(self, scope: dict[str, Any], receive: Application, send: Application) -> None:
        """Run the request; everything synchronous in it runs on the one thread."""
        thread = LentThread(self._idle)
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.application(scope, receive, send)
        finally:
            thread.give_back()


def let_go() -> None:
    """Give the connection back while its thread waits or ends, unless a transaction is open.

    The pool of PostgreSQL's connections is for those who do something. SQLite's cost nothing while they are idle.
    """
    if connection.vendor != "sqlite" and not connection.in_atomic_block:
        connection.close()
