"""What the rooms write down: every app message once, as it was, and what nobody could hear."""

from __future__ import annotations

import json
from typing import Any

from conversations import interactions
from conversations.models import Echo
from echoadmin.log import clips
from tests.integration.rooms.driving import InRoom, tone
from tests.outage import database_away
from tests.waiting import until


def heard_from_guest(room: InRoom) -> list[Any]:
    """The messages of the guest that the log has, in order."""
    return [entry["message"] for entry in room.shown() if entry["sender_name"] == "guest"]


ODD: list[Any] = [
    {"plain": "text"},
    "just a text",
    17,
    [1, [2, {"three": 3}]],
    {"unicode": "Grüße \u2028 ☀️ \0 \x1b", "nested": {"b": 1, "a": 2}},
    {"numbers": [0, -0.5, 1e300, 2**63 - 1, 2**64 - 1, -(2**63)]},
    {"event_type": 5, "inference_id": {"not": "a text"}, "properties": "nor an object", "seq": "x"},
    {"message_type": "conversation", "event_type": "conversation.replica.started_speaking", "properties": None},
    {"event_type": "x" * 500, "inference_id": "y" * 500},
]


def test_whatever_others_send_is_in_the_log_once_and_as_it_was(room: InRoom, guest: Any) -> None:
    for message in ODD:
        guest.send(message)
    until(lambda: len(heard_from_guest(room)) == len(ODD), "all of it is in the log")
    assert heard_from_guest(room) == ODD
    room.until_state(room.say("Still well."), "spoken")
    room.agree()


def test_a_large_message_is_kept_whole(room: InRoom, guest: Any) -> None:
    message = {"large": "0123456789abcdef" * 20_000}
    guest.send(message)
    until(lambda: heard_from_guest(room), "it is in the log")
    assert heard_from_guest(room) == [message]


def test_many_messages_at_once_are_all_there_in_their_order(room: InRoom, guest: Any) -> None:
    for number in range(500):
        guest.send({"number": number})
    until(lambda: len(heard_from_guest(room)) == 500, "all of them are in the log")
    assert [message["number"] for message in heard_from_guest(room)] == list(range(500))
    assert not room.facts("dropped")
    room.agree()


def test_audio_that_others_send_is_kept_as_samples_and_read_back_as_it_was(room: InRoom, guest: Any) -> None:
    pcm = tone(0.05)
    message = interactions.audio_echo_chunk(room.upstream_id, pcm, 24_000, "theirs", True)
    broken = json.loads(json.dumps(message))
    broken["properties"]["audio"] = "no base64!"
    guest.send(message)
    guest.send(broken)
    until(lambda: len(heard_from_guest(room)) == 2, "both are in the log")
    assert heard_from_guest(room) == [message, broken]
    kept, as_it_came = room.entries(direction="in", family="echo")
    assert clips.read_samples(int(kept.clip_id or 0), 0, len(pcm) + 1) == pcm
    assert as_it_came.clip_id is None
    assert (kept.echo_id, kept.inference_id) == (None, "theirs"), "it is no echo of the console's"


def test_a_message_to_somebody_else_is_not_ours_to_hear(room: InRoom, guest: Any) -> None:
    [replica] = [one["id"] for one in room.twin.room(room.upstream_id)["participants"] if one["is_replica"]]
    guest.send({"secret": True}, to=replica)
    guest.send({"open": True})
    until(lambda: heard_from_guest(room), "the open one is in the log")
    assert heard_from_guest(room) == [{"open": True}]


def test_what_an_impostor_says_about_the_replicas_speaking_is_logged_and_ends_no_echo(room: InRoom, guest: Any) -> None:
    echo = room.until_state(room.say("A sentence that takes quite a while to be said. " * 40), "speaking")
    guest.send({"event_type": "conversation.user.stopped_speaking", "inference_id": echo.heard_id})
    until(lambda: heard_from_guest(room), "it is in the log")
    echo.refresh_from_db()
    assert echo.state == "speaking"
    room.until_state(echo, "spoken")


def test_a_room_that_is_silent_for_a_while_costs_no_writes_but_its_heartbeats(room: InRoom) -> None:
    until(lambda: room.entries(event_type="system.pal_present"), "it beats")
    kinds = {entry.event_type for entry in room.entries(direction="in")}
    assert kinds <= {"system.replica_joined", "system.pal_joined", "system.replica_present", "system.pal_present"}
    assert {entry.family for entry in room.entries(direction="in")} == {"presence"}


# --- the database goes away for a moment ---


def test_a_room_outlives_a_database_that_is_away_for_a_moment(room: InRoom, guest: Any) -> None:
    session = room.row.session_id
    room.until_state(room.say("Before."), "spoken")
    with database_away():
        for number in range(20):
            guest.send({"number": number})
        until(lambda: len([row for row in room.record() if row["from_name"] == "guest"]) == 20, "the room carried them")
    until(lambda: len(heard_from_guest(room)) == 20, "all of it is in the log")
    room.until_state(room.say("After."), "spoken")
    assert room.row.session_id == session, "it stayed in the room"
    assert not room.facts("lost")
    room.agree()


def test_the_echo_in_hand_goes_on_when_the_database_comes_back(room: InRoom) -> None:
    pcm = tone(2.0)
    echo = room.until_state(room.play(pcm, pacing="realtime"), "speaking")
    with database_away():
        before = len(room.sent())
        until(lambda: len(room.sent()) > before, "what was logged still leaves")
    room.until_state(echo, "spoken")
    assert room.pcm_sent(echo) == pcm
    assert Echo.objects.get().chunks_sent == 40
    room.agree()
