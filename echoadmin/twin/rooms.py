"""A Daily room: who is in it, who hears what, and the record of what it carried."""

import asyncio
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from echoadmin import clock

from .conversation import Conversation
from .store import Message, Store

# docs.daily.co, sendAppMessage: the documented limit of one app message, in bytes of JSON.
MESSAGE_LIMIT = 4096
OUTBOX_LIMIT = 50_000


class Socket(Protocol):
    """The way to one client."""

    def send(self, frame: str) -> None: ...
    def close(self, code: int) -> None: ...
    def cut(self) -> None: ...
    def stall(self, seconds: float) -> None: ...


@dataclass
class Participant:
    """Somebody in a room. ``socket`` is None for the replica, and while a dropped connection is waited for."""

    id: str
    presence: dict[str, Any]
    joined_at: float
    is_replica: bool = False
    hears: bool = True  # not so the second self of a replica that joined twice
    socket: Socket | None = None
    forget: asyncio.TimerHandle | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        return str(self.presence.get("name") or "")

    def describe(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "user_id": self.presence.get("user_id"),
            "joined_at": self.joined_at,
            "is_replica": self.is_replica,
            "connected": self.is_replica or self.socket is not None,
        }


class Room:
    """The room of one active conversation. All methods are for the event loop's thread."""

    def __init__(self, conversation: Conversation, store: Store, last_number: int, dropped_socket_grace: float) -> None:
        self.conversation = conversation
        self.meeting_session = str(uuid.uuid4())
        self.participants: dict[str, Participant] = {}
        self.number = last_number
        self.strict_size = False
        self.hears: Callable[[Participant, Any, list[str]], None] | None = None
        self.on_people: Callable[[Participant | None], None] | None = None
        self._store = store
        self._grace = dropped_socket_grace

    @property
    def people(self) -> list[Participant]:
        """Everybody but the replica: to the vendor, each of them is a human."""
        return [p for p in self.participants.values() if not p.is_replica]

    @property
    def full(self) -> bool:
        limit = self.conversation.max_participants
        # The replica has its place, whether it is there yet or not.
        return limit is not None and len(self.people) + 1 >= limit

    def join(self, participant: Participant) -> None:
        """Let somebody in, or back in on a new socket; tell the others, then whoever waits for people."""
        known = self.participants.get(participant.id)
        if known:
            participant.joined_at = known.joined_at
            self._let_go(known)
        self.participants[participant.id] = participant
        self.tell_presence(participant)
        if self.on_people and not known and not participant.is_replica:
            self.on_people(participant)

    def update(self, participant: Participant, presence: dict[str, Any]) -> None:
        participant.presence = {**presence, "id": participant.id}
        self.tell_presence(participant)

    def tell_presence(self, participant: Participant) -> None:
        self._tell_others(
            participant.id, {"msgStr": "sig-presence", "from": participant.id, "msgData": participant.presence}
        )

    def leave(self, participant: Participant) -> None:
        """Let somebody go, and tell the others. Twice is once."""
        if self.participants.get(participant.id) is not participant:
            return
        del self.participants[participant.id]
        self._let_go(participant)
        self._tell_others(
            participant.id, {"msgStr": "sig-presence", "from": participant.id, "msgData": "sig-disconnect"}
        )
        if self.on_people and not participant.is_replica:
            self.on_people(None)

    def lost(self, participant: Participant, socket: Socket) -> None:
        """Note that a socket is gone without a goodbye: the SDK may come back with the same id, so wait a little."""
        if self.participants.get(participant.id) is participant and participant.socket is socket:
            participant.socket = None
            participant.forget = asyncio.get_running_loop().call_later(self._grace, self.leave, participant)

    def send(self, sender: Participant, to: str, message: Any) -> None:
        """Carry one app message to ``to`` (``*`` or an id; never back to its sender), and record it."""
        if self.participants.get(sender.id) is not sender:
            return
        body = json.dumps(message, separators=(",", ":"))
        flags = [] if sender.is_replica else self._size_flags(body, message)
        if "dropped" not in flags:
            frame = f'{{"msgStr":"sig-msg","tag":"x-egassem","from":"{sender.id}","msgData":{body}}}'
            for other in list(self.participants.values()):
                if other is sender or to not in ("*", other.id):
                    continue
                if other.socket:
                    other.socket.send(frame)
                elif other.is_replica and other.hears and self.hears:
                    self.hears(sender, message, flags)
        self._record(sender, to, body, flags)

    def _size_flags(self, body: str, message: Any) -> list[str]:
        # ASCII escapes only make the text longer, so the exact count is needed for the long ones alone.
        if len(body) <= MESSAGE_LIMIT:
            return []
        exact = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
        if len(exact) <= MESSAGE_LIMIT:
            return []
        return ["over_4096", "dropped"] if self.strict_size else ["over_4096"]

    def _record(self, sender: Participant, to: str, body: str, flags: list[str]) -> None:
        self.number += 1
        key = self.conversation.conversation_id
        row = Message(key, self.number, clock.time(), sender.id, sender.name, to, body, ",".join(flags))
        self._store.add(row)

    def _tell_others(self, but: str, frame: dict[str, Any]) -> None:
        text = json.dumps(frame)
        for other in self.participants.values():
            if other.id != but and other.socket:
                other.socket.send(text)

    def _let_go(self, participant: Participant) -> None:
        if participant.forget:
            participant.forget.cancel()
        if participant.socket:
            participant.socket.close(1000)
        participant.socket = None

    def shut(self) -> None:
        """End it for everybody: each client gets ``room-deleted``, then its socket closes."""
        self.on_people = None
        for participant in list(self.participants.values()):
            if participant.socket:
                participant.socket.send('{"msgStr":"room-deleted"}')
            self.leave(participant)
