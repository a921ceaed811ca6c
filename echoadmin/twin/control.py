"""``/twin/…``: what the twin itself tells and takes. Answers on loopback only, and never to a page of another origin.

``GET /twin/rooms`` and ``/twin/rooms/{conversation_id}/messages`` are its own record of what each room carried.
"""

import ipaddress
import json
import os
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from echoadmin import clock

from . import VERSION
from .conversation import Conversation
from .faults import BadFault, Fault, read_fault
from .rehearsals import REHEARSALS
from .store import Message
from .tavus_api.access import VENDOR, Handler
from .vendor import Vendor

PAGE_OF_MESSAGES = 2000


def routes() -> list[web.RouteDef]:
    return [
        web.get("/twin/health", health),
        web.get("/twin/rooms", rooms),
        web.get("/twin/rooms/{id}/messages", messages),
        web.post("/twin/rooms/{id}/messages", utter),
        web.put("/twin/rooms/{id}/chatter", chatter),
        web.get("/twin/bill", bill),
        web.get("/twin/webhooks", webhooks),
        web.get("/twin/limits", limits),
        web.put("/twin/limits", set_limits),
        web.get("/twin/faults", faults),
        web.get("/twin/faults/rehearsals", rehearsals),
        web.post("/twin/faults", add_fault),
        web.put("/twin/faults", replace_faults),
        web.delete("/twin/faults", clear_faults),
        web.delete("/twin/faults/{id}", clear_fault),
    ]


@web.middleware
async def loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse ``/twin/…`` to other machines, and to browsers on behalf of another site."""
    if request.path.startswith("/twin/"):
        origin = request.headers.get("Origin")
        if not _is_loopback(request.remote or "") or not _is_loopback(request.url.host or ""):
            return _error(403, "The twin's control paths answer on loopback only.")
        if origin is not None and not _is_loopback(urlsplit(origin).hostname or ""):
            return _error(403, "The twin's control paths do not answer to another site's page.")
    return await handler(request)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def health(request: web.Request) -> web.Response:
    vendor = request.app[VENDOR]
    return web.json_response(
        {
            "name": "echoadmin twin",
            "version": VERSION,
            "pid": os.getpid(),
            "port": vendor.port,
            "speed": vendor.settings.speed,
            "daily_port": vendor.daily_port,
            "daily_url": f"https://localhost:{vendor.daily_port}",
            "ca_file": str(vendor.ca_file),
            "data": str(vendor.settings.data.resolve()),
            "rooms": len(vendor.open),
        }
    )


async def rooms(request: web.Request) -> web.Response:
    """All rooms, the newest first; ``?status=active`` for the open ones."""
    vendor, status = request.app[VENDOR], request.query.get("status")
    found = sorted(vendor.conversations.values(), key=lambda c: c.created, reverse=True)
    rows = [_room(vendor, conversation) for conversation in found]
    return web.json_response([row for row in rows if not status or row["status"] == status])


def _room(vendor: Vendor, conversation: Conversation) -> dict[str, Any]:
    key = conversation.conversation_id
    opened = vendor.open.get(key)
    speaking = opened.replica.speaker.speaking if opened else None
    return {
        "conversation_id": key,
        "conversation_name": conversation.name,
        "conversation_url": conversation.url,
        "status": "active" if conversation.active else "ended",
        "created_at": conversation.created,
        "ended_at": conversation.ended,
        "shutdown_reason": conversation.shutdown_reason,
        "replica_present": bool(opened and opened.replica.present),
        "speaking": speaking.inference_id if speaking else None,
        "messages": opened.room.number if opened else vendor.numbers.get(key, 0),
        "participants": [p.describe() for p in opened.room.participants.values()] if opened else [],
    }


async def messages(request: web.Request) -> web.StreamResponse:
    """What a room carried, in order of arrival: ``?after=n``, ``?limit=``, ``?audio=omit`` to leave the samples out."""
    vendor, key = request.app[VENDOR], request.match_info["id"]
    if key not in vendor.conversations:
        return _error(404, f"No conversation {key}.")
    try:
        after, left = int(request.query.get("after", 0)), int(request.query.get("limit", 2**62))
    except ValueError:
        return _error(400, "after and limit must be whole numbers.")
    answer = web.StreamResponse(headers={"Content-Type": "application/json; charset=utf-8"})
    await answer.prepare(request)
    between = b"["
    while left > 0 and (found := await vendor.store.read(key, after, min(left, PAGE_OF_MESSAGES))):
        rows = ",\n".join(_message(row, omit_audio=request.query.get("audio") == "omit") for row in found)
        await answer.write(between + rows.encode())
        after, left, between = found[-1].n, left - len(found), b",\n"
    await answer.write(b"[]" if between == b"[" else b"]")
    return answer


async def utter(request: web.Request) -> web.Response:
    """Let the replica send any app message, as if of its own accord: a tool call, a user's utterance, nonsense."""
    opened = request.app[VENDOR].open.get(request.match_info["id"])
    if opened is None:
        return _error(404, "No such room is open.")
    if not opened.replica.utter(await _json(request)):
        return _error(409, "The replica is not in the room.")
    return web.json_response({"n": opened.room.number}, status=201)


async def chatter(request: web.Request) -> web.Response:
    """Load: the replica sends ``per_second`` messages of so many ``characters`` more from now on; 0 ends that."""
    opened, given = request.app[VENDOR].open.get(request.match_info["id"]), await _json(request)
    per_second = given.get("per_second") if isinstance(given, dict) else None
    if isinstance(per_second, bool) or not isinstance(per_second, int | float) or not 0 <= per_second <= 1000:
        return _error(400, "`per_second` is a number from 0 to 1000.")
    characters = given.get("characters", 0)
    if isinstance(characters, bool) or not isinstance(characters, int) or not 0 <= characters <= 1_000_000:
        return _error(400, "`characters` is a whole number from 0 to 1000000.")
    if opened is None:
        return _error(404, "No such room is open.")
    if not opened.replica.chatter(per_second, characters):
        return _error(409, "The replica is not in the room.")
    return web.json_response({"per_second": per_second})


def _message(row: Message, *, omit_audio: bool) -> str:
    body = row.body
    if omit_audio and '"audio"' in body:
        message = json.loads(body)
        properties = message.get("properties") if isinstance(message, dict) else None
        if isinstance(properties, dict) and isinstance(properties.get("audio"), str):
            properties["audio"] = f"<{len(properties['audio'])} characters>"
        body = json.dumps(message)
    head = {
        "n": row.n, "at": row.at, "from": row.sender, "from_name": row.sender_name, "to": row.recipient,
        "flags": row.flags.split(",") if row.flags else [],
    }  # fmt: skip
    return f'{json.dumps(head)[:-1]}, "message": {body}}}'


async def bill(request: web.Request) -> web.Response:
    """What each conversation costs: the seconds from creation to end, and until now for those that run."""
    vendor, now = request.app[VENDOR], clock.time()
    rows = [
        {
            "conversation_id": c.conversation_id,
            "conversation_name": c.name,
            "seconds": round(c.seconds(now), 3),
            "from": c.created,
            "to": c.ended,
            "active": c.active,
            "test_mode": c.test_mode,
            "shutdown_reason": c.shutdown_reason,
        }
        for c in vendor.conversations.values()
    ]
    return web.json_response(
        {"seconds": round(sum(c.seconds(now) for c in vendor.conversations.values()), 3), "conversations": rows}
    )


async def webhooks(request: web.Request) -> web.Response:
    """The last 1,000 callbacks that were sent, and how each went."""
    return web.json_response(list(request.app[VENDOR].webhooks.sent))


async def limits(request: web.Request) -> web.Response:
    return web.json_response(request.app[VENDOR].limits)


async def set_limits(request: web.Request) -> web.Response:
    """Set some of the limits; null lifts a number."""
    vendor, given = request.app[VENDOR], await _json(request)
    if not isinstance(given, dict) or (strangers := set(given) - set(vendor.limits)):
        names = ", ".join(vendor.limits)
        return _error(
            400, f"Unknown limit {sorted(strangers)[0]!r}; there are: {names}." if isinstance(given, dict) else names
        )
    for name, value in given.items():
        if wrong := _wrong_limit(name, value):
            return _error(400, wrong)
    for name, value in given.items():
        vendor.set_limit(name, value)
    return web.json_response(vendor.limits)


def _wrong_limit(name: str, value: Any) -> str | None:
    if name == "strict_message_size":
        return None if isinstance(value, bool) else f"{name} must be true or false."
    number = type(value) in (int, float) and 0 <= value < 2**31
    if name == "longest_call_seconds":
        return None if number else f"{name} must be a number from 0."
    return None if number or value is None else f"{name} must be a number from 0, or null."


async def faults(request: web.Request) -> web.Response:
    return web.json_response(request.app[VENDOR].faults.describe())


async def rehearsals(request: web.Request) -> web.Response:
    """Faults that are worth rehearsing: what each does, and what a client should make of it."""
    return web.json_response([one.describe() for one in REHEARSALS])


async def add_fault(request: web.Request) -> web.Response:
    """Arm one fault; the answer has its id."""
    try:
        fault = read_fault(await _json(request))
    except BadFault as wrong:
        return _error(400, str(wrong))
    _arm(request, [fault])
    return web.json_response({"id": fault.id}, status=201)


async def replace_faults(request: web.Request) -> web.Response:
    """Arm exactly the faults of the list that is sent."""
    given = await _json(request)
    try:
        fresh = [read_fault(one) for one in given] if isinstance(given, list) else None
    except BadFault as wrong:
        return _error(400, str(wrong))
    if fresh is None:
        return _error(400, "Send a list of faults.")
    request.app[VENDOR].faults.clear()
    _arm(request, fresh)
    return web.json_response(request.app[VENDOR].faults.describe())


def _arm(request: web.Request, fresh: list[Fault]) -> None:
    for fault in fresh:
        request.app[VENDOR].faults.add(fault)


async def clear_faults(request: web.Request) -> web.Response:
    return web.json_response({"cleared": request.app[VENDOR].faults.clear()})


async def clear_fault(request: web.Request) -> web.Response:
    cleared = request.app[VENDOR].faults.clear(request.match_info["id"])
    return web.json_response({"cleared": cleared}, status=200 if cleared else 404)


async def _json(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except ValueError:
        return None


def _error(status: int, words: str) -> web.Response:
    return web.json_response({"error": words}, status=status)
