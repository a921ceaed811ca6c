"""Samples that come over a WebSocket while they are made: stored as they come, said while they arrive."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import Any

from conversations.live import asked
from conversations.live.answers import Answers
from conversations.live.flow import STORING_LIMIT, Flow
from conversations.live.looks import READERS, WRITERS, in_thread
from conversations.live.visitor import Visitor
from conversations.models import Echo
from conversations.refusals import TooLarge
from conversations.serializers import echo_dict
from conversations.services import speaking
from echoadmin.api.problems import refused

REST = 0.04  # s between two writes while samples come in small frames: a chunk for the room lasts longer


class AudioIn:
    """The one audio echo that takes a connection's binary frames."""

    def __init__(self, answers: Answers, flow: Flow) -> None:
        self._answers = answers
        self._flow = flow
        self._echo: Echo | None = None
        self._ref: Any = None  # of the `audio` that opened it
        self._given_up = False  # why was told: what still comes of it is dropped without a word
        self._samples = bytearray()
        self._storing: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()  # somebody waits until all is stored

    @property
    def is_open(self) -> bool:
        """Whether binary frames belong to an echo."""
        return self._echo is not None

    async def open(self, visitor: Visitor, conversation_id: int, data: dict[str, Any], ref: Any) -> None:
        """`audio`."""
        echo = await in_thread(WRITERS, asked.open_audio, visitor, conversation_id, data)
        self._echo, self._ref, self._given_up = echo, ref, False
        self._flow.opened(echo)
        await self._answers.ack(ref, echo=echo_dict(echo))  # of a new one, all is at hand

    async def frame(self, samples: bytes) -> None:
        """PCM16 little-endian mono; no answer unless something is wrong."""
        if self._echo is None:
            if not self._given_up:
                words = 'No audio is open. Send {"type": "audio", "sample_rate": 24000} first.'
                await self._answers.error(refused(409, "no_audio", words), None)
            return
        self._samples += samples
        await self._flow.came(self._echo.inference_id, len(samples), len(self._samples))
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store())
        elif len(self._samples) > STORING_LIMIT:
            await self._all_stored()  # until then the socket is not read

    async def close(self, ref: Any) -> None:
        """`audio_end`."""
        await self._all_stored()
        echo, given_up = self._echo, self._given_up
        odd = len(self._samples)
        self._drop(given_up=False)
        if echo is None:
            if given_up:
                raise refused(409, "echo_closed", "This echo was closed; the error that came before says why.")
            raise refused(409, "no_audio", "No audio is open on this connection.")
        echo = await in_thread(WRITERS, partial(speaking.append_audio, echo=echo, pcm=b"", done=True))
        if odd:
            raise refused(400, "invalid", "The frames end in the middle of a sample; all before it will be said.")
        await self._answers.ack(ref, echo=await in_thread(READERS, echo_dict, echo))

    async def stop(self) -> None:
        """The connection is gone: what came is stored; the room closes the echo when nothing follows."""
        await self._all_stored()

    async def _all_stored(self) -> None:
        if self._storing is not None:
            self._hurry.set()
            await self._storing
            self._hurry.clear()

    async def _store(self) -> None:
        """As long as whole samples wait: whatever came meanwhile is stored at once."""
        while self._echo is not None and len(self._samples) >= 2:
            whole = len(self._samples) // 2 * 2
            pcm, echo, ref = bytes(self._samples[:whole]), self._echo, self._ref
            del self._samples[:whole]
            try:
                await in_thread(WRITERS, partial(speaking.append_audio, echo=echo, pcm=pcm))
            except Exception as error:  # noqa: BLE001 - it is told, and the echo takes no more
                self._drop(given_up=True)
                await self._answers.error(error, ref, inference_id=echo.inference_id)
                await self._end_what_fits(echo, error)
            await self._flow.stored(len(self._samples))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REST):
                    await self._hurry.wait()

    async def _end_what_fits(self, echo: Echo, error: Exception) -> None:
        """What came before the samples that were too many is the whole echo."""
        if isinstance(error, TooLarge):
            await in_thread(WRITERS, partial(speaking.append_audio, echo=echo, pcm=b"", done=True))

    def _drop(self, *, given_up: bool) -> None:
        self._echo, self._given_up = None, given_up
        self._samples.clear()
