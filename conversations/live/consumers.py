"""The two WebSocket consumers: one conversation, and the log across conversations."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import uuid
from typing import Any
from urllib.parse import parse_qs

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from rest_framework.utils.encoders import JSONEncoder

from conversations import bells
from conversations.live.looks import READERS, in_thread
from conversations.live.speaking import Speech
from conversations.live.tails import ConversationTail, LogTail
from conversations.live.visitor import NOT_THERE, Unwelcome, Visitor, again, recognise
from conversations.models import Conversation
from conversations.within import readable
from echoadmin.api.errors import problem_of
from echoadmin.api.paging import number_of
from echoadmin.api.problems import refused
from echoadmin.log import reader
from echoadmin.log.models import Stream
from echoadmin.log_lines import set_about

logger = logging.getLogger(__name__)

SHORTEST, LONGEST = 0.1, 1.0  # seconds between two looks: as soon as that, and no later where a bell rings
SHARE = 4  # a connection rests so many times as long as its look took: where many look at once, each looks less often
SETTLE = 0.02  # seconds from a bell to the look: what rang it goes to the room first
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


def rest_after(took: float) -> float:
    """Seconds until the next look, after one that took so long, its wait for a thread and for the reader included."""
    return min(LONGEST, max(SHORTEST, SHARE * took))


class LiveConsumer(AsyncJsonWebsocketConsumer):
    """Reads on whenever a bell rings, at most ten times a second and under load less often, and every 2 s without
    one."""

    tail: ConversationTail | LogTail
    visitor: Visitor
    group: str | None = None
    look_every = settings.LOOK_EVERY  # seconds, when no bell rings
    is_over = False  # closed from here: nothing more is sent

    @classmethod
    async def encode_json(cls, content: Any) -> str:
        """As the REST API does."""
        return str(json.dumps(content, cls=JSONEncoder, separators=(",", ":")))

    async def send_json(self, content: Any, close: bool = False) -> None:
        """To who is still there: that one went away is told by `disconnect`, and no fault."""
        if not self.is_over:
            with contextlib.suppress(OSError):
                await super().send_json(content, close)

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
        self._bell = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        try:
            self.visitor = await in_thread(READERS, recognise, self.scope)
            self.tail = await in_thread(READERS, self.begin, self._query())
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
        self.group = self.group_name()
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.ready()
        self._reading = asyncio.create_task(self._read())

    def begin(self, query: dict[str, str]) -> ConversationTail | LogTail:
        """Where to read; runs in a thread."""
        raise NotImplementedError

    def group_name(self) -> str:
        """Whose bell to hear."""
        raise NotImplementedError

    async def ready(self) -> None:
        """The visitor is in."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        """A ping; all else that comes in is for a conversation's connection."""
        if self._reading is not None:
            await self.answered(text_data)

    async def looked(self, messages: list[dict[str, Any]]) -> None:
        """These were sent."""

    async def answered(self, text: str | None) -> bool:
        """Whether this was a ping: it is answered before anything is asked, also to who may only listen."""
        ping = ping_of(text)
        if ping is not None:
            await self.send_json({**ping, "type": "pong"})
        return ping is not None

    async def tail_grew(self, message: dict[str, Any]) -> None:
        """The bell."""
        self._bell.set()

    async def disconnect(self, code: int) -> None:
        """Stops reading."""
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        if self.group is not None:
            await self.channel_layer.group_discard(self.group, self.channel_name)
        raise StopConsumer

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        asked = loop.time()
        try:
            while True:
                if loop.time() - asked > ASK_AGAIN:
                    self.visitor = await in_thread(READERS, again, self.visitor)
                    asked = loop.time()
                self._bell.clear()
                began = loop.time()
                messages, more = await in_thread(READERS, self.tail.look)
                for message in messages:
                    await self.send_json(message)
                await self.looked(messages)
                if not more:
                    await self._pause(rest_after(loop.time() - began))
        except Unwelcome as unwelcome:
            await self.close(unwelcome.code, unwelcome.reason[:120])
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("a live connection broke")
            await self.close(BROKEN, "Reading failed. Connect again from where you were.")

    async def _pause(self, rest: float) -> None:
        await asyncio.sleep(rest)
        try:
            async with asyncio.timeout(max(0.0, self.look_every - rest)):
                await self._bell.wait()
                await asyncio.sleep(SETTLE)
        except TimeoutError:
            return

    def _query(self) -> dict[str, str]:
        given = parse_qs(self.scope["query_string"].decode("latin-1"))
        return {name: values[-1].replace("\0", "") for name, values in given.items()}


class ConversationConsumer(LiveConsumer):
    """`/ws/v1/conversations/{id}/?after=N&at_most=M`: without `after`, from now on; `entries=exclude`: no entries."""

    def begin(self, query: dict[str, str]) -> ConversationTail:
        """Raises Unwelcome for an id that there is not."""
        any_id = self.scope["url_route"]["kwargs"]["any_id"].replace("\0", "")
        rows: Any = Conversation.objects.select_related("persona").filter(readable(self.visitor.limits))
        found = rows.by_any_id(any_id).first()
        if found is None:
            raise Unwelcome(NOT_THERE, "There is no conversation with this id.")
        after, at_most = number_of(query.get("after"), "after"), number_of(query.get("at_most"), "at_most")
        entries = query.get("entries") != "exclude"
        return ConversationTail(found, after, audio=query.get("audio") == "include", at_most=at_most, entries=entries)

    def group_name(self) -> str:
        """The conversation's."""
        assert isinstance(self.tail, ConversationTail)
        return bells.tail_group(self.tail.conversation.public_id)

    async def ready(self) -> None:
        """From now on they can speak, if they may."""
        assert isinstance(self.tail, ConversationTail)
        self.speech = Speech(self.tail.conversation, self.send_json)

    async def looked(self, messages: list[dict[str, Any]]) -> None:
        """What became of the echoes is also what there is room for."""
        assert isinstance(self.tail, ConversationTail)
        echoes = [message["echo"] for message in messages if message["type"] == "echo"]
        await self.speech.seen(echoes, self.tail.waiting)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        """One message or one frame of samples, in order."""
        if self._reading is None or await self.answered(text_data):
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
        if self._reading is not None:
            await self.speech.stop()
        await super().disconnect(code)


class LogConsumer(LiveConsumer):
    """`/ws/v1/log/?after=<cursor>&<filters>`: without `after`, from now on."""

    look_every = 0.5  # seconds: every stream has its own bell, and this one hears only the account's

    def begin(self, query: dict[str, str]) -> LogTail:
        """Raises what a bad filter or cursor is."""
        filters = {name: query[name] for name in reader.FILTERS if query.get(name)}
        try:
            audio = query.get("audio") == "include"
            return LogTail(query.get("after") or None, filters, audio=audio, limits=self.visitor.limits)
        except (reader.FilterError, reader.CursorError) as error:
            raise refused(400, "invalid", str(error)) from error

    def group_name(self) -> str:
        """The account's."""
        return bells.tail_group(Stream.ACCOUNT)
