"""A text that comes over a WebSocket while a language model writes it: each sentence is queued once it is whole."""

from __future__ import annotations

import asyncio
from typing import Any

from django.conf import settings

from conversations.interactions import Sentences, check_piece
from conversations.live import asked
from conversations.live.answers import Answers
from conversations.live.flow import Flow
from conversations.live.looks import WRITERS, in_thread
from conversations.live.visitor import Unwelcome, Visitor
from conversations.refusals import EchoClosed
from conversations.services.speaking import Utterance
from echoadmin.api.problems import refused


class TextIn:
    """The one text that takes a connection's deltas."""

    def __init__(self, answers: Answers, flow: Flow) -> None:
        self._answers = answers
        self._flow = flow
        self._utterance: Utterance | None = None
        self._ref: Any = None  # of the `text` that opened it
        self._given_up = False  # why was told: what still comes of it is dropped without a word
        self._sentences = Sentences()
        self._turn = asyncio.Lock()  # one sentence at a time, whether a delta or the clock ended it
        self._clock: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether deltas belong to a text."""
        return self._utterance is not None

    async def open(self, visitor: Visitor, conversation_id: int, data: dict[str, Any], ref: Any) -> None:
        """`text`, with the first words where it has a `text` field."""
        async with self._turn:
            utterance, words = await in_thread(WRITERS, asked.open_text, visitor, conversation_id, data)
            self._utterance, self._ref, self._given_up, self._sentences = utterance, ref, False, Sentences()
        await self._answers.ack(ref, inference_id=utterance.inference_id)
        await self._add(visitor, words)

    async def delta(self, visitor: Visitor, data: dict[str, Any]) -> None:
        """`text_delta`: answered only where it has a `ref`, or something is wrong."""
        words = check_piece(data.get("text"))
        if not self._given_up:
            self._check_open(data)
            await self._add(visitor, words)
        if data.get("ref") is not None:
            await self._answers.ack(data["ref"], waiting=self._sentences.waiting)

    async def close(self, visitor: Visitor, data: dict[str, Any]) -> None:
        """`text_end`: the rest is said, whole sentence or not."""
        if not self._given_up:
            self._check_open(data)
            async with self._turn:
                await self._say(visitor, self._sentences.rest(whole=True))
        utterance, given_up = self._utterance, self._given_up
        self._drop(given_up=False)
        if given_up or utterance is None:
            raise refused(409, "echo_closed", "This text was stopped; the error that came before says why.")
        await self._answers.ack(data.get("ref"), inference_id=utterance.inference_id, echoes=utterance.said)

    async def seen(self, echo: dict[str, Any]) -> None:
        """An echo as the ledger has it now: an interrupted sentence takes the rest of its text with it."""
        if self._utterance is None or echo["inference_id"] not in self._utterance.said:
            return
        if echo["state"] == "interrupted" or echo["reason"] == "interrupted":
            await self.interrupted()

    async def interrupted(self) -> None:
        """Nothing more of it is said."""
        if self._utterance is not None:
            await self._give_up(EchoClosed("inference_id", "An interrupt stopped this text; its rest is not said."))

    def stop(self) -> None:
        """The connection is gone: what is no whole sentence is not said."""
        self._drop(given_up=True)
        if self._flushing is not None:
            self._flushing.cancel()

    def _check_open(self, data: dict[str, Any]) -> None:
        given, utterance = data.get("inference_id"), self._utterance
        if utterance is None:
            raise refused(409, "no_text", 'No text is open on this connection. Send {"type": "text"} first.')
        if given is not None and given != utterance.inference_id:
            words = f"The open text is {utterance.inference_id}. What belongs to another one is not said."
            raise refused(409, "no_text", words, inference_id=words)

    async def _add(self, visitor: Visitor, words: str) -> None:
        async with self._turn:
            self._restart_clock(visitor)
            for sentence in self._sentences.add(words):
                await self._say(visitor, sentence)

    async def _say(self, visitor: Visitor, words: str) -> None:
        utterance = self._utterance
        if not words or utterance is None:
            return
        try:
            await in_thread(WRITERS, asked.say_next, visitor, utterance, words)
        except Unwelcome:
            raise
        except Exception as error:  # noqa: BLE001 - it is told, and the text takes no more
            await self._give_up(error)
            return
        self._flow.queued(utterance.said[-1])
        await self._flow.look()

    async def _give_up(self, error: Exception) -> None:
        ref, utterance = self._ref, self._utterance
        self._drop(given_up=True)
        if utterance is not None:
            facts = {"inference_id": utterance.inference_id, "echoes": utterance.said}
            await self._answers.error(error, ref, **facts)

    def _drop(self, *, given_up: bool) -> None:
        self._utterance, self._given_up, self._sentences = None, given_up, Sentences()
        if self._clock is not None:
            self._clock.cancel()

    # --- what waits when no more comes ---

    def _restart_clock(self, visitor: Visitor) -> None:
        if self._clock is not None:
            self._clock.cancel()
        self._clock = asyncio.get_running_loop().call_later(settings.ECHO_TEXT_FLUSH, self._run_out, visitor)

    def _run_out(self, visitor: Visitor) -> None:
        self._flushing = asyncio.create_task(self._flush(visitor))

    async def _flush(self, visitor: Visitor) -> None:
        try:
            async with self._turn:
                await self._say(visitor, self._sentences.rest(whole=False))
        except Unwelcome:
            self._drop(given_up=True)  # the connection's next look at who is there closes it
