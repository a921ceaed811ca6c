"""The replica in a room: it arrives, shows that it is there, listens, and leaves. What it says is its speaker's."""

import asyncio
import json
import logging
import time
import uuid
from typing import Any

from echoadmin import clock

from .conversation import Conversation
from .rooms import Participant, Room
from .speaker import Line, Speaker

log = logging.getLogger("echoadmin.twin")


class Replica:
    """One replica in one room. ``on_said`` gets each text that was spoken, for the transcript."""

    def __init__(
        self, room: Room, persona: dict[str, Any], speed: float, heartbeat_every: float, on_said: Line
    ) -> None:
        self.room = room
        self._persona = persona
        self._heartbeat_every = heartbeat_every
        self._self: Participant | None = None
        self._second_self: Participant | None = None
        self.beats = True
        self.speaker = Speaker(room.conversation, speed, room.number, self._send, on_said)
        self._work: list[asyncio.Task[None]] = []
        self._attempt = 0
        self._chatter: asyncio.Task[None] | None = None

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
        self._self = self._participant()
        self.room.hears = self.hear
        self.room.join(self._self)
        replica_id = self.conversation.replica_id
        self._system("system.replica_joined", {"replica_id": replica_id})
        self._system("system.pal_joined", {"face_id": replica_id})
        self._work = [asyncio.create_task(self.speaker.speak_on()), asyncio.create_task(self._beat())]
        for task in self._work:
            task.add_done_callback(_complain)

    def _participant(self) -> Participant:
        now = clock.time()
        identity = str(uuid.uuid4())
        presence = {
            "id": identity,
            "name": self._persona["persona_name"],
            "user_id": f"tavus-replica-{self.conversation.replica_id}",
            "owner": True,
            "joinedAt": int(now * 1000),
            "permissions": {"hasPresence": True, "canSend": True},
        }
        return Participant(identity, presence, now, is_replica=True)

    def arrive_again(self) -> None:
        """Join a second time, beside itself: the newcomer says that it joined, and hears nothing."""
        if self._self is None or self._second_self is not None:
            return
        self._second_self = self._participant()
        self._second_self.hears = False
        self.room.join(self._second_self)
        about = {"message_type": "system", **self._ours(), "properties": {"replica_id": self.conversation.replica_id}}
        self.room.send(self._second_self, "*", {"event_type": "system.replica_joined", **about})

    def leave(self) -> None:
        """Leave the room, in the middle of a word if need be."""
        for task in self._work:
            task.cancel()
        self._work = []
        if self._self:
            self.room.hears = None
            self.room.leave(self._self)
        if self._second_self:
            self.room.leave(self._second_self)
        self._self = self._second_self = None
        self.speaker.forget()

    def shut_down(self, reason: str) -> None:
        """Say that the conversation ends, and leave."""
        if self._self:
            self._system("system.shutdown", {"shutdown_reason": reason})
        self.leave()

    def show_presence(self) -> None:
        """Beat once, so that whoever came late sees the replica without waiting."""
        if self._self and self.beats:
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
            self.speaker.interrupt()
        elif kind == "conversation.echo":
            self.speaker.echo(properties if isinstance(properties, dict) else {}, flags)
        elif kind == "conversation.respond" and isinstance(properties, dict) and self._thinks:
            self.speaker.say(f"You said: {properties.get('text', '')}")

    def utter(self, message: Any) -> bool:
        """Send any message as the replica's own; tell whether there is a replica to send it."""
        if self._self:
            self.room.send(self._self, "*", message)
        return self.present

    def chatter(self, per_second: float, characters: int = 0) -> bool:
        """From now on send so many messages a second beside all else, evenly, each with so many characters more; 0
        ends that."""
        if self._chatter is not None:
            self._chatter.cancel()
            self._chatter = None
        if self._self and per_second > 0:
            self._chatter = asyncio.create_task(self._chat(1 / per_second, "x" * characters))
            self._chatter.add_done_callback(_complain)
            self._work.append(self._chatter)
        return self.present

    async def _chat(self, every: float, more: str) -> None:
        number, began = 0, time.monotonic()
        while True:
            number += 1
            properties = {"speech": f"Chatter number {number}.{more}", "number": number}
            self._send(
                {
                    "message_type": "conversation",
                    "event_type": "conversation.chatter",
                    **self._ours(),
                    "properties": properties,
                }
            )
            await asyncio.sleep(began + number * every - time.monotonic())

    def greet(self, text: str) -> None:
        """Say the greeting of a full pipeline."""
        self.speaker.say(text)

    def _system(self, event_type: str, properties: dict[str, Any]) -> None:
        self._send({"message_type": "system", "event_type": event_type, **self._ours(), "properties": properties})

    def _ours(self) -> dict[str, str]:
        return {"conversation_id": self.conversation.conversation_id}

    def _send(self, message: dict[str, Any]) -> None:
        if self._self:
            self.room.send(self._self, "*", message)


def _complain(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("a replica broke down", exc_info=error)


def _object(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
