"""What ends a conversation next: its longest time, a room that everybody has left, a room that nobody came to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from conversations.models import Conversation, Room, Worker
from conversations.services.ending import Ending, ending


def conversation(age: float = 60, **fields: Any) -> Conversation:
    born = timezone.now() - timedelta(seconds=age)
    limits = {"max_call_duration": 3600, "participant_left_timeout": 120}
    return Conversation(
        status="active", state="live", upstream_id="c1", upstream_created_at=born, **{**limits, **fields}
    )


def room(state: str = "joined", seen: float = 1, lease: float = 30, **fields: Any) -> Room:
    now = timezone.now()
    worker = Worker(name="a1", lease_until=now + timedelta(seconds=lease))
    usual = {"worker": worker, "joined_at": now - timedelta(seconds=50), "last_seen_at": now - timedelta(seconds=seen)}
    return Room(state=state, **{**usual, **fields})


def found(row: Conversation, of: Room | None) -> Ending:
    next_end = ending(row, of)
    assert next_end is not None
    return next_end


def left(next_end: Ending) -> float:
    return round((next_end.at - timezone.now()).total_seconds())


def test_while_this_console_is_in_the_room_only_the_longest_time_runs() -> None:
    next_end = found(conversation(), room())
    assert (next_end.limit, next_end.provided, left(next_end)) == ("max_call_duration", "", 3540)


def test_the_room_that_it_left_ends_from_when_it_was_last_in_it() -> None:
    next_end = found(conversation(), room("idle", seen=20, worker=None))
    assert (next_end.limit, left(next_end)) == ("participant_left_timeout", 100)
    assert (next_end.because, next_end.provided) == ("this console left it", "if nobody else is in the room")


@pytest.mark.parametrize("state", ["lost", "joining", "failed"])
def test_a_room_that_was_lost_runs_out_too(state: str) -> None:
    next_end = found(conversation(), room(state, seen=20))
    assert (next_end.limit, left(next_end)) == ("participant_left_timeout", 100)
    assert next_end.because == "this console lost it"


def test_a_worker_whose_lease_ran_out_is_in_no_room_whatever_the_row_says() -> None:
    next_end = found(conversation(), room("joined", seen=35, lease=-1))
    assert (next_end.limit, left(next_end)) == ("participant_left_timeout", 85)


def test_the_earlier_one_is_told() -> None:
    assert found(conversation(age=3550), room("idle", seen=1)).limit == "max_call_duration"


@pytest.mark.parametrize("of", [None, room("idle", joined_at=None, last_seen_at=None)])
def test_a_room_that_nobody_came_to_ends_from_its_creation(of: Room | None) -> None:
    next_end = found(conversation(age=60), of)
    assert (next_end.limit, left(next_end)) == ("participant_absent_timeout", 240)
    assert next_end.provided == "if nobody enters the room"
    asked = conversation(age=60, requested={"properties": {"participant_absent_timeout": 90}})
    assert left(found(asked, of)) == 30


def test_a_limit_that_has_passed_and_did_nothing_is_told_no_more() -> None:
    assert found(conversation(), room("idle", seen=150)).limit == "participant_left_timeout"
    assert found(conversation(), room("idle", seen=200)).limit == "max_call_duration"


def test_nothing_is_told_of_limits_that_nobody_knows() -> None:
    unknown = {"max_call_duration": None, "participant_left_timeout": None, "made_here": False}
    assert ending(conversation(**unknown), None) is None
    assert ending(conversation(**unknown), room("idle")) is None
    told = conversation(**unknown, payload={"properties": {"max_call_duration": 600}})
    assert left(found(told, None)) == 540


def test_one_that_has_ended_ends_no_more() -> None:
    ended = conversation()
    ended.status = "ended"
    assert ending(ended, room()) is None
