"""Tails as Server-Sent Events: a conversation's entries, or those of all, as they are written.

`id:` is the place to go on from, which a client that connects again sends as `Last-Event-ID`. A stream holds neither a
connection to the database while it waits, nor a thread of those that read.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.utils.encoders import JSONEncoder

from conversations import bells
from conversations.live.looks import READERS, in_thread
from conversations.live.tails import EntryTail, LogTail
from conversations.live.visitor import NOT_KNOWN, Unwelcome, Visitor, again
from conversations.models import Conversation
from conversations.waiting import Ear
from echoadmin.accounts.authentication import bearer
from echoadmin.accounts.models import ApiKey
from echoadmin.api.errors import problem_of
from echoadmin.api.paging import number_of
from echoadmin.api.problems import ApiError, Problem
from echoadmin.api.views import View, find
from echoadmin.log import reader
from echoadmin.log.api import AUDIO, FILTERS, with_audio
from echoadmin.log.models import Stream
from echoadmin.request_threads import let_go
from echoadmin.streaming import STOPPING, AnyAccept, taken_within

logger = logging.getLogger(__name__)

Tail = EntryTail | LogTail

SHORTEST = 0.1  # s between two looks
ASK_AGAIN = 10.0  # s between two looks at who is there
HEARTBEAT = 15.0  # s without a word after which a comment is sent: proxies end what is silent
RETRY = 2_000  # ms after which a client connects again
ACROSS = 0.5  # s between two looks at all conversations: only the account's bell is heard there

LAST_EVENT_ID = OpenApiParameter("Last-Event-ID", str, OpenApiParameter.HEADER, description="`id` of the last event.")
_open = threading.BoundedSemaphore(settings.SSE_STREAMS)


class _Body:
    """What a response iterates, and closes at its end, also where nobody began to read."""

    def __init__(self, blocks: AsyncIterator[bytes]) -> None:
        self._blocks = blocks
        self._is_open = True

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._blocks

    def close(self) -> None:
        """Its place is another one's."""
        if self._is_open:
            self._is_open = False
            _open.release()


class _Events(View):
    """A stream of events that ends when its reader goes, or may not read any more."""

    content_negotiation_class = AnyAccept
    codes = {"GET": ("too_many_streams",)}
    http_method_names = ["get", "options"]  # HEAD would never end

    def answer(self, request: Request, tail: Tail, stream: str, look_every: float) -> StreamingHttpResponse:
        """200 and the stream; 429 where too many are open."""
        if not _open.acquire(blocking=False):
            words = f"{settings.SSE_STREAMS} streams are open on this console already. Close some, or come back later."
            raise ApiError(Problem(429, "too_many_streams", words, retry_after=10))
        body = _Body(_told(tail, _visitor(request), bells.tail_group(stream), look_every))
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingHttpResponse(body, headers=headers)


@extend_schema(
    tags=["log"],
    parameters=[
        OpenApiParameter("after", str, description="A cursor: `id` of an event. Without it, from now on."),
        *FILTERS,
        AUDIO,
        LAST_EVENT_ID,
    ],
    responses={(200, "text/event-stream"): OpenApiTypes.STR},
)
class AllEntryEvents(_Events):
    """Entries of all conversations as they are written, as Server-Sent Events."""

    def get(self, request: Request) -> StreamingHttpResponse:
        """Each entry as an event `entry`, and `caught_up` where nothing more is there for now."""
        params = request.query_params
        filters = {name: params[name] for name in reader.FILTERS if params.get(name)}
        try:
            audio = with_audio(params, default=False)
            tail = LogTail(_after(request), filters, audio=audio, limits=self.limits)
        except reader.FilterError as error:
            raise ValidationError(error.fields) from None
        except reader.CursorError as error:
            raise ValidationError({"after": [str(error)]}) from None
        return self.answer(request, tail, Stream.ACCOUNT, ACROSS)


@extend_schema(
    tags=["log"],
    parameters=[
        OpenApiParameter("after", int, description="Entries with a higher `n`. Without it, from now on."),
        *FILTERS,
        AUDIO,
        LAST_EVENT_ID,
    ],
    responses={(200, "text/event-stream"): OpenApiTypes.STR},
)
class ConversationEntryEvents(_Events):
    """A conversation's entries as they are written, as Server-Sent Events."""

    def get(self, request: Request, any_id: str) -> StreamingHttpResponse:
        """Each entry as an event `entry`, and `caught_up` where nothing more is there for now."""
        params = request.query_params
        stream = find(Conversation.objects.all(), any_id).public_id
        after = number_of(_after(request), "after")
        filters = {name: params[name] for name in reader.FILTERS if params.get(name) and name != "conversation"}
        try:
            tail = EntryTail(stream, after, filters, audio=with_audio(params, default=False))
        except reader.FilterError as error:
            raise ValidationError(error.fields) from None
        return self.answer(request, tail, stream, settings.LOOK_EVERY)


def _after(request: Request) -> str | None:
    """Who connects again tells where they were: that counts, not where they began."""
    return request.headers.get("Last-Event-ID") or request.query_params.get("after") or None


def _visitor(request: Request) -> Visitor:
    api_key: Any = request.auth
    if isinstance(api_key, ApiKey):
        return Visitor(request.user, api_key, bearer(request.headers["Authorization"]))
    return Visitor(request.user, None, None, request._request.session.session_key)


async def _told(tail: Tail, visitor: Visitor, group: str, look_every: float) -> AsyncIterator[bytes]:
    """The stream's bytes."""
    ear = Ear(group)
    await sync_to_async(let_go)()  # the view's connection is not needed any more
    try:
        await ear.open()
        async for block in _blocks(tail, visitor, ear, look_every):
            with taken_within(settings.STREAM_STALL):
                yield block
    finally:
        await ear.close()


async def _blocks(tail: Tail, visitor: Visitor, ear: Ear, look_every: float) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    asked = spoke = loop.time()
    yield f"retry: {RETRY}\n\n".encode()
    while not STOPPING.is_set():
        if loop.time() - asked > ASK_AGAIN:
            try:
                await in_thread(READERS, again, visitor)
            except Unwelcome as unwelcome:
                code = "unauthenticated" if unwelcome.code == NOT_KNOWN else "forbidden"
                yield _event("error", None, {"code": code, "message": unwelcome.reason})
                return
            asked = loop.time()
        try:
            messages, more = await in_thread(READERS, tail.look)
        except Exception as error:  # noqa: BLE001 - it is told, and the client connects again from where it was
            yield _failed(error)
            return
        if messages:
            yield b"".join(_shown(message) for message in messages)
            spoke = loop.time()
        elif loop.time() - spoke >= HEARTBEAT:
            yield b": still here\n\n"
            spoke = loop.time()
        if not more:
            await asyncio.sleep(SHORTEST)
            await ear.hear(look_every)


def _failed(error: Exception) -> bytes:
    problem = problem_of(error)
    if problem is None:
        logger.error("a stream of events broke", exc_info=error)
        problem = Problem(500, "internal", "Reading failed. Connect again from where you were.")
    return _event("error", None, {"code": problem.code, "message": problem.message})


def _shown(message: dict[str, Any]) -> bytes:
    """One message of a tail as an event: `id` is the place just after it."""
    if message["type"] == "entry":
        entry = message["entry"]
        return _event("entry", entry.get("cursor", entry["n"]), entry)
    place = message.get("cursor", message.get("n"))
    return _event("caught_up", place, {name: value for name, value in message.items() if name != "type"})


def _event(kind: str, place: object, data: dict[str, Any]) -> bytes:
    """JSON has no line ends of its own, so `data` is one line."""
    name = "" if place is None else f"id: {place}\n"
    return f"{name}event: {kind}\ndata: {json.dumps(data, cls=JSONEncoder, separators=(',', ':'))}\n\n".encode()
