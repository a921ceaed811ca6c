"""Stop everything: two rooms that speak, by one call, on the real twin."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings
from rest_framework.test import APIClient

from conversations.models import Conversation, Echo
from conversations.services import stopping
from echoadmin.log import reader
from echoadmin.log.models import Entry
from tests import make
from tests.console_process import free_ports
from tests.integration.rooms.driving import InRoom, open_conversation, tone
from tests.waiting import until

LONG = "A sentence that takes quite a while to be said. " * 40


@pytest.fixture
def client(transactional_db: None) -> APIClient:
    made = APIClient()
    made.force_login(make.user("manager", "mia"))
    return made


@pytest.fixture
def speaking(room: InRoom, other: InRoom) -> dict[str, tuple[InRoom, Echo]]:
    """Both rooms, one in the middle of a text and one in the middle of audio, each with a line that waits."""
    one, two = room.say(LONG), other.play(tone(60), pacing="realtime")
    for where, number in ((room, 1), (other, 2)):
        where.say("Waits.", inference_id=f"waits-{number}")
    room.until_state(one, "speaking")
    other.until_state(two, "speaking")
    return {room.conversation.public_id: (room, one), other.conversation.public_id: (other, two)}


def stop(client: APIClient, **body: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/stop/", body)
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def of(told: dict[str, Any], room: InRoom) -> dict[str, Any]:
    """What it tells of one conversation."""
    [row] = [row for row in told["conversations"] if row["conversation"] == room.conversation.public_id]
    return dict(row)


def facts(event_type: str) -> dict[str, Any]:
    [entry] = Entry.objects.filter(event_type=event_type)
    return {"actor": entry.actor, "is_error": entry.is_error, **reader.messages([entry])[0]}


def test_both_rooms_are_interrupted_and_speak_again_when_they_are_asked_to(
    client: APIClient, speaking: dict[str, tuple[InRoom, Echo]]
) -> None:
    told = stop(client, reason="wrong words")
    assert (told["then"], told["complete"], len(told["conversations"])) == ("nothing", True, 2)
    for number, (room, echo) in enumerate(speaking.values(), 1):
        row = of(told, room)
        assert (row["interrupted"], row["confirmed"], row["cancelled"]) == (
            echo.inference_id,
            True,
            [f"waits-{number}"],
        )
        assert (row["left"], row["ended"], row["problems"]) == (False, False, [])
        room.until_state(echo, "interrupted")
        assert room.row.state == "joined"
        room.until_state(room.say("Again."), "spoken")
        room.agree()
    asked, stopped = facts("everything.stop_asked"), facts("everything.stopped")
    assert (asked["actor"], asked["reason"], asked["source"]) == ("mia", "wrong words", "rest")
    assert (stopped["actor"], stopped["reason"], stopped["is_error"]) == ("mia", "wrong words", False)
    assert len(stopped["conversations"]) == 2


def test_the_rooms_are_left_and_twice_is_once(client: APIClient, speaking: dict[str, tuple[InRoom, Echo]]) -> None:
    told = stop(client, then="leave")
    assert told["complete"]
    for room, echo in speaking.values():
        assert (of(told, room)["left"], of(told, room)["interrupted"]) == (True, echo.inference_id)
        room.until_room(state="idle")
        room.until_state(echo, "interrupted")
        assert room.twin.room(room.upstream_id)["status"] == "active"
    assert stop(client, then="leave")["conversations"] == []


def test_everything_is_ended_also_what_is_not_joined_but_not_what_others_run(
    client: APIClient, speaking: dict[str, tuple[InRoom, Echo]], room: InRoom
) -> None:
    apart, foreign = open_conversation(room.twin), open_conversation(room.twin)
    Conversation.objects.filter(pk=foreign.conversation.pk).update(made_here=False)
    told = stop(client, then="end")
    assert told["complete"], told
    ended = [one for one, _ in speaking.values()] + [apart]
    for one in ended:
        assert of(told, one)["ended"]
        assert one.twin.room(one.upstream_id)["status"] == "ended"
        assert Conversation.objects.get(pk=one.conversation.pk).status == "ended"
    assert len(told["conversations"]) == len(ended)
    assert foreign.twin.room(foreign.upstream_id)["status"] == "active"
    assert stop(client, then="end")["conversations"] == []
    foreign.end_upstream()


def test_while_tavus_is_away_all_is_silent_and_left_and_what_could_not_be_ended_is_named(
    client: APIClient, speaking: dict[str, tuple[InRoom, Echo]], settings: LazySettings
) -> None:
    there, settings.TAVUS_API_URL = settings.TAVUS_API_URL, f"http://127.0.0.1:{free_ports(1)[0]}"
    told = stop(client, then="end")
    assert not told["complete"]
    for room, echo in speaking.values():
        row = of(told, room)
        assert (row["interrupted"], row["left"], row["ended"]) == (echo.inference_id, True, False)
        [problem] = row["problems"]
        assert (problem["step"], problem["code"]) == ("end", "upstream_unavailable")
        room.until_room(state="idle")
        assert room.twin.room(room.upstream_id)["status"] == "active"
    assert facts("everything.stopped")["is_error"]
    settings.TAVUS_API_URL = there
    assert all(row["ended"] for row in stop(client, then="end")["conversations"])


def test_a_tavus_that_says_nothing_is_not_waited_for(
    client: APIClient, room: InRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "ENDED_WITHIN", 0.2)
    room.twin.fault("delay", seconds=2, method="POST")
    [problem] = of(stop(client, then="end"), room)["problems"]
    assert (problem["step"], problem["code"]) == ("end", "upstream_silent")
    until(lambda: Conversation.objects.get().status == "ended", "it was ended all the same")


def test_one_that_cannot_be_ended_does_not_keep_the_other_running(
    client: APIClient, room: InRoom, other: InRoom
) -> None:
    room.twin.fault("status", status=500, method="POST", path=f"/v2/conversations/{room.upstream_id}")
    told = stop(client, then="end")
    assert not told["complete"]
    assert of(told, room)["problems"][0]["step"] == "end"
    assert (of(told, other)["ended"], of(told, other)["problems"]) == (True, [])


def test_a_fault_of_our_own_in_one_room_does_not_keep_the_other_speaking(
    client: APIClient, speaking: dict[str, tuple[InRoom, Echo]], room: InRoom, other: InRoom, monkeypatch: Any
) -> None:
    real = stopping.speaking.interrupt

    def broken(**asked: Any) -> Any:
        if asked["conversation"].pk == room.conversation.pk:
            raise RuntimeError("a bug")
        return real(**asked)

    monkeypatch.setattr(stopping.speaking, "interrupt", broken)
    told = stop(client)
    [problem] = of(told, room)["problems"]
    assert (problem["step"], problem["code"], problem["message"]) == ("interrupt", "internal", "RuntimeError: a bug")
    assert of(told, other)["confirmed"]
    other.until_state(speaking[other.conversation.public_id][1], "interrupted")
