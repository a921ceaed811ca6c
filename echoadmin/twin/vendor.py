"""All that the two vendors know: the personas, the replicas, the conversations, their rooms, the limits, the bill."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import secrets
from typing import Any

from echoadmin import clock

from . import refusals, stock
from .clocks import Clocks
from .conversation import Conversation, iso, new_id
from .faults import Fault, Faults
from .replica import Replica
from .rooms import Participant, Room
from .settings import TwinSettings
from .store import Store
from .vocabulary import Vocabulary
from .webhooks import Webhooks

log = logging.getLogger("echoadmin.twin")

# A newcomer's handlers may be a moment late; the heartbeat that greets them comes after this long.
GREETED_AFTER = 0.2
NEVER = 2**31  # seconds: of a clock that stands still
LIMITS: dict[str, Any] = {
    "concurrent_conversations": None,
    "credit_seconds": None,
    # docs.tavus.io: the most that max_call_duration can be; more is silently cut to it.
    "longest_call_seconds": 3600,
    "strict_message_size": False,
}


class OpenRoom:
    """An active conversation's room with all that lives in it."""

    def __init__(self, room: Room, replica: Replica, clocks: Clocks) -> None:
        self.room = room
        self.replica = replica
        self.clocks = clocks
        self.timers: list[asyncio.TimerHandle] = []

    def later(self, seconds: float, call: Any, *args: Any) -> None:
        self.timers = [timer for timer in self.timers if not timer.cancelled()]
        self.timers.append(asyncio.get_running_loop().call_later(max(seconds, 0.0), call, *args))

    def close(self) -> None:
        self.clocks.stop()
        for timer in self.timers:
            timer.cancel()


class Vendor:
    """The twin's state. Everything happens on the event loop; nothing here waits."""

    def __init__(self, settings: TwinSettings) -> None:
        self.settings = settings
        # The ports and the CA file as they are in the end; the server fills them in.
        self.port, self.daily_port, self.ca_file = settings.port, settings.daily_port, settings.folder / "ca.pem"
        self.store = Store(settings.database)
        self.webhooks = Webhooks()
        self.personas = {row["persona_id"]: row for row in [*stock.personas(), *self.store.load("persona")]}
        self.replicas = {row["replica_id"]: row for row in [*stock.replicas(), *self.store.load("replica")]}
        self.conversations = {row["conversation_id"]: Conversation(**row) for row in self.store.load("conversation")}
        for row in self.store.load("said"):
            self.conversations[row["conversation_id"]].transcript.append(row["line"])
        self.limits = {
            **LIMITS,
            **{row["name"]: row["value"] for row in self.store.load("limit") if row["name"] in LIMITS},
        }
        self.faults = Faults(self.store)
        self.faults.on_added = self._apply_fault
        self.open: dict[str, OpenRoom] = {}
        self.numbers = self.store.last_numbers()

    # Keeping

    def keep(self, kind: str, key: str, row: dict[str, Any]) -> None:
        """Note that a persona or replica is new or has changed."""
        self.store.put(kind, key, lambda: row)

    def keep_conversation(self, conversation: Conversation) -> None:
        self.store.put("conversation", conversation.conversation_id, conversation.document)

    def set_limit(self, name: str, value: Any) -> None:
        self.limits[name] = value
        self.store.put("limit", name, lambda: {"name": name, "value": value})
        for opened in self.open.values():
            opened.room.strict_size = self.limits["strict_message_size"]

    # Conversations

    def reopen(self) -> None:
        """After a start: open the rooms of the conversations that were active, their clocks where they stood."""
        for conversation in self.conversations.values():
            if conversation.active:
                self._open(conversation, restarted=True)

    def create_conversation(self, body: dict[str, Any], vocabulary: Vocabulary) -> Conversation:
        """Make a conversation from a checked body. Raises refusals; the clocks and the bill run from here."""
        persona, replica_id = self._cast(body, vocabulary)
        if not body.get("test_mode"):
            self._check_limits()
        now = clock.time()
        conversation = Conversation(
            conversation_id=new_id("c", 15), vocabulary=vocabulary.name, request=body, replica_id=replica_id,
            name=body.get("conversation_name") or f"New Conversation {int(now * 1000)}",
            persona_id=persona["persona_id"], created=now, updated=now, longest=self._longest_call(body),
        )  # fmt: skip
        self.conversations[conversation.conversation_id] = conversation
        if body.get("require_auth") or (body.get("properties") or {}).get("require_auth"):
            conversation.token_expires = now + conversation.limit("participant_absent_timeout")
            conversation.meeting_token = _meeting_token(conversation)
        if conversation.test_mode:
            conversation.ended = now
        else:
            if self.faults.take("overrun", conversation.conversation_id):
                conversation.longest = NEVER
            self._open(conversation, restarted=False)
        self.keep_conversation(conversation)
        return conversation

    def _cast(self, body: dict[str, Any], vocabulary: Vocabulary) -> tuple[dict[str, Any], str]:
        persona = self.personas.get(body.get("persona_id") or stock.FALLBACK_PERSONA)
        if persona is None:
            raise refusals.unknown(vocabulary.say("persona_id"))
        replica_id = body.get("replica_id") or persona.get("default_replica_id")
        if not replica_id:
            field = vocabulary.say("replica_id")
            raise refusals.Invalid({field: [f"{field} is required when the {vocabulary.persona_word} has no default."]})
        replica = self.replicas.get(replica_id)
        if replica is None or replica["status"] != "completed":
            raise refusals.unknown(vocabulary.say("replica_id"))
        return persona, replica_id

    def _check_limits(self) -> None:
        credit, most = self.limits["credit_seconds"], self.limits["concurrent_conversations"]
        if credit is not None and self.billed_seconds() >= credit:
            raise refusals.out_of_credits()
        if most is not None and len(self.open) >= most:
            raise refusals.too_many_conversations()

    def _longest_call(self, body: dict[str, Any]) -> int:
        wanted = (body.get("properties") or {}).get("max_call_duration")
        most = int(self.limits["longest_call_seconds"])
        return most if wanted is None else min(int(wanted), most)

    def billed_seconds(self) -> float:
        now = clock.time()
        return sum(conversation.seconds(now) for conversation in self.conversations.values())

    def end_conversation(self, conversation: Conversation, reason: str) -> None:
        """End it for everybody, with the reason; the bill stops. Twice is once."""
        if not conversation.active:
            return
        now = clock.time()
        # A clock that ran out while the twin was down counts from when it ran out.
        latest = conversation.created + conversation.longest
        conversation.ended = conversation.updated = min(now, max(latest, conversation.created))
        conversation.shutdown_reason = reason
        opened = self.open.pop(conversation.conversation_id, None)
        if opened:
            opened.close()
            opened.replica.shut_down(reason)
            opened.room.shut()
            self.numbers[conversation.conversation_id] = opened.room.number
        replica = {"replica_id": conversation.replica_id}
        self.event(conversation, "system.shutdown", {**replica, "shutdown_reason": reason})
        self.event(conversation, "application.transcription_ready", {**replica, "transcript": conversation.transcript})

    def event(self, conversation: Conversation, event_type: str, properties: dict[str, Any]) -> None:
        """Keep a callback event with the conversation, and send it to its ``callback_url``."""
        event = {
            "properties": properties,
            "conversation_id": conversation.conversation_id,
            "webhook_url": conversation.callback_url,
            "event_type": event_type,
            "message_type": event_type.split(".")[0],
            "timestamp": iso(clock.time()),
        }
        conversation.events.append(event)
        self.keep_conversation(conversation)
        self._call_back(conversation, event)

    def _call_back(self, conversation: Conversation, event: dict[str, Any]) -> None:
        """Report it, unless a fault has it lost; a late one is overtaken by those that follow."""
        key, url = conversation.conversation_id, conversation.callback_url
        if not url or self.faults.take("webhook_lost", key):
            return
        late, twice = (self.faults.take(kind, key) for kind in ("webhook_late", "webhook_twice"))
        for _ in range(2 if twice else 1):
            self.webhooks.send(url, event, late=late.seconds if late else None)

    def _said(self, conversation: Conversation, line: dict[str, Any]) -> None:
        conversation.transcript.append(line)
        key = conversation.conversation_id
        self.store.put(
            "said", f"{key}/{len(conversation.transcript):08}", lambda: {"conversation_id": key, "line": line}
        )

    # Rooms

    def _open(self, conversation: Conversation, *, restarted: bool) -> None:
        settings, key = self.settings, conversation.conversation_id
        room = Room(conversation, self.store, self.numbers.get(key, 0), settings.dropped_socket_grace)
        room.strict_size = self.limits["strict_message_size"]
        persona = self.personas.get(conversation.persona_id) or {"persona_name": conversation.persona_id}
        replica = Replica(
            room, persona, settings.speed, settings.heartbeat_every, lambda line: self._said(conversation, line)
        )
        clocks = Clocks(room, lambda reason: self.end_conversation(conversation, reason), settings.restart_grace)
        opened = self.open[key] = OpenRoom(room, replica, clocks)
        room.on_people = lambda newcomer: self._people_changed(opened, newcomer)
        clocks.start(restarted=restarted)
        self._await_replica(opened)

    def _await_replica(self, opened: OpenRoom) -> None:
        key = opened.room.conversation.conversation_id
        if self.faults.take("replica_absent", key):
            return
        late = self.faults.take("replica_late", key)
        opened.later(late.seconds if late else self.settings.replica_arrives_after, self._replica_arrives, opened)

    def _replica_arrives(self, opened: OpenRoom) -> None:
        conversation = opened.room.conversation
        opened.replica.arrive()
        self.event(conversation, "system.replica_joined", {"replica_id": conversation.replica_id})
        self.event(conversation, "system.pal_joined", {"face_id": conversation.replica_id})
        for kind in ("replica_twice", "replica_silent", "replica_leaving"):
            if fault := self.faults.take(kind, conversation.conversation_id):
                self._spoil(opened, fault)
        if opened.room.people:
            self._greet(opened)

    def _people_changed(self, opened: OpenRoom, newcomer: Participant | None) -> None:
        conversation = opened.room.conversation
        if newcomer:
            if not conversation.people_came:
                conversation.people_came = True
                self.keep_conversation(conversation)
                self._greet(opened)
            opened.later(GREETED_AFTER, opened.replica.show_presence)
        opened.clocks.people_changed()

    def _greet(self, opened: OpenRoom) -> None:
        """A full pipeline says its greeting once, when both sides are there; an echo pipeline says nothing."""
        conversation = opened.room.conversation
        persona = self.personas.get(conversation.persona_id, {})
        greeting = conversation.request.get("custom_greeting") or persona.get("greeting")
        if (
            greeting
            and persona.get("pipeline_mode") == "full"
            and opened.replica.present
            and not conversation.transcript
        ):
            opened.replica.greet(greeting)

    def _apply_fault(self, fault: Fault) -> None:
        """Carry out at once what a new fault does to rooms that are open already."""
        for key, opened in list(self.open.items()):
            if fault.kind in ("replica_twice", "replica_silent", "replica_leaving"):
                if opened.replica.present and self.faults.take(fault.kind, key):
                    self._spoil(opened, fault)
            elif fault.kind in ("drop_socket", "close_frame", "stalled", "away"):
                for participant in opened.room.people:
                    self.break_socket(key, participant)

    def _spoil(self, opened: OpenRoom, fault: Fault) -> None:
        replica = opened.replica
        if fault.kind == "replica_twice":
            replica.arrive_again()
        elif fault.kind == "replica_silent":
            replica.beats = False
        else:
            opened.later(fault.seconds, replica.leave)

    def break_socket(self, conversation_id: str, participant: Participant) -> None:
        """Drop a participant's socket, close it, or have it carry nothing, where a fault says so."""
        socket = participant.socket
        if socket is None:
            return
        away = self.faults.holds("away", conversation_id, participant.name)
        if away or self.faults.take("drop_socket", conversation_id, participant.name):
            socket.cut()
        elif fault := self.faults.take("stalled", conversation_id, participant.name):
            socket.stall(fault.seconds)
        elif fault := self.faults.take("close_frame", conversation_id, participant.name):
            socket.close(fault.code)

    async def close(self) -> None:
        for opened in self.open.values():
            opened.close()
        await self.webhooks.close()
        await self.store.close()


def _meeting_token(conversation: Conversation) -> str:
    """Return a token in the shape of Daily's: a JWT that names the room and its own end."""
    claims = {
        "r": conversation.conversation_id,
        "iat": int(conversation.created),
        "exp": int(conversation.token_expires),
    }
    head = ".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{head}.{_base64(hmac.digest(secrets.token_bytes(32), head.encode(), hashlib.sha256))}"


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
