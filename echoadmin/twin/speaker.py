"""What a replica says: a queue of utterances, one said after the other, with the events that the vendor sends for each.

The events are those of docs.tavus.io (interactions protocol, event schemas), both families of them, side by side. An
audio echo that never gets its ``done`` is waited for, and what follows it is not heard.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from echoadmin import clock

from .conversation import Conversation
from .speech import CHARACTERS_PER_SECOND, Utterance, audio_seconds, is_done, rewritten, spoken_pieces

Line = Callable[[dict[str, Any]], None]


class Speaker:
    """Says what it is given. ``send`` gets each event, ``on_said`` each text that was spoken, for the transcript."""

    def __init__(self, conversation: Conversation, speed: float, first_seq: int, send: Line, on_said: Line) -> None:
        self.speaking: Utterance | None = None
        self._conversation = conversation
        self._speed = speed
        self._seq = first_seq
        self._send = send
        self._on_said = on_said
        self._queue: deque[Utterance] = deque()
        self._queued = asyncio.Event()
        self._cut_off: set[str] = set()
        self._turn = 0

    def forget(self) -> None:
        """Forget what was to be said, and what was being said."""
        self._queue.clear()
        self.speaking = None

    def say(self, text: str) -> None:
        utterance = Utterance(None, rewritten(None), "text")
        utterance.add_text(text, done=True)
        self._enqueue(utterance)

    def echo(self, properties: dict[str, Any], flags: list[str]) -> None:
        given = properties.get("inference_id")
        sent_id = None if given is None or given == "" else str(given)
        last = self._queue[-1] if self._queue else self.speaking
        unfinished = last if last and not last.done and not last.interrupted else None
        if unfinished and (unfinished.sent_id != sent_id or unfinished.modality != properties.get("modality", "text")):
            flags.append("swallowed")
        elif properties.get("modality", "text") == "audio":
            self._echo_audio(unfinished, sent_id, properties, flags)
        elif isinstance(properties.get("text"), str) and properties["text"]:
            self._echo_text(unfinished, sent_id, properties)
        else:
            flags.append("unreadable")

    def _echo_text(self, unfinished: Utterance | None, sent_id: str | None, properties: dict[str, Any]) -> None:
        utterance = unfinished or Utterance(sent_id, rewritten(sent_id), "text")
        utterance.add_text(properties["text"], done=is_done(properties))
        if not unfinished:
            self._enqueue(utterance)

    def _echo_audio(
        self, unfinished: Utterance | None, sent_id: str | None, properties: dict[str, Any], flags: list[str]
    ) -> None:
        seconds, done = audio_seconds(properties), is_done(properties)
        if sent_id in self._cut_off:
            # What was still on its way when the interrupt came.
            flags.append("interrupted")
            if done:
                self._cut_off.discard(sent_id)
            return
        if seconds is None:
            flags.append("unreadable")
            return
        utterance = unfinished or Utterance(sent_id, rewritten(sent_id), "audio")
        utterance.add_audio(seconds, done=done, now=_now(), speed=self._speed)
        if not unfinished:
            self._enqueue(utterance)

    def _enqueue(self, utterance: Utterance) -> None:
        self._queue.append(utterance)
        self._queued.set()

    def interrupt(self) -> None:
        everything = [*self._queue, *([self.speaking] if self.speaking else [])]
        self._cut_off |= {u.sent_id for u in everything if not u.done and u.sent_id is not None}
        self._queue.clear()
        if self.speaking:
            self.speaking.interrupted = True
            self.speaking.changed.set()

    # What it says

    async def speak_on(self) -> None:
        while True:
            while not self._queue:
                self._queued.clear()
                await self._queued.wait()
            self.speaking = self._queue.popleft()
            await self._say(self.speaking)
            self.speaking = None

    async def _say(self, utterance: Utterance) -> None:
        while not utterance.ready and not utterance.interrupted:
            await self._wait(utterance, None)
        if utterance.interrupted or not utterance.seconds:
            return
        self._turn += 1
        utterance.started = _now()
        utterance.heard_until = utterance.started + utterance.seconds / self._speed
        self._speaking_event(utterance, "conversation.replica.started_speaking", None)
        self._speaking_event(utterance, "conversation.started_speaking", {"role": "replica"})
        if utterance.modality == "text":
            await self._utter(utterance)
        else:
            await self._play(utterance)
        ended = {"duration": self._spoken_seconds(utterance), "interrupted": utterance.interrupted}
        self._speaking_event(utterance, "conversation.replica.stopped_speaking", ended)
        self._speaking_event(utterance, "conversation.stopped_speaking", {"role": "replica", **ended})

    async def _utter(self, utterance: Utterance) -> None:
        begun, at = utterance.started or _now(), round(clock.time(), 6)
        said = ""
        pieces = spoken_pieces(utterance.text)
        for index, (share, said) in enumerate(pieces, 1):
            final = index == len(pieces)
            about = {"role": "replica", "speech": said, "content_index": index, "final": final}
            self._speaking_event(utterance, "conversation.utterance.streaming", about)
            await self._wait_until(utterance, begun + utterance.seconds * share / self._speed)
            if utterance.interrupted:
                break
        if utterance.interrupted:
            said = utterance.text[: round(self._spoken_seconds(utterance) * CHARACTERS_PER_SECOND)]
        heard = {"role": "replica", "speech": said} | ({"interrupted": True} if utterance.interrupted else {})
        self._speaking_event(utterance, "conversation.utterance", heard)
        self._on_said(
            {
                "role": "assistant",
                "content": said,
                "timestamp": at,
                "inference_id": utterance.inference_id,
                "seconds_from_start": round(at - self._conversation.created, 3),
                "duration": self._spoken_seconds(utterance),
            }
        )

    async def _play(self, utterance: Utterance) -> None:
        while not utterance.interrupted:
            left = utterance.heard_until - _now()
            if left <= 0 and utterance.done:
                return
            await self._wait(utterance, left if left > 0 else None)

    async def _wait_until(self, utterance: Utterance, when: float) -> None:
        while not utterance.interrupted and (left := when - _now()) > 0:
            await self._wait(utterance, left)

    async def _wait(self, utterance: Utterance, seconds: float | None) -> None:
        """Wait for a change of the utterance, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                await utterance.changed.wait()
        except TimeoutError:
            return
        utterance.changed.clear()

    def _spoken_seconds(self, utterance: Utterance) -> float:
        if not utterance.interrupted or utterance.started is None:
            return round(utterance.seconds, 3)
        return round(min((_now() - utterance.started) * self._speed, utterance.seconds), 3)

    def _speaking_event(self, utterance: Utterance, event_type: str, properties: dict[str, Any] | None) -> None:
        self._seq += 1
        message: dict[str, Any] = {"message_type": "conversation", "event_type": event_type}
        # The vendor's sample of the unified pair has no conversation_id.
        if event_type not in ("conversation.started_speaking", "conversation.stopped_speaking"):
            message["conversation_id"] = self._conversation.conversation_id
        # The SDK errs in the last place of floats with over 16 digits (daily-python 0.36.0, measured).
        message |= {"inference_id": utterance.inference_id, "seq": self._seq, "turn_idx": self._turn}
        message["timestamp"] = round(clock.time(), 6)
        self._send(message if properties is None else {**message, "properties": properties})


def _now() -> float:
    return asyncio.get_running_loop().time()
