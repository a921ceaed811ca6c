"""The two WebSocket consumers: one conversation, and the log across conversations."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings

from conversations import bells
from conversations.live.feeds import Look, as_json, follow
from conversations.live.looks import READERS, in_thread, rest
from conversations.live.speaking import Speech
from conversations.live.tails import ConversationTail, LogTail
from conversations.live.visitor import NOT_THERE, Unwelcome, Visitor, again, recognise
from conversations.models import Conversation
from conversations.waiting import Ear
from conversations.within import readable
from echoadmin.api.errors import problem_of
from echoadmin.api.paging import number_of
from echoadmin.api.problems import refused
from echoadmin.log import reader
from echoadmin.log.models import Stream
from echoadmin.log_lines import set_about

logger = logging.getLogger(__name__)

ASK_AGAIN = 10.0  # seconds between two looks at who is there
LONGEST_PING = 200  # characters
BROKEN = 1011
BAD_QUERY = 4400


def ping_of(text: str | None) -> dict[str, Any] | None:
    """The ping, when this is one."""
    if text is None or len(text) > LONGEST_PING or '"ping"' not in text:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.get("type") == "ping" else None


class LiveConsumer(AsyncJsonWebsocketConsumer):
    """Reads on whenever a bell rings, at most ten times a second and under load less often, and every 2 s without
    one."""

    visitor: Visitor
    look_every = settings.LOOK_EVERY  # seconds, when no bell rings
    is_over = False  # closed from here: nothing more is sent

    async def dispatch(self, message: dict[str, Any]) -> None:
        """To the method of its name. Channels' own goes to a thread first, for each frame, to close what connections to
        the database are too old; what is asked from here gives its connection back by itself (looks.in_thread)."""
        await getattr(self, get_handler_name(message))(message)

    async def send_json(self, content: Any, close: bool = False) -> None:
        """As the REST API writes it."""
        await self.send_text(as_json(content))

    async def send_text(self, text: str) -> None:
        """To who is still there: that one went away is told by `disconnect`, and no fault."""
        if not self.is_over:
            with contextlib.suppress(OSError):
                await self.base_send({"type": "websocket.send", "text": text})

    async def close(self, code: Any = None, reason: str | None = None) -> None:
        """Once, and nothing after it."""
        if not self.is_over:
            self.is_over = True
            with contextlib.suppress(OSError):
                await super().close(code, reason)

    async def connect(self) -> None:
        """Accepts first: a code of its own can only close what was open."""
        set_about(request_id=uuid.uuid4().hex, conversation=self.scope["url_route"]["kwargs"].get("any_id"))
        await self.accept()
        self._tasks: list[asyncio.Task[None]] = []
        try:
            self.visitor = await in_thread(READERS, recognise, self.scope)
            await in_thread(READERS, self.begin, self._query())
        except Unwelcome as unwelcome:
            await self.close(unwelcome.code, unwelcome.reason[:120])
            return
        except Exception as error:
            problem = problem_of(error)
            if problem is None:
                raise
            await self.send_json({"type": "error", "ref": None, **problem.body(None)})
            await self.close(BAD_QUERY, problem.message[:120])
            return
        await self.ready()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._ask_again())]

    def begin(self, query: dict[str, str]) -> None:
        """Finds where to read; runs in a thread."""
        raise NotImplementedError

    def looks(self) -> AsyncIterator[Look]:
        """What is there to be told, for as long as it is asked for."""
        raise NotImplementedError

    @property
    def is_in(self) -> bool:
        """Whether the visitor was recognised."""
        return bool(self._tasks)

    async def ready(self) -> None:
        """The visitor is in."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        """A ping; all else that comes in is for a conversation's connection."""
        if self.is_in:
            await self.answered(text_data)

    async def looked(self, look: Look) -> None:
        """Its messages were sent."""

    async def answered(self, text: str | None) -> bool:
        """Whether this was a ping: it is answered before anything is asked, also to who may only listen."""
        ping = ping_of(text)
        if ping is not None:
            await self.send_json({**ping, "type": "pong"})
        return ping is not None

    async def disconnect(self, code: int) -> None:
        """Stops reading."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        raise StopConsumer

    async def _read(self) -> None:
        try:
            async with contextlib.aclosing(self.looks()) as looks:  # type: ignore[type-var]
                async for look in looks:
                    for _, text in look.messages:
                        await self.send_text(text)
                    await self.looked(look)
        except Unwelcome as unwelcome:
            await self.close(unwelcome.code, unwelcome.reason[:120])
        except Exception:
            logger.exception("a live connection broke")
            await self.close(BROKEN, "Reading failed. Connect again from where you were.")

    async def _ask_again(self) -> None:
        """Whether they are still who they were, and may read."""
        while not self.is_over:
            await asyncio.sleep(ASK_AGAIN)
            try:
                self.visitor = await in_thread(READERS, again, self.visitor)
            except Unwelcome as unwelcome:
                await self.close(unwelcome.code, unwelcome.reason[:120])
            except Exception:
                logger.exception("who follows could not be asked for")
                await self.close(BROKEN, "Reading failed. Connect again from where you were.")

    def _query(self) -> dict[str, str]:
        given = parse_qs(self.scope["query_string"].decode("latin-1"))
        return {name: values[-1].replace("\0", "") for name, values in given.items()}


class ConversationConsumer(LiveConsumer):
    """`/ws/v1/conversations/{id}/?after=N&at_most=M`: without `after`, from now on; `entries=exclude`: no entries."""

    tail: ConversationTail

    def begin(self, query: dict[str, str]) -> None:
        """Raises Unwelcome for an id that there is not."""
        any_id = self.scope["url_route"]["kwargs"]["any_id"].replace("\0", "")
        rows: Any = Conversation.objects.select_related("persona").filter(readable(self.visitor.limits))
        found = rows.by_any_id(any_id).first()
        if found is None:
            raise Unwelcome(NOT_THERE, "There is no conversation with this id.")
        after, at_most = number_of(query.get("after"), "after"), number_of(query.get("at_most"), "at_most")
        entries = query.get("entries") != "exclude"
        audio = query.get("audio") == "include"
        self.tail = ConversationTail(found, after, audio=audio, at_most=at_most, entries=entries)

    def looks(self) -> AsyncIterator[Look]:
        """The conversation's, each taken once for all who follow it."""
        return follow(self.tail, self.look_every)

    async def ready(self) -> None:
        """From now on they can speak, if they may."""
        self.speech = Speech(self.tail.conversation, self.send_json)

    async def looked(self, look: Look) -> None:
        """What became of the echoes is also what there is room for."""
        echoes = [message["echo"] for message, _ in look.messages if message["type"] == "echo"]
        await self.speech.seen(echoes, look.waiting)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        """One message or one frame of samples, in order."""
        if not self.is_in or await self.answered(text_data):
            return
        try:
            if bytes_data is not None:
                await self.speech.frame(bytes_data)
            else:
                await self.speech.message(self.visitor, text_data or "")
        except Unwelcome as unwelcome:
            await self.close(unwelcome.code, unwelcome.reason[:120])

    async def disconnect(self, code: int) -> None:
        """What was begun and not ended is closed by the room, as any audio that stops coming."""
        if self.is_in:
            await self.speech.stop()
        await super().disconnect(code)


class LogConsumer(LiveConsumer):
    """`/ws/v1/log/?after=<cursor>&<filters>`: without `after`, from now on."""

    look_every = 0.5  # seconds: every stream has its own bell, and this one hears only the account's

    tail: LogTail

    def begin(self, query: dict[str, str]) -> None:
        """Raises what a bad filter or cursor is."""
        filters = {name: query[name] for name in reader.FILTERS if query.get(name)}
        try:
            audio = query.get("audio") == "include"
            self.tail = LogTail(query.get("after") or None, filters, audio=audio, limits=self.visitor.limits)
        except (reader.FilterError, reader.CursorError) as error:
            raise refused(400, "invalid", str(error)) from error

    async def looks(self) -> AsyncIterator[Look]:
        """Its own: no other one need have the same filters."""
        loop = asyncio.get_running_loop()
        ear = Ear(bells.tail_group(Stream.ACCOUNT))
        try:
            await ear.open()
            while True:
                began = loop.time()
                messages, more = await in_thread(READERS, self.tail.look)
                yield Look.of(messages, 0)
                if not more:
                    await rest(ear, loop.time() - began, self.look_every)
        finally:
            await ear.close()
