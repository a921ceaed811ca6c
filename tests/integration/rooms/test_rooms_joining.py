"""Joining and leaving: what is wanted of a room, and what is."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from channels.layers import get_channel_layer
from django.conf import LazySettings
from django.db import connection

from conversations import bells
from conversations.models import Conversation, Room, Worker
from conversations.refusals import ConversationOver, NotJoined, Refusal
from conversations.rooms.claims import NameTaken
from conversations.rooms.worker import RunningWorker
from conversations.services import mirroring, rooms
from echoadmin.log import verify
from echoadmin.tavus.errors import AnswerLost
from tests.integration.rooms.driving import ANA, InRoom, open_conversation, tone
from tests.twin_process import TwinProcess
from tests.waiting import until


def test_a_room_that_is_asked_for_is_joined_under_the_workers_name(idle: InRoom, worker: RunningWorker) -> None:
    idle.want()
    row = idle.until_room(state="joined")
    assert (row.wanted, row.worker_id, row.epoch, row.error) == ("joined", worker.row.pk, 1, "")
    assert row.joined_at is not None
    [us] = [one for one in idle.twin.room(idle.upstream_id)["participants"] if not one["is_replica"]]
    assert (us["name"], us["id"]) == (f"echoadmin/{worker.row.name}", row.session_id)
    assert [entry.event_type for entry in idle.entries(kind="operator")] == ["room.join"]
    assert idle.facts("joined") == [{"session_id": row.session_id, "worker": worker.row.name}]


def test_the_rooms_row_tells_who_is_in_it(room: InRoom, guest: Any) -> None:
    row = until(lambda: room.row if len(room.row.participants) == 3 else None, "all three are listed")
    people = {one["name"]: one for one in row.participants}
    assert set(people) == {"Echo", "guest", room.our_name()}
    assert [name for name, one in people.items() if one["is_us"]] == [room.our_name()]
    assert [name for name, one in people.items() if one["is_replica"]] == ["Echo"]
    assert row.replica_present
    assert all(one["joined_at"] for one in people.values())
    guest.leave()
    until(lambda: len(room.row.participants) == 2, "one has left")


def test_leaving_leaves_and_forgets_who_was_there(room: InRoom) -> None:
    name = room.our_name()
    room.leave()
    row = room.row
    assert (row.wanted, row.worker, row.participants, row.replica_present, row.session_id) == (
        "idle",
        None,
        [],
        False,
        "",
    )
    until(lambda: not room.connected(name), "it is gone from the room")
    assert room.facts("left") == [{"reason": "left"}]
    with pytest.raises(NotJoined):
        room.say("Too late.")


def test_a_room_that_was_left_can_be_joined_again_and_goes_on(room: InRoom) -> None:
    room.until_state(room.say("Before."), "spoken")
    room.leave()
    room.join()
    assert room.row.epoch == 2
    room.until_state(room.say("After."), "spoken")
    assert room.words_sent() == ["Before.", "After."]
    room.agree()


def test_asking_twice_is_asking_once(room: InRoom) -> None:
    room.want()
    room.want()
    assert len(room.entries(kind="operator", event_type="room.join")) == 1
    room.until_state(room.say("Still here."), "spoken")
    assert room.row.epoch == 1


def test_leaving_in_mid_audio_interrupts_it(room: InRoom) -> None:
    echo = room.until_state(room.play(tone(30.0), pacing="realtime"), "speaking")
    room.leave()
    room.until_state(echo, "interrupted")
    assert echo.reason in ("room_left", "interrupted")
    assert room.sent()[-1]["event_type"] == "conversation.interrupt"
    room.agree()


def test_leaving_while_the_replica_speaks_leaves_its_end_unconfirmed(room: InRoom) -> None:
    echo = room.until_state(room.say("A sentence that takes quite a while to be said. " * 40), "speaking")
    room.leave()
    until(lambda: echo.refresh_from_db() or echo.is_final, "it is settled")
    assert (echo.state, echo.reason) == ("unconfirmed", "room_left")


def test_what_is_queued_when_the_conversation_ends_is_cancelled(room: InRoom) -> None:
    spoken = room.until_state(room.say("A sentence that takes quite a while to be said. " * 40), "speaking")
    waiting = [room.say(f"Line {number}.") for number in range(3)]
    room.end()
    room.until_room(state="idle", wanted="idle", worker=None)
    for echo in waiting:
        echo.refresh_from_db()
        assert (echo.state, echo.reason) == ("cancelled", "conversation_ended")
    spoken.refresh_from_db()
    assert spoken.state in ("unconfirmed", "interrupted")
    assert room.entries(event_type="system.shutdown")
    assert room.facts("left") == [{"reason": "ended"}]
    with pytest.raises(NotJoined):
        room.say("Too late.")


def test_a_conversation_that_has_ended_is_not_joined(idle: InRoom) -> None:
    idle.end()
    idle.conversation.refresh_from_db()
    with pytest.raises(ConversationOver):
        idle.want()


def test_a_room_on_another_domain_is_not_joined(idle: InRoom) -> None:
    idle.conversation.conversation_url = "https://rooms.example.org/c1"
    with pytest.raises(Refusal) as refused:
        rooms.join(actor=ANA, conversation=idle.conversation)
    assert "DAILY_DOMAINS" in refused.value.message
    assert not idle.entries()


def test_a_private_room_is_joined_with_its_token(worker: RunningWorker, twin: Any) -> None:
    persona = twin.post("/v2/personas", {"persona_name": "Echo", "pipeline_mode": "echo"})
    body = {"replica_id": "re8e740a42", "persona_id": persona["persona_id"], "require_auth": True}
    created = twin.post("/v2/conversations", body | {"properties": {"participant_left_timeout": 120}})
    conversation = Conversation(
        upstream_id=created["conversation_id"],
        conversation_url=created["conversation_url"],
        status="active",
        state="live",
    )
    conversation.meeting_token = created["meeting_token"]
    conversation.save()
    private = InRoom(conversation, twin)
    private.join()
    private.until_state(private.say("Between us."), "spoken")
    assert created["meeting_token"] not in "".join(str(entry.body) for entry in private.entries())
    private.end_upstream()


def test_a_worker_takes_no_more_rooms_than_it_has_capacity_for(idle: InRoom, workers: Any, settings: Any) -> None:
    settings.WORKER_CAPACITY = 1
    first = workers.start()
    idle.join()
    second_room = open_conversation(idle.twin)
    second_room.want()
    idle.until_state(idle.say("One is enough for me."), "spoken")
    assert (second_room.row.worker, second_room.row.wanted) == (None, "joined")
    second = workers.start()
    second_room.until_room(state="joined", worker=second.row)
    assert idle.row.worker == first.row
    second_room.end_upstream()


def test_a_stopped_worker_leaves_its_rooms_and_the_next_one_joins_them(workers: Any, idle: InRoom) -> None:
    first = workers.start()
    idle.join()
    workers.stop(first)
    assert idle.row.worker is None
    assert Worker.objects.get().stopped_at is not None
    second = workers.start()
    idle.until_room(state="joined", worker=second.row)
    idle.until_state(idle.say("Here we are again."), "spoken")
    idle.agree()


def test_two_processes_can_not_be_the_same_worker(worker: RunningWorker, workers: Any) -> None:
    Worker.objects.filter(pk=worker.row.pk).update(pid=1)  # another process that is alive
    with pytest.raises(NameTaken) as taken:
        workers.start(worker.row.name)
    assert "ECHOADMIN_WORKER" in str(taken.value)


# --- bells ---


def test_without_a_single_bell_everything_still_happens_a_little_later(
    idle: InRoom, workers: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LOOK_EVERY = 0.2
    monkeypatch.setattr(bells, "ring", lambda bell: bell.close())
    workers.start()
    idle.join()
    idle.until_state(idle.say("Nobody rang."), "spoken")
    done = idle.until_sent(idle.interrupt().interaction)
    assert done.result["confirmed"]
    idle.leave()
    idle.agree()


def test_a_bell_that_makes_no_sense_does_not_stop_the_next(room: InRoom, loop_thread: Any, settings: Any) -> None:
    settings.LOOK_EVERY = 600  # from now on only bells tell
    until(lambda: room.row.replica_present, "all is quiet")
    channel = bells.worker_channel(room.row.worker.name)  # type: ignore[union-attr]
    loop_thread.do(get_channel_layer().send(channel, {"type": "no.such.bell"}))
    room.until_state(room.say("Still listening."), "spoken")


def test_whom_a_lost_answer_kept_waiting_is_joined_as_asked_once_it_is_found(
    twin: TwinProcess, worker: RunningWorker
) -> None:
    twin.fault("cut", method="POST", path="/v2/conversations", when="after")
    body = {"replica_id": "re8e740a42", "persona_id": "pipecat0", "conversation_name": "Lost for a while"}
    with pytest.raises(AnswerLost) as caught:
        mirroring.create_conversation(actor=ANA, body=body, join=True)
    unknown = Conversation.objects.get(public_id=caught.value.reference)
    assert (unknown.state, unknown.room.state) == ("unknown", "idle")
    assert mirroring.resolve_unknown(actor=ANA) == [unknown]
    found = InRoom(unknown, twin)
    found.until_room(state="joined")
    unknown.refresh_from_db()
    found.end_upstream()


def test_a_room_elsewhere_is_not_joined_even_if_it_is_wanted_already(
    idle: InRoom, worker: RunningWorker, settings: LazySettings
) -> None:
    settings.DAILY_DOMAINS = ["elsewhere.example"]
    Room.objects.create(conversation=idle.conversation, wanted="joined")
    row = idle.until_room(state="failed")
    assert "none of elsewhere.example" in row.error
    assert idle.facts("join_failed")[0]["kind"] == "not_allowed"
    assert not [one for one in idle.twin.room(idle.upstream_id)["participants"] if not one["is_replica"]]
    settings.DAILY_DOMAINS = ["daily.co"]
    idle.until_room(state="joined")


def test_a_bell_rings_from_any_thread(room: InRoom) -> None:
    said: list[Any] = []

    def speak() -> None:
        said.append(room.say("From elsewhere."))
        connection.close()

    thread = threading.Thread(target=speak)
    thread.start()
    thread.join()
    room.until_state(said[0], "spoken")


def test_the_chain_of_a_conversations_log_holds(room: InRoom) -> None:
    room.until_state(room.say("One."), "spoken")
    room.until_state(room.play(tone(0.3)), "spoken")
    room.leave()
    assert verify.verify_stream(room.conversation.public_id) is None
