"""Callbacks to a conversation's or a replica's ``callback_url``: sent once, in order, without holding anything up.

As documented, there is no signature, no retry, and nobody waits for the answer (docs.tavus.io, webhooks and callbacks).
"""

import asyncio
from collections import deque
from typing import Any

import aiohttp

from echoadmin import clock

TIME_LIMIT = 10.0
REMEMBERED = 1000


class Webhooks:
    """Sends callbacks, each target's one after another, and remembers how the last ones went."""

    def __init__(self) -> None:
        self.sent: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)
        self._http: aiohttp.ClientSession | None = None
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._late: set[asyncio.Task[None]] = set()

    def send(self, url: str, body: dict[str, Any], late: float | None = None) -> None:
        """Send ``body`` to ``url`` in the background, after what was sent there before; no ``url``, nothing to do.

        late: seconds until it is sent, out of its turn.
        """
        if not url:
            return
        if late is not None:
            self._late.add(task := asyncio.create_task(self._send_late(late, url, body)))
            task.add_done_callback(self._late.discard)
            return
        before = self._lanes.get(url)
        lane = asyncio.create_task(self._send_after(before, url, body))
        self._lanes[url] = lane
        lane.add_done_callback(lambda done: self._lanes.pop(url) if self._lanes.get(url) is done else None)

    async def _send_late(self, seconds: float, url: str, body: dict[str, Any]) -> None:
        await asyncio.sleep(seconds)
        await self._send_after(None, url, body)

    async def _send_after(self, before: asyncio.Task[None] | None, url: str, body: dict[str, Any]) -> None:
        if before:
            await asyncio.wait([before])
        self._http = self._http or aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIME_LIMIT))
        outcome: dict[str, Any] = {"at": clock.time(), "url": url, "status": None, "error": None, "body": body}
        try:
            async with self._http.post(url, json=body, allow_redirects=False) as answer:
                outcome["status"] = answer.status
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            outcome["error"] = f"{type(error).__name__}: {error}"
        self.sent.append(outcome)

    async def close(self) -> None:
        """Give what is under way a second, then stop."""
        if self._lanes:
            await asyncio.wait(list(self._lanes.values()), timeout=1.0)
        for task in (*self._lanes.values(), *self._late):
            task.cancel()
        if self._http:
            await self._http.close()
