"""Text echoes, from the queue to the replica's last word."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from conversations.models import Echo
from conversations.refusals import ConversationOver, IdTaken, NotJoined, NotNow, QueueFull
from conversations.services import speaking
from echoadmin.log.models import Clip
from tests.integration.rooms.driving import ANA, InRoom
from tests.waiting import until


def test_a_text_is_spoken_and_each_of_its_times_is_known(room: InRoom) -> None:
    echo = room.until_state(room.say("Around the world, around the world.", inference_id="utt-1"), "spoken")
    times = echo.times
    assert None not in times.values()
    assert times["queued"] <= times["sending"] <= times["speaking"] <= times["spoken"] == times["ended"]
    assert times["sending"] <= times["sent"]
    assert (echo.chunks, echo.chunks_sent, echo.reason) == (1, 1, "")
    assert room.sent() == [
        {
            "message_type": "conversation",
            "event_type": "conversation.echo",
            "conversation_id": room.upstream_id,
            "properties": {
                "modality": "text",
                "text": "Around the world, around the world.",
                "inference_id": "utt-1",
                "done": True,
            },
        }
    ]
    room.agree()


def test_what_left_is_in_the_log_with_who_said_it_and_by_which_door(room: InRoom) -> None:
    echo = room.until_state(room.say("Hello.", inference_id="utt-1"), "spoken")
    [out] = room.entries(direction="out")
    assert (out.kind, out.event_type, out.family) == ("app_message", "conversation.echo", "echo")
    assert (out.echo_id, out.inference_id, out.actor, out.request_id) == (echo.pk, "utt-1", "ana", "req-1")
    assert (out.said, out.sender, out.epoch) == ("Hello.", room.row.session_id, room.row.epoch)
    assert out.sender_name == f"echoadmin/{room.row.worker.name}"  # type: ignore[union-attr]


def test_what_the_replica_said_belongs_to_its_echo_in_the_log(room: InRoom) -> None:
    echo = room.until_state(room.say("Hello there."), "spoken")
    until(lambda: room.entries(event_type="conversation.stopped_speaking"), "both families have stopped")
    about = {entry.event_type for entry in room.entries(direction="in", echo_id=echo.pk)}
    assert about == {
        "conversation.replica.started_speaking",
        "conversation.started_speaking",
        "conversation.utterance.streaming",
        "conversation.utterance",
        "conversation.replica.stopped_speaking",
        "conversation.stopped_speaking",
    }
    assert not room.entries(direction="in", family="presence", echo_id=echo.pk)


def test_texts_are_said_in_the_order_of_the_queue(room: InRoom) -> None:
    echoes = [room.say(f"Line {number}.") for number in range(12)]
    room.until_state(echoes[-1], "spoken")
    assert set(Echo.objects.values_list("state", flat=True)) == {"spoken"}
    assert room.words_sent() == [f"Line {number}." for number in range(12)]
    ends = list(Echo.objects.order_by("position").values_list("sending_at", "spoken_at"))
    assert all(one[1] <= after[0] for one, after in pairwise(ends)), "one at a time"
    room.agree()


def test_a_long_text_is_one_echo_in_parts_each_said_after_the_last(room: InRoom) -> None:
    text = " ".join("𠮷" * 29 + f"{number:03}." for number in range(70))  # four bytes a character, soon said
    echo = room.until_state(room.say(text, inference_id="long"), "spoken")
    sent = [message["properties"] for message in room.sent()]
    assert [one["inference_id"] for one in sent] == ["long.1", "long.2", "long.3"]
    assert " ".join(one["text"] for one in sent) == text
    assert (echo.chunks, echo.chunks_sent) == (3, 3)
    assert not room.flags(), "no part is over Daily's limit, and none was swallowed"
    stops = room.entries(event_type="conversation.replica.stopped_speaking", echo_id=echo.pk)
    starts = room.entries(event_type="conversation.replica.started_speaking", echo_id=echo.pk)
    assert (len(starts), len(stops)) == (3, 3)
    assert echo.speaking_at == starts[0].at
    assert echo.spoken_at == stops[-1].at
    room.agree()


@pytest.mark.parametrize(
    "text", ["Grüße aus dem Süden: 30 °C! ☀️", 'She said: "no\\way"\tand left.', "日本語。", "\u2028x"]
)
def test_any_text_arrives_as_it_was_given(room: InRoom, text: str) -> None:
    room.until_state(room.say(text), "spoken")
    assert room.words_sent() == [text]
    room.agree()


def test_the_same_id_with_the_same_words_is_the_same_echo(room: InRoom) -> None:
    first = room.say("Once.", inference_id="once")
    assert room.say("Once.", inference_id="once").pk == first.pk
    room.until_state(first, "spoken")
    assert room.say("Once.", inference_id="once").pk == first.pk, "also after it was said"
    room.until_state(room.say("The next."), "spoken")
    assert room.words_sent() == ["Once.", "The next."]


def test_the_same_id_with_other_words_is_refused(room: InRoom) -> None:
    room.say("Once.", inference_id="once")
    with pytest.raises(IdTaken) as refused:
        room.say("Twice.", inference_id="once")
    assert refused.value.field == "inference_id"
    with pytest.raises(IdTaken):
        room.play(b"\1\0" * 100, inference_id="once")


def test_an_id_may_be_used_again_in_another_conversation(room: InRoom, other: InRoom) -> None:
    room.until_state(room.say("Here.", inference_id="same"), "spoken")
    other.until_state(other.say("There.", inference_id="same"), "spoken")
    assert (room.words_sent(), other.words_sent()) == (["Here."], ["There."])


def test_the_queue_has_an_end(room: InRoom, settings: Any) -> None:
    settings.ECHO_MAX_QUEUED = 3
    first = room.stream()  # keeps the replica waiting, so that what follows waits too
    room.until_state(first, "queued", "sending")
    speaking.append_audio(echo=first, pcm=b"\1\0" * 4_000)
    room.until_state(first, "speaking")
    settings.ECHO_STALL_DEADLINE = 60
    for number in range(3):
        room.say(f"Line {number}.")
    with pytest.raises(QueueFull) as refused:
        room.say("One too many.")
    kept = Clip.objects.count()
    with pytest.raises(QueueFull):
        room.play(b"\0\0" * 24_000, inference_id="new")
    assert Clip.objects.count() == kept, "no sample was taken in"
    assert refused.value.status == 429
    assert Echo.objects.count() == 4


def test_a_waiting_echo_can_be_cancelled_and_is_not_said(room: InRoom) -> None:
    long = room.say("A sentence that takes a while to be said. " * 30)
    waiting = room.say("Never mind.")
    after = room.say("After.")
    cancelled = speaking.cancel(actor=ANA, echo=waiting)
    assert (cancelled.state, cancelled.reason) == ("cancelled", "cancelled")
    room.until_state(after, "spoken")
    room.until_state(long, "spoken")
    assert "Never mind." not in room.words_sent()
    assert [entry.event_type for entry in room.entries(kind="operator")] == ["room.join", "echo.cancel"]


def test_what_is_being_said_can_not_be_cancelled_any_more(room: InRoom) -> None:
    echo = room.until_state(room.say("Said."), "spoken")
    with pytest.raises(NotNow) as refused:
        speaking.cancel(actor=ANA, echo=echo)
    assert "interrupt" in refused.value.message
    echo.refresh_from_db()
    assert echo.state == "spoken"


def test_saying_again_is_a_new_echo_with_the_same_words(room: InRoom) -> None:
    first = room.until_state(room.say("Encore.", inference_id="one"), "spoken")
    again = room.until_state(speaking.say_again(actor=ANA, echo=first), "spoken")
    assert again.again_of_id == first.pk
    assert again.inference_id != first.inference_id
    assert room.words_sent() == ["Encore.", "Encore."]


def test_what_still_waits_can_not_be_said_again(room: InRoom) -> None:
    room.say("A sentence that takes a while to be said. " * 30)
    waiting = room.say("Waiting.")
    with pytest.raises(NotNow):
        speaking.say_again(actor=ANA, echo=waiting)


def test_in_a_room_that_nobody_asked_for_nothing_can_be_said(idle: InRoom) -> None:
    with pytest.raises(NotJoined):
        idle.say("Hello?")
    assert not Echo.objects.exists()


def test_in_a_conversation_that_has_ended_nothing_can_be_said(room: InRoom) -> None:
    room.end()
    room.conversation.refresh_from_db()
    with pytest.raises(ConversationOver):
        room.say("Hello?")


def test_what_is_said_before_the_room_is_joined_waits_for_it(idle: InRoom, workers: Any) -> None:
    idle.want()
    echo = idle.say("As soon as I can.")
    assert echo.state == "queued"
    workers.start()
    idle.until_state(echo, "spoken")
    assert idle.words_sent() == ["As soon as I can."]


def test_two_rooms_speak_side_by_side(room: InRoom, other: InRoom) -> None:
    pairs = [(room.say(f"Here {n}."), other.say(f"There {n}.")) for n in range(5)]
    for one, two in pairs:
        room.until_state(one, "spoken")
        other.until_state(two, "spoken")
    assert room.words_sent() == [f"Here {n}." for n in range(5)]
    assert other.words_sent() == [f"There {n}." for n in range(5)]
    room.agree()
    other.agree()
