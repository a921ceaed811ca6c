"""``/v2/conversations``: made, listed, read, ended, deleted. There is no PATCH."""

from typing import Any

from aiohttp import web

from .. import refusals
from ..conversation import Conversation, iso
from ..validation import check_conversation
from ..vocabulary import NEW, OLD, of_conversation
from .access import VENDOR, check_key, read_object
from .listing import check_paging, flag, page_of

ENDED_BY_CALL = "end_conversation_endpoint_hit"


def routes(path: str) -> list[web.RouteDef]:
    return [
        web.post(path, create),
        web.get(path, list_all, allow_head=False),
        web.get(path + "/{id}", get, allow_head=False),
        web.post(path + "/{id}/end", end),
        web.delete(path + "/{id}", delete),
    ]


async def create(request: web.Request) -> web.Response:
    given = await read_object(request)
    vocabulary = of_conversation(given)
    body = vocabulary.read(given)
    check_conversation(body, vocabulary)
    check_key(request)
    conversation = request.app[VENDOR].create_conversation(body, vocabulary)
    answer = _summary(conversation)
    if conversation.meeting_token:
        answer["meeting_token"] = conversation.meeting_token
    return web.json_response(answer)


async def list_all(request: web.Request) -> web.Response:
    check_paging(request)
    check_key(request)
    everything = [c for c in request.app[VENDOR].conversations.values() if not c.deleted]
    status = request.query.get("status")
    rows = [_row(c) for c in sorted(everything, key=lambda c: c.created, reverse=True)]
    return web.json_response(page_of(request, [row for row in rows if not status or row["status"] == status]))


async def get(request: web.Request) -> web.Response:
    check_key(request)
    conversation = _find(request)
    answer = _row(conversation)
    if flag(request, "verbose"):
        answer["events"] = conversation.events
        if conversation.shutdown_reason:
            answer["shutdown_reason"] = conversation.shutdown_reason
    return web.json_response(answer)


async def end(request: web.Request) -> web.Response:
    """End it. Ending what has ended is no error: pipecat leaves first, which ends the room, and then ends it."""
    check_key(request)
    request.app[VENDOR].end_conversation(_find(request), ENDED_BY_CALL)
    return web.Response(status=200)


async def delete(request: web.Request) -> web.Response:
    """Remove the record. That ends no call: what is running runs on, and costs, until one of its clocks ends it."""
    check_key(request)
    conversation = _find(request)
    conversation.deleted = True
    request.app[VENDOR].keep_conversation(conversation)
    return web.Response(status=204)


def _find(request: web.Request) -> Conversation:
    conversation = request.app[VENDOR].conversations.get(request.match_info["id"])
    if conversation is None or conversation.deleted:
        raise refusals.unknown("conversation_id")
    return conversation


def _summary(conversation: Conversation) -> dict[str, Any]:
    return {
        "conversation_id": conversation.conversation_id, "conversation_name": conversation.name,
        "conversation_url": conversation.url, "status": "active" if conversation.active else "ended",
        "callback_url": conversation.callback_url, "created_at": iso(conversation.created),
    }  # fmt: skip


def _row(conversation: Conversation) -> dict[str, Any]:
    vocabulary = NEW if conversation.vocabulary == NEW.name else OLD
    who = {"replica_id": conversation.replica_id, "persona_id": conversation.persona_id}
    return {**_summary(conversation), **vocabulary.write(who), "updated_at": iso(conversation.updated)}
