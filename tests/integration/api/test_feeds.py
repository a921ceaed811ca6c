"""Those who follow one conversation share its looks, and each gets all of it, once and in order."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import channel_layers
from django.utils import timezone

from conversations.live import feeds, looks
from conversations.live.feeds import follow
from conversations.live.tails import ConversationTail
from conversations.models import Conversation, Echo
from tests import make
from tests.integration.api.test_live import log

pytestmark = pytest.mark.django_db(transaction=True)
LIMIT = 30.0  # s
LOOK_EVERY = 3600.0  # s: what is heard, is heard by a bell


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "SHORTEST", 0.01)
    monkeypatch.setattr(channel_layers, "backends", {})


@pytest.fixture
def conversation(transactional_db: None) -> Conversation:
    return Conversation.objects.get(pk=make.room().conversation.pk)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For each look that found entries: the last one's number."""
    numbers: list[int] = []
    look = ConversationTail.look

    def counted(tail: ConversationTail) -> Any:
        told, more = look(tail)
        found = [one["entry"]["n"] for one in told if one["type"] == "entry"]
        numbers.extend(found[-1:])
        return told, more

    monkeypatch.setattr(ConversationTail, "look", counted)
    return numbers


def log_one_by_one(conversation: Conversation, count: int) -> None:
    for _ in range(count):
        log(conversation, 1)


class Follower:
    """Takes whatever comes, unless it is to be slow: then nothing until it may."""

    def __init__(self, conversation: Conversation, after: int = 0) -> None:
        self.conversation, self.after = conversation, after
        self.seen: list[dict[str, Any]] = []
        self.may_take = asyncio.Event()
        self.may_take.set()

    async def __aenter__(self) -> Follower:
        tail = await sync_to_async(ConversationTail)(self.conversation, self.after, audio=False)
        self.task = asyncio.create_task(self._take(tail))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])

    async def _take(self, tail: ConversationTail) -> None:
        async with aclosing(follow(tail, LOOK_EVERY)) as found:  # type: ignore[type-var]
            async for look in found:
                self.seen += [message for message, _ in look.messages]
                await self.may_take.wait()

    @property
    def numbers(self) -> list[int]:
        return [one["entry"]["n"] for one in self.seen if one["type"] == "entry"]

    async def until(self, n: int) -> None:
        async with asyncio.timeout(LIMIT):
            while {"type": "caught_up", "n": n} not in self.seen:
                assert not self.task.done(), self.task
                await asyncio.sleep(0.01)


async def test_a_look_is_taken_once_for_all(conversation: Conversation, looked: list[int]) -> None:
    async with Follower(conversation) as one, Follower(conversation) as two, Follower(conversation) as three:
        for follower in (one, two, three):
            await follower.until(0)
        for n in (2, 4, 6):
            await sync_to_async(log)(conversation, 2)
            for follower in (one, two, three):
                await follower.until(n)
        assert one.numbers == two.numbers == three.numbers == [1, 2, 3, 4, 5, 6]
        assert Counter(looked).most_common(1)[0][1] == 1, "nobody looked for what another look had found"
        assert not [n for n, count in Counter(map(str, one.seen)).items() if count > 1]


async def test_who_comes_late_or_from_behind_has_all_of_it_once(conversation: Conversation) -> None:
    await sync_to_async(log)(conversation, 450)  # more than two batches
    async with Follower(conversation) as first:
        await first.until(450)
        writing = asyncio.create_task(sync_to_async(log_one_by_one)(conversation, 40))
        async with Follower(conversation) as behind, Follower(conversation, after=449) as late:
            await asyncio.wait([writing])
            for follower in (first, behind, late):
                await follower.until(490)
    assert first.numbers == behind.numbers == [*range(1, 491)]
    assert late.numbers == [*range(450, 491)]


async def test_who_takes_too_little_loses_its_seat_and_nothing_else(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "MOST_WAITING", 20)
    await sync_to_async(make.echo)(conversation=conversation, inference_id="e", state="sending")
    async with Follower(conversation) as quick, Follower(conversation) as slow:
        await quick.until(0)
        await slow.until(0)
        slow.may_take.clear()
        for n in range(1, 31):
            await sync_to_async(log)(conversation, 3)
            await quick.until(3 * n)
        await Echo.objects.filter(inference_id="e").aupdate(state="spoken")
        await sync_to_async(log)(conversation, 3)
        await quick.until(93)
        assert slow.numbers[-1:] != [93]
        slow.may_take.set()
        await slow.until(93)
        assert slow.numbers == quick.numbers == [*range(1, 94)]
        for follower in (quick, slow):
            assert [one["echo"]["state"] for one in follower.seen if one["type"] == "echo"][-1] == "spoken"


async def test_an_echo_that_changes_between_two_looks_is_told_to_who_comes_then(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The feed's own look is older than that of whoever comes: nobody is told the old state after the new one."""
    await sync_to_async(make.echo)(conversation=conversation, inference_id="e", state="sending")
    async with Follower(conversation) as first:
        await first.until(0)
        await Echo.objects.filter(inference_id="e").aupdate(state="spoken", ended_at=timezone.now())  # no bell
        async with Follower(conversation) as late:
            await late.until(0)
            await sync_to_async(log)(conversation, 1)
            await first.until(1)
            await late.until(1)
    states = [[one["echo"]["state"] for one in each.seen if one["type"] == "echo"] for each in (first, late)]
    assert states == [["sending", "spoken"], ["spoken"]]


async def test_a_look_that_fails_ends_it_for_all_and_not_for_those_who_come_then(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Follower(conversation) as one, Follower(conversation) as two:
        await one.until(0)
        await two.until(0)
        with monkeypatch.context() as broken:
            broken.setattr(ConversationTail, "look", lambda _: 1 / 0)
            await sync_to_async(log)(conversation, 1)
            async with asyncio.timeout(LIMIT):
                await asyncio.wait([one.task, two.task])
        assert [type(each.task.exception()) for each in (one, two)] == [ZeroDivisionError] * 2
        async with Follower(conversation) as three:
            await three.until(1)
    assert not feeds._feeds[asyncio.get_running_loop()], "what nobody follows is forgotten"
