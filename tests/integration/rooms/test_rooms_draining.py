"""A worker that is to stop hands its rooms over: the echo in hand is finished, and its successor joins first."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

from conversations.models import Worker
from conversations.rooms import leaving
from conversations.rooms.room import LiveRoom
from conversations.rooms.worker import RunningWorker
from tests.integration.rooms.conftest import LoopThread
from tests.integration.rooms.driving import InRoom, tone
from tests.waiting import until


def drain(loop_thread: LoopThread, worker: RunningWorker) -> Future[None]:
    return asyncio.run_coroutine_threadsafe(worker.drain(), loop_thread.loop)


def test_the_echo_in_hand_is_finished_and_the_rest_is_said_by_the_successor(
    room: InRoom, worker: RunningWorker, workers: Any, loop_thread: LoopThread
) -> None:
    said = room.play(tone(3), pacing="realtime")
    queued = room.say("Said by the next one.")
    room.until_state(said, "speaking", "spoken")
    other = workers.start()
    drain(loop_thread, worker).result(40)
    room.until_state(said, "spoken")
    room.until_state(queued, "spoken")
    assert room.row.worker_id == other.row.pk
    assert room.words_sent() == ["Said by the next one."]
    assert room.pcm_sent(said) == tone(3)
    assert not room.facts("uncertain")
    room.agree()


def test_the_successor_has_joined_before_the_room_is_left_and_the_moment_between_is_a_gap(
    room: InRoom, worker: RunningWorker, workers: Any, loop_thread: LoopThread, monkeypatch: Any
) -> None:
    seen: list[set[str]] = []
    really = LiveRoom.drop_link

    async def watched(live: LiveRoom) -> None:
        if live.released:
            people = (await asyncio.to_thread(room.twin.room, room.upstream_id))["participants"]
            seen.append({one["name"] for one in people if one["connected"]})
        await really(live)

    monkeypatch.setattr(LiveRoom, "drop_link", watched)
    other = workers.start()
    drain(loop_thread, worker).result(40)
    assert {f"echoadmin/{worker.row.name}", f"echoadmin/{other.row.name}"} <= seen[0]
    assert [fact["reason"] for fact in room.facts("left")] == ["handed_over"]
    assert [fact["reason"] for fact in room.facts("gap")] == ["handed_over"]
    until(lambda: not room.connected(f"echoadmin/{worker.row.name}"), "the call is left")
    room.agree()


def test_a_draining_worker_takes_no_further_room(
    idle: InRoom, worker: RunningWorker, workers: Any, loop_thread: LoopThread
) -> None:
    drain(loop_thread, worker).result(20)
    assert Worker.objects.get(pk=worker.row.pk).draining
    idle.want()
    other = workers.start()
    assert idle.until_room(state="joined").worker_id == other.row.pk


def test_without_another_worker_the_room_is_left_at_once(
    room: InRoom, worker: RunningWorker, loop_thread: LoopThread
) -> None:
    drain(loop_thread, worker).result(20)
    assert [fact["reason"] for fact in room.facts("left")] == ["stopped"]
    row = room.row
    assert (row.state, row.worker_id, row.wanted) == ("idle", None, "joined")


def test_a_successor_that_does_not_come_is_waited_for_but_not_for_good(
    room: InRoom, worker: RunningWorker, loop_thread: LoopThread, monkeypatch: Any
) -> None:
    monkeypatch.setattr(leaving, "SUCCESSOR_JOINS_IN", 0.5)
    monkeypatch.setattr(leaving.claims, "has_successor", lambda worker: True)
    drain(loop_thread, worker).result(20)
    row = room.row
    assert (row.state, row.worker_id, row.wanted) == ("leaving", None, "joined")
    until(lambda: not room.connected(f"echoadmin/{worker.row.name}"), "the call is left")
