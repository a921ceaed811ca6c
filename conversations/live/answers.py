"""What is answered over a WebSocket: `ack` and `error`, each with the `ref` of what it answers."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from echoadmin.api.errors import problem_of
from echoadmin.api.problems import Problem

logger = logging.getLogger(__name__)

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Answers:
    """One connection's answers."""

    def __init__(self, send: Send) -> None:
        self.send = send

    async def ack(self, ref: Any, **more: Any) -> None:
        """It was done, or accepted."""
        await self.send({"type": "ack", "ref": ref, **more})

    async def error(self, error: Exception, ref: Any, **more: Any) -> None:
        """It can't be; what is not known as a problem is logged."""
        problem = problem_of(error)
        if problem is None:
            logger.error("a message over a WebSocket failed", exc_info=error)
            problem = Problem(500, "internal", "Something here is broken, not your message.")
        await self.send({"type": "error", "ref": ref, **more, **problem.body(None)})
