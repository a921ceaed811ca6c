"""Tells who speaks over a WebSocket to pause before a limit is met, and when to go on."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from conversations import audio
from conversations.models import Echo
from conversations.models.echo import FINAL_STATES

Send = Callable[[dict[str, Any]], Awaitable[None]]
STORING_LIMIT = 1_000_000  # bytes of samples that wait to be stored before the socket is read on
PAUSE_AT = 0.75  # of a limit; of ECHO_BUFFER, which is none, all of it
FOUND = 200  # echoes; more are not made between a look and the answers that are on their way
RESUME_AT = 0.5  # of what it was paused at
WAITING = ("queued", "held")


@dataclass
class _Streamed:
    """An audio echo that this connection streams."""

    rate: int  # Hz
    chunk_bytes: int
    came: int = 0  # bytes
    left: int = 0  # bytes, by the chunks that Daily's SDK took

    @property
    def unsaid(self) -> int:
        """Bytes that have not left for the room."""
        return max(0, self.came - self.left)


class Flow:
    """What one connection has sent and the room has not had yet, and how much waits in the conversation's queue."""

    def __init__(self, send: Send) -> None:
        self.is_paused = False
        self._send = send
        self._streamed: dict[str, _Streamed] = {}
        self._queued = 0  # as the last look found
        self._new: set[str] = set()  # echoes of this connection that no look has found yet
        self._found: deque[str] = deque(maxlen=FOUND)  # those that the last looks did
        self._unstored = 0

    def opened(self, echo: Echo) -> None:
        """One more waits, and samples will come for it."""
        rate = int(echo.sample_rate or audio.RATE)
        self.queued(echo.inference_id)
        self._streamed[echo.inference_id] = _Streamed(rate, audio.chunk_bytes(rate, settings.ECHO_CHUNK_BYTES))

    def queued(self, inference_id: str) -> None:
        """One more echo waits."""
        if inference_id not in self._found:
            self._new.add(inference_id)

    async def came(self, inference_id: str, nbytes: int, unstored: int) -> None:
        """Samples came; `unstored` bytes wait to be stored."""
        if inference_id in self._streamed:
            self._streamed[inference_id].came += nbytes
        self._unstored = unstored
        await self.look()

    async def stored(self, unstored: int) -> None:
        """Samples were stored, or given up."""
        self._unstored = unstored
        await self.look()

    def seen(self, echo: dict[str, Any]) -> None:
        """An echo as the ledger has it now."""
        self._new.discard(echo["inference_id"])
        self._found.append(echo["inference_id"])
        streamed = self._streamed.get(echo["inference_id"])
        if streamed is None:
            return
        if echo["state"] in FINAL_STATES or echo["times"]["sent"] is not None:
            del self._streamed[echo["inference_id"]]
        else:
            streamed.left = echo["chunks_sent"] * streamed.chunk_bytes

    def counted(self, queued: int) -> None:
        """So many echoes wait in the conversation."""
        self._queued = queued

    async def look(self) -> None:
        """Tell `pause` or `resume` where that is another than was told last."""
        ms = sum(round(1000 * audio.seconds(one.unsaid, one.rate)) for one in self._streamed.values())
        queued = self._queued + len(self._new)
        load = {
            "buffer": ms / (1000 * settings.ECHO_BUFFER),
            "storing": self._unstored / (PAUSE_AT * STORING_LIMIT),
            "queue": queued / (PAUSE_AT * settings.ECHO_MAX_QUEUED),
        }
        fullest = max(load, key=lambda name: load[name])
        paused = load[fullest] > RESUME_AT if self.is_paused else load[fullest] >= 1
        if paused == self.is_paused:
            return
        self.is_paused = paused
        state = {"state": "pause", "because": fullest} if paused else {"state": "resume"}
        nbytes = sum(one.unsaid for one in self._streamed.values())
        await self._send({"type": "flow", **state, "buffered_ms": ms, "buffered_bytes": nbytes, "queued": queued})
