"""One look at a conversation for all who follow it from this process, and each message made into JSON once.

Who comes reads by itself what it has missed (its ConversationTail), takes its last look while the feed does not look,
and has a seat from then on: the feed's next looks are handed to it. Who takes too little loses the seat, and reads by
itself again from where it was.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from rest_framework.utils.encoders import JSONEncoder

from conversations import bells
from conversations.live.looks import READERS, in_thread, rest
from conversations.live.tails import ConversationTail
from conversations.waiting import Ear

MOST_WAITING = 2_000  # messages that wait for one follower to take them

Message = dict[str, Any]


def as_json(message: Message) -> str:
    """As the REST API writes it."""
    return json.dumps(message, cls=JSONEncoder, separators=(",", ":"))


@dataclass(frozen=True)
class Look:
    """What one look found: messages with their JSON, and how many echoes waited then."""

    messages: list[tuple[Message, str]]
    waiting: int

    @classmethod
    def of(cls, messages: list[Message], waiting: int) -> Look:
        """With the JSON made."""
        return cls([(message, as_json(message)) for message in messages], waiting)


class Seat:
    """One follower's place at a feed."""

    def __init__(self, n: int, told: list[Message]) -> None:
        self.n = self._caught_up = n  # of the last entry that it took; and up to which it knows that it has all
        self.fell_behind = False
        self._told = {one["echo"]["id"]: one["echo"] for one in told if one["type"] == "echo"}
        self._looks: deque[Look] = deque()
        self._size = 0
        self._failed: Exception | None = None
        self._something = asyncio.Event()

    def put(self, look: Look) -> None:
        """What the feed found."""
        self._size += len(look.messages)
        if self._size > MOST_WAITING:
            self.fell_behind = True
            self._looks.clear()
        else:
            self._looks.append(look)
        self._something.set()

    def fail(self, error: Exception) -> None:
        """The feed can't look any more."""
        self._failed = error
        self._something.set()

    async def take(self) -> Look | None:
        """The next look, as soon as there is one; None where the seat is lost. Raises what the feed failed with."""
        while not self._looks:
            if self._failed is not None:
                raise self._failed
            if self.fell_behind:
                return None
            self._something.clear()
            await self._something.wait()
        look = self._looks.popleft()
        self._size -= len(look.messages)
        return Look([one for one in look.messages if self._is_new(one[0])], look.waiting)

    def _is_new(self, message: Message) -> bool:
        """The follower's own last look may have been later than the feed's."""
        kind = message["type"]
        if kind == "entry":
            before, self.n = self.n, max(self.n, message["entry"]["n"])
            return self.n > before
        if kind == "caught_up":
            before, self._caught_up = self._caught_up, max(self._caught_up, message["n"])
            return self._caught_up > before
        return not (kind == "echo" and self._told.pop(message["echo"]["id"], None) == message["echo"])


class Feed:
    """Looks while somebody has a seat."""

    def __init__(self, group: str, look_every: float) -> None:
        self.turn = asyncio.Lock()  # the feed's look, or the last own look of somebody who takes a seat
        self._group = group
        self._look_every = look_every
        self._tail: ConversationTail | None = None
        self._seats: set[Seat] = set()
        self._looking: asyncio.Task[None] | None = None

    def seat(self, tail: ConversationTail, told: list[Message]) -> Seat:
        """A place for who has just taken this look, in its turn. The first one's is where the feed begins."""
        seat = Seat(tail.n, told)
        if self._looking is None or self._looking.done():
            self._tail = tail.fork()
            self._looking = asyncio.create_task(self._look(self._tail))
        self._seats.add(seat)
        return seat

    async def leave(self, seat: Seat) -> None:
        """The last one puts out the light."""
        self._seats.discard(seat)
        if not self._seats and self._looking is not None:
            looking, self._looking = self._looking, None
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking

    async def _look(self, tail: ConversationTail) -> None:
        loop = asyncio.get_running_loop()
        ear = Ear(self._group)
        try:
            await ear.open()
            took, more = 0.0, True  # a bell may have rung before it was heard
            while True:
                if not more:
                    await rest(ear, took, self._look_every)
                began = loop.time()
                async with self.turn:
                    messages, more = await in_thread(READERS, tail.look)
                    self._hand_out(messages, tail.waiting)
                took = loop.time() - began
        except Exception as error:  # noqa: BLE001 - each follower tells its own client
            for seat in self._seats:
                seat.fail(error)
        finally:
            await ear.close()

    def _hand_out(self, messages: list[Message], waiting: int) -> None:
        look = Look.of(messages, waiting)
        for seat in [*self._seats]:
            seat.put(look)
            if seat.fell_behind:
                self._seats.discard(seat)


_feeds: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[object, tuple[Feed, list[object]]]] = WeakKeyDictionary()


@asynccontextmanager
async def _feed_of(tail: ConversationTail, look_every: float) -> AsyncIterator[Feed]:
    """The one feed of what this tail reads; forgotten when nobody uses it."""
    here = _feeds.setdefault(asyncio.get_running_loop(), {})
    key, user = (*tail.reads, look_every), object()
    feed, users = here.setdefault(key, (Feed(bells.tail_group(tail.conversation.public_id), look_every), []))
    users.append(user)
    try:
        yield feed
    finally:
        users.remove(user)
        if not users:
            del here[key]


async def follow(tail: ConversationTail, look_every: float) -> AsyncIterator[Look]:
    """What the tail reads, from where it is, for as long as one asks for more; a look without messages is one too.

    Raises what a look raises.
    """
    async with _feed_of(tail, look_every) as feed:
        while True:
            more = True
            while more:
                async with feed.turn:
                    messages, more = await in_thread(READERS, tail.look)
                    seat = None if more else feed.seat(tail, messages)
                if seat is None:
                    yield Look.of(messages, tail.waiting)
            assert seat is not None
            try:
                yield Look.of(messages, tail.waiting)
                while (look := await seat.take()) is not None:
                    yield look
            finally:
                await feed.leave(seat)
            tail.n = seat.n
