"""The replica in a room: it arrives, shows that it is there, says what it is echoed, and obeys an interrupt.

The app messages are those of docs.tavus.io (interactions protocol, event schemas), both families of them, as the vendor
sends them side by side. An audio echo that never gets its ``done`` is waited for, and what follows it is not heard.
"""

import asyncio
import json
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

from .conversation import Conversation
from .rooms import Participant, Room
from .speech import CHARACTERS_PER_SECOND, Utterance, audio_seconds, is_done, rewritten, spoken_pieces

Said = Callable[[dict[str, Any]], None]


class Replica:
    """One replica in one room. ``on_said`` gets each text that was spoken, for the transcript."""

    def __init__(
        self, room: Room, persona: dict[str, Any], speed: float, heartbeat_every: float, on_said: Said
    ) -> None:
        self.room = room
        self.speaking: Utterance | None = None
        self._persona = persona
        self._speed = speed
        self._heartbeat_every = heartbeat_every
        self._on_said = on_said
        self._self: Participant | None = None
        self._queue: deque[Utterance] = deque()
        self._queued = asyncio.Event()
        self._cut_off: set[str] = set()
        self._work: list[asyncio.Task[None]] = []
        self._attempt = 0
        self._seq = room.number
        self._turn = 0

    @property
    def conversation(self) -> Conversation:
        return self.room.conversation

    @property
    def _thinks(self) -> bool:
        return self._persona.get("pipeline_mode") == "full"

    @property
    def present(self) -> bool:
        return self._self is not None

    def arrive(self) -> None:
        """Join the room, say so, and begin to listen."""
        now = time.time()
        identity = str(uuid.uuid4())
        presence = {
            "id": identity,
            "name": self._persona["persona_name"],
            "user_id": f"tavus-replica-{self.conversation.replica_id}",
            "owner": True,
            "joinedAt": int(now * 1000),
            "permissions": {"hasPresence": True, "canSend": True},
        }
        self._self = Participant(identity, presence, now, is_replica=True)
        self.room.hears = self.hear
        self.room.join(self._self)
        replica_id = self.conversation.replica_id
        self._system("system.replica_joined", {"replica_id": replica_id})
        self._system("system.pal_joined", {"face_id": replica_id})
        self._work = [asyncio.create_task(self._speak_on()), asyncio.create_task(self._beat())]

    def leave(self) -> None:
        """Leave the room, in the middle of a word if need be."""
        for task in self._work:
            task.cancel()
        self._work = []
        if self._self:
            self.room.hears = None
            self.room.leave(self._self)
        self._self = self.speaking = None
        self._queue.clear()

    def shut_down(self, reason: str) -> None:
        """Say that the conversation ends, and leave."""
        if self._self:
            self._system("system.shutdown", {"shutdown_reason": reason})
        self.leave()

    def show_presence(self) -> None:
        """Beat once, so that whoever came late sees the replica without waiting."""
        if self._self:
            self._attempt += 1
            self._system("system.replica_present", {"attempt": self._attempt})
            self._system("system.pal_present", {"attempt": self._attempt})

    async def _beat(self) -> None:
        while True:
            self.show_presence()
            await asyncio.sleep(self._heartbeat_every)

    # What it hears

    def hear(self, sender: Participant, message: Any, flags: list[str]) -> None:
        """Take one app message; what it makes nothing of is noted in ``flags``, which the record keeps."""
        if isinstance(message, str):
            message = _object(message)
        if not isinstance(message, dict) or message.get("message_type") != "conversation":
            return
        if message.get("conversation_id", self.conversation.conversation_id) != self.conversation.conversation_id:
            flags.append("other_conversation")
            return
        properties = message.get("properties")
        kind = message.get("event_type")
        if kind == "conversation.interrupt":
            self._interrupt()
        elif kind == "conversation.echo":
            self._echo(properties if isinstance(properties, dict) else {}, flags)
        elif kind == "conversation.respond" and isinstance(properties, dict) and self._thinks:
            self._say_later(f"You said: {properties.get('text', '')}")

    def greet(self, text: str) -> None:
        """Say the greeting of a full pipeline."""
        self._say_later(text)

    def _say_later(self, text: str) -> None:
        utterance = Utterance(None, rewritten(None), "text")
        utterance.add_text(text, done=True)
        self._enqueue(utterance)

    def _echo(self, properties: dict[str, Any], flags: list[str]) -> None:
        sent_id = properties.get("inference_id") or None
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

    def _echo_text(self, unfinished: Utterance | None, sent_id: Any, properties: dict[str, Any]) -> None:
        utterance = unfinished or Utterance(sent_id, rewritten(sent_id), "text")
        utterance.add_text(properties["text"], done=is_done(properties))
        if not unfinished:
            self._enqueue(utterance)

    def _echo_audio(
        self, unfinished: Utterance | None, sent_id: Any, properties: dict[str, Any], flags: list[str]
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

    def _interrupt(self) -> None:
        everything = [*self._queue, *([self.speaking] if self.speaking else [])]
        self._cut_off |= {u.sent_id for u in everything if not u.done and u.sent_id is not None}
        self._queue.clear()
        if self.speaking:
            self.speaking.interrupted = True
            self.speaking.changed.set()

    # What it says

    async def _speak_on(self) -> None:
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
        begun, at = utterance.started or _now(), time.time()
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
                "seconds_from_start": round(at - self.conversation.created, 3),
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

    # How it says it

    def _system(self, event_type: str, properties: dict[str, Any]) -> None:
        self._send({"message_type": "system", "event_type": event_type, **self._ours(), "properties": properties})

    def _speaking_event(self, utterance: Utterance, event_type: str, properties: dict[str, Any] | None) -> None:
        self._seq += 1
        # The vendor's sample of the unified pair has no conversation_id.
        unified = event_type in ("conversation.started_speaking", "conversation.stopped_speaking")
        message = {
            "message_type": "conversation", "event_type": event_type, **({} if unified else self._ours()),
            "inference_id": utterance.inference_id, "seq": self._seq, "turn_idx": self._turn, "timestamp": time.time(),
        }  # fmt: skip
        self._send(message if properties is None else {**message, "properties": properties})

    def _ours(self) -> dict[str, str]:
        return {"conversation_id": self.conversation.conversation_id}

    def _send(self, message: dict[str, Any]) -> None:
        if self._self:
            self.room.send(self._self, "*", message)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _object(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
