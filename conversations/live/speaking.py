"""What comes in over a conversation's WebSocket: echoes, interrupts, and audio and texts while they are being made."""

from __future__ import annotations

import asyncio
from typing import Any

from django.conf import settings

from conversations.live import asked
from conversations.live.answers import Answers, Send
from conversations.live.audio_in import AudioIn
from conversations.live.flow import Flow
from conversations.live.looks import READERS, WRITERS, in_thread
from conversations.live.text_in import TextIn
from conversations.live.visitor import Unwelcome, Visitor
from conversations.models import Conversation, Interaction
from conversations.services import speaking
from echoadmin.api.problems import refused

TICK = 0.05  # seconds between two looks at an interrupt
MOST_FOLLOWED = 8  # interrupts of one connection whose outcome is waited for, before the socket is read on


class Speech:
    """One connection's speaking. Messages and frames are dealt with in the order in which they came.

    Who they are and what they may is asked with each thing that is to be said, in its own trip to a thread.
    """

    def __init__(self, conversation: Conversation, send: Send) -> None:
        self.conversation = conversation
        self.answers = Answers(send)
        self.flow = Flow(send)
        self._audio = AudioIn(self.answers, self.flow)
        self._text = TextIn(self.answers, self.flow)
        self._following: set[asyncio.Task[None]] = set()

    async def message(self, visitor: Visitor, text: str) -> None:
        """One JSON message; answered by `ack` or `error` with its `ref`. Raises Unwelcome."""
        ref = None
        try:
            data = asked.parsed(text)
            ref = asked.ref_of(data)
            await self._do(visitor, asked.checked(data), ref)
        except Unwelcome:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told; the connection lives on
            await self.answers.error(error, ref)

    async def frame(self, samples: bytes) -> None:
        """PCM16 little-endian mono for the echo that `audio` opened."""
        await self._audio.frame(samples)

    async def seen(self, echoes: list[dict[str, Any]], queued: int) -> None:
        """What a look at the ledger found: echoes that changed, and how many wait."""
        for echo in echoes:
            self.flow.seen(echo)
            await self._text.seen(echo)
        self.flow.counted(queued)
        await self.flow.look()

    async def stop(self) -> None:
        """The connection is gone."""
        for task in self._following:
            task.cancel()
        self._text.stop()
        await self._audio.stop()

    async def _do(self, visitor: Visitor, data: dict[str, Any], ref: Any) -> None:
        kind, pk = data.get("type"), self.conversation.pk
        if kind == "echo":
            echo = await in_thread(WRITERS, asked.speak, visitor, pk, data)
            self.flow.queued(echo["inference_id"])
            await self.answers.ack(ref, echo=echo)
            await self.flow.look()
        elif kind == "interrupt":
            done = await in_thread(WRITERS, asked.interrupt, visitor, pk)
            await self._text.interrupted()
            await self._follow_soon(done, ref)
        elif kind == "audio":
            self._check_free()
            await self._audio.open(visitor, pk, data, ref)
        elif kind == "audio_end":
            await self._audio.close(ref)
        elif kind == "text":
            self._check_free()
            await self._text.open(visitor, pk, data, ref)
        elif kind == "text_delta":
            await self._text.delta(visitor, data)
        elif kind == "text_end":
            await self._text.close(visitor, data)
        else:
            words = "type: is echo, text, text_delta, text_end, audio, audio_end, interrupt or ping."
            raise refused(400, "invalid", words, type="Is not known.")

    def _check_free(self) -> None:
        """One at a time: what comes next belongs to it, and the order in which they are said is plain."""
        if self._audio.is_open:
            raise refused(409, "audio_open", "An audio echo is open on this connection. Send audio_end first.")
        if self._text.is_open:
            raise refused(409, "text_open", "A text is open on this connection. Send text_end first.")

    async def _follow_soon(self, done: speaking.Interrupted, ref: Any) -> None:
        task = asyncio.create_task(self._follow(done, ref))
        self._following.add(task)
        task.add_done_callback(self._following.discard)
        if len(self._following) >= MOST_FOLLOWED:
            await asyncio.wait(self._following, return_when=asyncio.FIRST_COMPLETED)

    async def _follow(self, done: speaking.Interrupted, ref: Any) -> None:
        """Until the room says what came of the interrupt."""

        def settled() -> dict[str, Any] | None:
            row = Interaction.objects.get(pk=done.interaction.pk)
            return (row.result or {}) if row.ended_at else None

        until = asyncio.get_running_loop().time() + settings.INTERRUPT_DEADLINE + 1
        result: dict[str, Any] | None = None
        while result is None and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(TICK)
            result = await in_thread(READERS, settled)
        outcome = {"interrupted": None, "confirmed": False} | (result or {})
        await self.answers.ack(ref, cancelled=done.cancelled, **outcome)
