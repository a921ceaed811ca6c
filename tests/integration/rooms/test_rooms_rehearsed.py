"""What the twin's page of faults promises of this console, for the faults that no other test here arms."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings

from conversations.rooms import timing
from conversations.rooms.worker import RunningWorker
from tests.integration.rooms.driving import InRoom
from tests.waiting import until


def test_while_daily_is_away_the_room_is_lost_and_lines_wait_until_it_is_joined_again(
    room: InRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "INTERRUPTED_FOR", 0.5)
    fault = room.twin.fault("away", seconds=86_400, conversation_id=room.upstream_id)
    until(lambda: room.row.state in ("lost", "failed"), "the room is lost")
    waits = room.say("Said when it is back.")
    assert room.facts("lost")
    room.twin.request("DELETE", f"/twin/faults/{fault}")
    room.until_room(state="joined")
    room.until_state(waits, "spoken")
    assert [fact["reason"] for fact in room.facts("gap")][-1] == "room_lost"


def test_what_is_sent_into_a_connection_that_carries_nothing_is_unconfirmed_and_not_said_again(
    room: InRoom, settings: LazySettings
) -> None:
    settings.ECHO_START_DEADLINE = 1
    room.twin.fault("stalled", seconds=3, conversation_id=room.upstream_id)
    lost = room.until_state(room.say("Into the silence."), "unconfirmed")
    settings.ECHO_START_DEADLINE = 10
    room.until_state(room.say("After it."), "spoken")
    lost.refresh_from_db()
    assert lost.state == "unconfirmed"
    assert room.words_sent() in (["After it."], ["Into the silence.", "After it."]), "lost, or late, never twice"


def test_a_join_that_never_ends_is_given_up_and_tried_again(
    idle: InRoom, worker: RunningWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "JOIN_TIMEOUT", 1.0)
    idle.twin.fault("join_hangs", conversation_id=idle.upstream_id)
    idle.join()
    [failed] = idle.facts("join_failed")
    assert failed["try"] == 1
    idle.until_state(idle.say("In at last."), "spoken")


def test_a_replica_that_is_there_twice_says_each_line_once(room: InRoom) -> None:
    room.twin.fault("replica_twice", conversation_id=room.upstream_id)
    until(lambda: sum(one["is_replica"] for one in room.twin.room(room.upstream_id)["participants"]) == 2, "twice")
    room.until_state(room.say("Once."), "spoken")
    assert room.words_sent() == ["Once."]
    room.until_room(replica_present=True)
    room.agree()


def test_a_replica_that_stops_beating_is_taken_for_a_lost_room_once(room: InRoom, monkeypatch: Any) -> None:
    until(lambda: room.entries(event_type="system.replica_present"), "it used to beat")
    room.twin.fault("replica_silent", conversation_id=room.upstream_id)
    monkeypatch.setattr(timing, "SILENT_FOR", 1.0)
    room.until_facts("lost")
    room.until_room(state="joined")
    room.until_state(room.say("It listens all the same."), "spoken")
    assert len(room.facts("lost")) == 1
