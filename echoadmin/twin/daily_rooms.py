"""Daily's signalling, as far as the real SDK needs it (daily-python 0.36.0, measured through its ``set_proxy_url``).

Three requests make a join: the room check, a WebSocket (accepted on any path: the SDK doubles the proxy's prefix after
a failed try), and the ICE servers. Media never connects, which the SDK bears for as long as one likes.
"""

import asyncio
import json
import re
import uuid
from collections import OrderedDict
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from echoadmin import clock

from .conversation import DOMAIN, Conversation
from .faults import Fault
from .rooms import OUTBOX_LIMIT, Participant, Room
from .vendor import Vendor

LOOKUP = re.compile(r"/rooms/(?P<what>check|ice)/(?P<domain>[^/]+)/(?P<room>[^/]+)$")
# The SDK shows a sign of life every 2 s.
SILENCE_LIMIT = 30.0
REFUSALS_REMEMBERED = 1000
LARGEST_FRAME = 32 * 1024 * 1024
CODECS = [
    {"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "preferredPayloadType": 100,
     "parameters": {}, "rtcpFeedback": []},
    {"kind": "video", "mimeType": "video/VP8", "clockRate": 90000, "preferredPayloadType": 101,
     "parameters": {}, "rtcpFeedback": []},
]  # fmt: skip
TRANSPORT = {
    "iceParameters": {"usernameFragment": "twin", "password": "twin", "iceLite": True},
    "iceCandidates": [
        {
            "foundation": "twin",
            "priority": 1,
            "ip": "127.0.0.1",
            "address": "127.0.0.1",
            "protocol": "udp",
            "port": 9,
            "type": "host",
        }
    ],
    "dtlsParameters": {"role": "auto", "fingerprints": [{"algorithm": "sha-256", "value": ":".join(["AB"] * 32)}]},
}


class Client:
    """One WebSocket: a queue of frames, and a task that sends them in order."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.BaseTransport | None) -> None:
        self._socket = socket
        self._transport = transport
        self._outbox: asyncio.Queue[str | int] = asyncio.Queue()
        self._stalled_until = 0.0
        self.sender = asyncio.create_task(self._send_on())

    def send(self, frame: str) -> None:
        if self._outbox.qsize() >= OUTBOX_LIMIT:
            self.cut()
        else:
            self._outbox.put_nowait(frame)

    def close(self, code: int) -> None:
        """Close it with a close frame, after what is still to be sent."""
        self._outbox.put_nowait(code)

    def cut(self) -> None:
        """Drop the connection without a word."""
        if isinstance(self._transport, asyncio.Transport):
            self._transport.abort()

    def stall(self, seconds: float) -> None:
        """Carry nothing for so long, in either direction: the connection stays open."""
        self._stalled_until = asyncio.get_running_loop().time() + seconds

    async def flowing(self) -> None:
        """Wait until it carries something."""
        left = self._stalled_until - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.sleep(left)

    async def _send_on(self) -> None:
        try:
            while isinstance(frame := await self._outbox.get(), str):
                await self.flowing()
                await self._socket.send_str(frame)
            await self._socket.close(code=frame)
        except (ConnectionError, RuntimeError):
            self.cut()


class DailyRooms:
    """The HTTP and WebSocket side of all rooms."""

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self._refused: OrderedDict[str, Fault] = OrderedDict()
        self._hanging: OrderedDict[str, None] = OrderedDict()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer anything that the SDK asks for."""
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._signalling(request)
        found = LOOKUP.search(request.path)
        if not found:
            return web.json_response({"error": "not-found"}, status=404)
        if self.vendor.faults.holds("away", found["room"]):
            if request.transport:
                request.transport.abort()
            return web.Response()
        if found["what"] == "ice":
            return web.json_response({"iceConfig": {"iceServers": []}})
        return self._check(request, found["domain"], found["room"])

    def _check(self, request: web.Request, domain: str, name: str) -> web.Response:
        conversation = self.vendor.conversations.get(name) if domain == DOMAIN else None
        if conversation is None:
            return _no("not-found", "The room does not exist.")
        if not conversation.active or name not in self.vendor.open:
            return _no("exp-room", "This room is no longer available.")
        if fault := self._refusal(request.headers.get("x-dailysessionid", ""), name):
            return web.json_response(
                {"error": fault.error or "refused", "info": fault.body}, status=fault.status or 200
            )
        if not _admitted(conversation, request):
            return _no("not-allowed", "You are not allowed to join this meeting.")
        room = self.vendor.open[name].room
        if room.full and request.headers.get("x-dailysessionid") not in room.participants:
            return _no("meeting-full", "The meeting is full.")
        return web.json_response(
            {
                "sigAuthz": "twin",
                "roomName": name,
                "domainProps": {"api_plan_id": "twin"},
                "roomProps": {},
                "joinProps": {},
                "permissions": {"hasPresence": True},
                "iceConfig": {"iceServers": []},
                "worker": {"workerId": "w1", "wssUri": "wss://w1.wss.daily.co:443"},
            }
        )

    def _hangs(self, name: str, participant: Participant) -> bool:
        """Whether this join is never answered; the same id trying again is the same join."""
        hangs = participant.id in self._hanging
        if not hangs and self.vendor.faults.take("join_hangs", name, participant.name):
            hangs, self._hanging[participant.id] = True, None
            if len(self._hanging) > REFUSALS_REMEMBERED:
                self._hanging.popitem(last=False)
        return hangs

    def _refusal(self, session: str, name: str) -> Fault | None:
        """Return the fault that refuses this join. The SDK asks three times for one join, and that is one refusal."""
        fault = self._refused.get(session) or self.vendor.faults.take("refuse_join", name)
        if fault and session:
            self._refused[session] = fault
            if len(self._refused) > REFUSALS_REMEMBERED:
                self._refused.popitem(last=False)
        return fault

    async def _signalling(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=LARGEST_FRAME, compress=False, autoclose=True)
        await socket.prepare(request)
        client = Client(socket, request.transport)
        here: tuple[Room, Participant] | None = None
        try:
            while True:
                frame = await socket.receive(timeout=SILENCE_LIMIT)
                if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                await client.flowing()
                here = self._frame(client, here, _read(frame.data))
        except TimeoutError:
            client.cut()
        finally:
            if here:
                here[0].lost(here[1], client)
            client.sender.cancel()
        return socket

    def _frame(
        self, client: Client, here: tuple[Room, Participant] | None, frame: dict[str, Any]
    ) -> tuple[Room, Participant] | None:
        kind, data = frame.get("msgStr"), frame.get("msgData")
        if kind == "join-for-sig":
            return self._join(client, frame)
        if here is None:
            client.close(WSCloseCode.POLICY_VIOLATION)
        elif kind == "sig-msg" and isinstance(data, dict) and data.get("tag") == "x-egassem":
            here[0].send(here[1], str(data.get("envelopeTo", "*")), data.get("fields"))
        elif kind == "sig-presence" and data == "sig-disconnect":
            here[0].leave(here[1])
        elif kind == "sig-presence" and isinstance(data, dict):
            here[0].update(here[1], data)
        elif kind == "sig-ack" and isinstance(data, dict):
            client.send(json.dumps({"msgStr": "sig-ack", "lTs": data.get("lTs")}))
        elif isinstance(data, dict) and "_sendTs" in data and kind not in ("sig-ks-row", "sig-logs"):
            answer = {"_kTs": data["_sendTs"], **_rpc(kind, data)}
            client.send(json.dumps({"msgStr": "sig-msg", "tag": "soup", "msgData": answer}))
        return here

    def _join(self, client: Client, frame: dict[str, Any]) -> tuple[Room, Participant] | None:
        _, _, name = str(frame.get("mtgStr")).partition("/")
        identity, data = str(frame.get("from")), frame.get("msgData")
        opened = self.vendor.open.get(name)
        if opened is None or not isinstance(data, dict) or not _is_uuid(identity):
            client.send('{"msgStr":"room-deleted"}')
            return None
        room, presence = opened.room, data.get("presence")
        participant = Participant(
            identity, {**(presence if isinstance(presence, dict) else {}), "id": identity}, clock.time()
        )
        if self.vendor.faults.holds("away", name, participant.name):
            client.cut()
            return None
        if self._hangs(name, participant):
            return None
        participant.socket = client
        others = [other.presence for other in room.participants.values() if other.id != identity]
        client.send(
            json.dumps(
                {
                    "msgStr": "sig-ack", "fullParticipantsCount": len(others) + 1,
                    "mtgSession": {"id": room.meeting_session}, "presences": others,
                }
            )
        )  # fmt: skip
        room.join(participant)
        self.vendor.break_socket(name, participant)
        return room, participant


def _no(error: str, words: str) -> web.Response:
    return web.json_response({"error": error, "info": {"msg": words}})


def _admitted(conversation: Conversation, request: web.Request) -> bool:
    token = conversation.meeting_token
    if token is None:
        return True
    shown = request.headers.get("x-dailyjointoken") or request.query.get("t", "")
    return shown == token and clock.time() < conversation.token_expires


def _rpc(kind: Any, data: dict[str, Any]) -> dict[str, Any]:
    if kind == "join-as-new-peer":
        return {"routerRtpCapabilities": {"codecs": CODECS, "headerExtensions": []}}
    if kind == "create-transport":
        return {"transportOptions": {"id": str(uuid.uuid4()), **TRANSPORT}}
    return {"ok": True}


def _read(raw: str | bytes) -> dict[str, Any]:
    try:
        frame = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return frame if isinstance(frame, dict) else {}


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
