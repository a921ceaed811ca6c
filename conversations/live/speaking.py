"""What comes in over a conversation's WebSocket: echoes, interrupts and audio while it is being made."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from django.conf import settings
from rest_framework.exceptions import ParseError, ValidationError

from conversations import audio, interactions
from conversations.live.looks import READERS, WRITERS, in_thread
from conversations.live.visitor import Visitor, again
from conversations.models import Conversation, Echo, Interaction
from conversations.serializers import echo_dict
from conversations.services import speaking
from echoadmin.accounts.roles import OPERATOR
from echoadmin.api.errors import problem_of
from echoadmin.api.parsing import check_object
from echoadmin.api.problems import Problem, refused

logger = logging.getLogger(__name__)

Send = Callable[[dict[str, Any]], Awaitable[None]]
MOST_WAITING = 1_000_000  # bytes of samples that wait to be stored before the socket is read on
TICK = 0.05  # seconds between two looks at an interrupt


class Speech:
    """One connection's speaking. Messages and frames are dealt with in the order in which they came."""

    def __init__(self, conversation: Conversation, send: Send) -> None:
        self.conversation = conversation
        self._send = send
        self._echo: Echo | None = None  # that takes the binary frames
        self._samples = bytearray()
        self._storing: asyncio.Task[None] | None = None
        self._following: set[asyncio.Task[None]] = set()

    async def message(self, visitor: Visitor, text: str) -> None:
        """One JSON message; answered by `ack` or `error` with its `ref`."""
        ref = None
        try:
            data = _parsed(text)
            ref = data.get("ref") if isinstance(data, dict) else None
            data = check_object(data)
            visitor = await in_thread(READERS, again, visitor)
            if not visitor.may(OPERATOR):
                raise refused(403, "forbidden", "Speaking needs the role operator, and for a key the scope speak.")
            await self._do(visitor, data, ref)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told; the connection lives on
            await self._tell(error, ref)

    async def frame(self, visitor: Visitor, samples: bytes) -> None:
        """PCM16 little-endian mono for the echo that `audio` opened; no answer unless something is wrong."""
        if self._echo is None:
            words = 'No audio is open. Send {"type": "audio", "sample_rate": 24000} first.'
            await self._tell(refused(400, "no_audio", words), None)
            return
        self._samples += samples
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store())
        elif len(self._samples) > MOST_WAITING:
            await self._storing

    async def stop(self) -> None:
        """The connection is gone: what came is stored; the room closes the echo when nothing follows."""
        for task in self._following:
            task.cancel()
        if self._storing is not None:
            await self._storing

    async def _do(self, visitor: Visitor, data: dict[str, Any], ref: Any) -> None:
        kind = data.get("type")
        actor = visitor.actor(uuid.uuid4().hex)
        if kind == "echo":
            echo = await in_thread(WRITERS, _speak, actor, self.conversation.pk, data)
            await self._ack(ref, echo=await in_thread(READERS, echo_dict, echo))
        elif kind == "interrupt":
            done = await in_thread(WRITERS, _interrupt, actor, self.conversation.pk)
            task = asyncio.create_task(self._follow(done, ref))
            self._following.add(task)
            task.add_done_callback(self._following.discard)
        elif kind == "audio":
            await self._open(actor, data, ref)
        elif kind == "audio_end":
            await self._close(ref)
        else:
            raise refused(400, "invalid", "type: is echo, interrupt, audio or audio_end.", type="Is not known.")

    async def _open(self, actor: Any, data: dict[str, Any], ref: Any) -> None:
        if self._echo is not None:
            raise refused(409, "audio_open", "An audio echo is open on this connection. Send audio_end first.")
        self._echo = await in_thread(WRITERS, _open, actor, self.conversation.pk, data)
        await self._ack(ref, echo=await in_thread(READERS, echo_dict, self._echo))

    async def _close(self, ref: Any) -> None:
        echo = self._echo
        if echo is None:
            raise refused(409, "no_audio", "No audio is open on this connection.")
        if self._storing is not None:
            await self._storing
        if self._echo is None:
            raise refused(409, "echo_closed", "This echo was closed; the error that came before says why.")
        odd = len(self._samples)
        self._echo = None
        self._samples.clear()
        echo = await in_thread(WRITERS, partial(speaking.append_audio, echo=echo, pcm=b"", done=True))
        if odd:
            raise refused(400, "invalid", "The frames end in the middle of a sample; all before it will be said.")
        await self._ack(ref, echo=await in_thread(READERS, echo_dict, echo))

    async def _store(self) -> None:
        """As long as whole samples wait: whatever came meanwhile is stored at once."""
        while self._echo is not None and len(self._samples) >= 2:
            whole = len(self._samples) // 2 * 2
            pcm, echo = bytes(self._samples[:whole]), self._echo
            del self._samples[:whole]
            try:
                await in_thread(WRITERS, partial(speaking.append_audio, echo=echo, pcm=pcm))
            except Exception as error:  # noqa: BLE001 - it is told, and the echo takes no more
                self._echo = None
                self._samples.clear()
                await self._tell(error, None)

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
        await self._ack(ref, cancelled=done.cancelled, **({"interrupted": None, "confirmed": False} | (result or {})))

    async def _ack(self, ref: Any, **more: Any) -> None:
        await self._send({"type": "ack", "ref": ref, **more})

    async def _tell(self, error: Exception, ref: Any) -> None:
        problem = problem_of(error)
        if problem is None:
            logger.error("a message over a WebSocket failed", exc_info=error)
            problem = Problem(500, "internal", "Something here is broken, not your message.")
        await self._send({"type": "error", "ref": ref, **problem.body(None)})


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ParseError("The message is no JSON.") from None


def _now(pk: int) -> Conversation:
    """As it is now: the connection may be older than its end."""
    return Conversation.objects.select_related("persona").get(pk=pk)


def _interrupt(actor: Any, pk: int) -> speaking.Interrupted:
    return speaking.interrupt(actor=actor, conversation=_now(pk))


def _speak(actor: Any, pk: int, data: dict[str, Any]) -> Echo:
    text, samples = data.get("text"), data.get("audio")
    common: dict[str, Any] = {"actor": actor, "conversation": _now(pk), "inference_id": _inference_id(data)}
    if (text is None) == (samples is None):
        words = "Give exactly one of text and audio (base64 PCM16 mono)."
        raise ValidationError({"text": [words], "audio": [words]})
    if samples is None:
        return speaking.speak_text(text=interactions.check_text(text), **common)
    rate = audio.check_sample_rate(data.get("sample_rate", audio.RATE))
    pcm = audio.pcm_from_base64(samples, rate, max_seconds=settings.ECHO_MAX_SECONDS)
    pacing = speaking.check_pacing(data.get("pacing") or "lead")
    return speaking.speak_audio(pcm=[pcm], sample_rate=rate, pacing=pacing, **common)


def _open(actor: Any, pk: int, data: dict[str, Any]) -> Echo:
    return speaking.open_audio(
        actor=actor,
        conversation=_now(pk),
        sample_rate=audio.check_sample_rate(data.get("sample_rate", audio.RATE)),
        inference_id=_inference_id(data),
        pacing=speaking.check_pacing(data.get("pacing") or "lead"),
    )


def _inference_id(data: dict[str, Any]) -> str | None:
    given = data.get("inference_id")
    return None if given is None else interactions.check_inference_id(given)
