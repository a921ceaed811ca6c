"""From the SDK's threads to the loop: in order, none lost, those over the limit counted, nobody kept from its turn."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

import pytest

from conversations.rooms import inbox
from conversations.rooms.events import Dropped, Heard
from conversations.rooms.inbox import Box
from tests import waiting


def heard(number: int) -> Heard:
    return Heard(datetime.now(UTC), {"number": number}, "somebody")


async def until(condition: Any) -> None:
    await asyncio.to_thread(waiting.until, condition, "everything was taken")


def test_what_many_threads_put_comes_once_and_in_each_ones_order() -> None:
    async def run() -> None:
        own = inbox.of(asyncio.get_running_loop())
        taken: list[list[int]] = [[] for _ in range(8)]
        boxes = [Box(lambda item, mine=mine: mine.append(item.message["number"])) for mine in taken]  # type: ignore[misc]

        def put(box: Box) -> None:
            for number in range(500):
                own.put(box, heard(number))

        threads = [threading.Thread(target=put, args=[box]) for box in boxes]
        for thread in threads:
            thread.start()
        await until(lambda: all(len(mine) == 500 for mine in taken))
        assert taken == [list(range(500))] * 8

    asyncio.run(run())


def test_it_sleeps_when_nothing_came_and_wakes_again() -> None:
    async def run() -> None:
        own = inbox.of(asyncio.get_running_loop())
        taken: list[Any] = []
        box = Box(taken.append)
        for number in range(3):
            own.put(box, heard(number))
            await until(lambda number=number: len(taken) == number + 1)
            await until(lambda: not own._awake)

    asyncio.run(run())


def test_a_full_room_loses_app_messages_only_and_is_told_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MOST", 5)

    async def run() -> None:
        own = inbox.of(asyncio.get_running_loop())
        full, other = list[Any](), list[Any]()
        box, beside = Box(full.append), Box(other.append)
        for number in range(8):
            own.put(box, heard(number))
        own.put(box, Dropped(datetime.now(UTC), 1, "unreadable"))
        own.put(beside, heard(0))
        await until(lambda: len(full) == 7)
        assert [item.message["number"] for item in full[:5]] == list(range(5))
        assert [(item.count, item.reason) for item in full[5:]] == [(1, "unreadable"), (3, "inbox_full")]
        assert len(other) == 1
        own.put(box, heard(9))
        await until(lambda: len(full) == 8)

    asyncio.run(run())


def test_a_room_that_breaks_does_not_keep_the_others_from_theirs(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        own = inbox.of(asyncio.get_running_loop())
        taken: list[Any] = []

        def broken(item: Any) -> None:
            raise ValueError("nothing can be done with this")

        own.put(Box(broken), heard(0))
        own.put(Box(taken.append), heard(1))
        await until(lambda: taken)

    asyncio.run(run())
    assert "nothing can be done with this" in caplog.text


def test_much_of_it_leaves_others_their_turn_on_the_loop() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        own = inbox.of(loop)
        taken: list[Any] = []
        box, turns = Box(taken.append), list[int]()
        for number in range(inbox.AT_ONCE * 4):
            own.put(box, heard(number))

        def turn() -> None:
            turns.append(len(taken))
            if len(taken) < inbox.AT_ONCE * 4:
                loop.call_soon(turn)

        loop.call_soon(turn)
        await until(lambda: len(taken) == inbox.AT_ONCE * 4)
        assert {inbox.AT_ONCE, inbox.AT_ONCE * 2, inbox.AT_ONCE * 3} <= set(turns)

    asyncio.run(run())


@pytest.mark.parametrize("ends", ["with a value", "with an error", "by being cancelled"])
def test_an_answer_from_a_thread(ends: str) -> None:
    async def run() -> None:
        own, future = inbox.of(asyncio.get_running_loop()), Future[int]()
        end = {
            "with a value": lambda: future.set_result(7),
            "with an error": lambda: future.set_exception(KeyError("seven")),
            "by being cancelled": future.cancel,
        }[ends]
        threading.Timer(0.01, end).start()
        if ends == "with a value":
            assert await own.answer(future) == 7
        else:
            with pytest.raises(KeyError if ends == "with an error" else asyncio.CancelledError):
                await own.answer(future)

    asyncio.run(run())


def test_who_gives_up_waiting_takes_back_what_was_asked_for() -> None:
    async def run() -> None:
        own, future = inbox.of(asyncio.get_running_loop()), Future[int]()
        asking = asyncio.ensure_future(own.answer(future))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert future.cancelled()

    asyncio.run(run())
