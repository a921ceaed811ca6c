"""More requests than the console can answer: those of programs are sent away at once, and told when to come back.

Who waits in a long queue waits longest of all, and asks again meanwhile. Pages are let in: people ask for few.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from echoadmin import request_threads
from echoadmin.api.problems import Problem
from echoadmin.bodies import refuse

Application = Callable[..., Awaitable[Any]]

MOST_WAITING = 256  # requests that wait for their turn: ten seconds' work of a small machine
COME_BACK = 2  # s


class Crowding:
    """An ASGI application that passes on what it lets in."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Application, send: Application) -> None:
        """Pass the request on, or answer 429 with nothing done."""
        if not scope["path"].startswith("/api/") or request_threads.waiting() < MOST_WAITING:
            await self.application(scope, receive, send)
            return
        words = f"{MOST_WAITING} requests wait already. Nothing was done; send it again in {COME_BACK} s."
        await refuse(scope, receive, send, Problem(429, "overloaded", words, retry_after=COME_BACK))
