"""Interrupts, cancels, and the interactions beside an echo."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from conversations import interactions, outbox
from conversations.models import Echo, Interaction
from conversations.refusals import NotJoined, Refusal
from conversations.rooms import interaction_sender
from conversations.rooms.ends import Stop
from conversations.rooms.worker import RunningWorker
from conversations.services import speaking
from tests.integration.rooms.driving import InRoom, tone
from tests.waiting import until

LONG = "A sentence that takes quite a while to be said. " * 40


def test_an_interrupt_stops_the_text_being_said_and_cancels_the_queue(room: InRoom) -> None:
    spoken = room.until_state(room.say(LONG), "speaking")
    waiting = [room.say(f"Line {number}.", inference_id=f"w{number}") for number in range(3)]
    asked = room.interrupt()
    assert asked.cancelled == ["w0", "w1", "w2"]
    done = room.until_sent(asked.interaction)
    assert done.result == {"interrupted": spoken.inference_id, "confirmed": True}
    room.until_state(spoken, "interrupted")
    assert (spoken.reason, spoken.detail) == ("interrupted", "Interrupted by ana.")
    assert spoken.spoken_at is None and spoken.ended_at is not None
    for echo in waiting:
        echo.refresh_from_db()
        assert (echo.state, echo.reason) == ("cancelled", "interrupted")
    assert room.words_sent() == [LONG]
    room.agree()


def test_after_an_interrupt_the_next_echo_is_said(room: InRoom) -> None:
    room.until_state(room.say(LONG), "speaking")
    room.interrupt()
    room.until_state(room.say("Something else."), "spoken")
    assert room.words_sent() == [LONG, "Something else."]
    room.agree()


def test_an_interrupt_in_mid_audio_stops_the_chunks_and_names_those_that_never_left(room: InRoom) -> None:
    echo = room.until_state(room.play(tone(30.0), pacing="realtime"), "speaking")
    until(lambda: len(room.sent()) > 8, "some chunks are there")
    done = room.until_sent(room.interrupt().interaction)
    assert done.result == {"interrupted": echo.inference_id, "confirmed": True}
    room.until_state(echo, "interrupted")
    left = [message for message in room.sent() if message["event_type"] == "conversation.echo"]
    assert len(left) < 60, "it did not go on to the end"
    assert not any(message["properties"]["done"] for message in left)
    [never] = room.until_facts("not_sent")
    assert (never["reason"], never["inference_id"]) == ("interrupted", echo.inference_id)
    until(lambda: Echo.objects.get().chunks_sent == len(left), "the row counts what left")
    echo.refresh_from_db()
    assert echo.chunks == len(left) + never["count"]
    room.until_state(room.say("It listens again."), "spoken")
    assert "swallowed" not in room.flags()
    room.agree()


def test_an_interrupt_in_the_middle_of_a_long_text_says_no_further_part(room: InRoom) -> None:
    text = " ".join("𠮷" * 29 + f"{number:03}." for number in range(100))
    echo = room.until_state(room.say(text, inference_id="long"), "speaking")
    room.interrupt()
    room.until_state(echo, "interrupted")
    room.until_state(room.say("Enough."), "spoken")
    assert [message["properties"]["inference_id"] for message in room.sent() if "properties" in message][:-1] == [
        "long.1"
    ]


def test_an_interrupt_of_a_silent_replica_is_confirmed_at_once(room: InRoom) -> None:
    done = room.until_sent(room.interrupt().interaction)
    assert done.result == {"interrupted": None, "confirmed": True}
    until(lambda: room.sent() == [interactions.interrupt(room.upstream_id)], "the room carried it")
    room.agree()


def test_an_interrupt_that_the_replica_does_not_follow_is_not_confirmed(room: InRoom, settings: Any) -> None:
    settings.INTERRUPT_DEADLINE = 0.2
    # A replica that waits for the rest of an echo has not begun to speak, and says nothing when it is stopped.
    echo = room.stream()
    speaking.append_audio(echo=echo, pcm=tone(0.06))
    until(lambda: len(room.sent()) == 1, "the first chunk is there")
    done = room.until_sent(room.interrupt().interaction)
    assert done.result == {"interrupted": echo.inference_id, "confirmed": False}
    room.until_state(echo, "interrupted")
    room.until_state(room.say("Next."), "spoken")
    assert room.words_sent() == ["Next."]


def test_two_interrupts_at_once_are_both_sent_and_both_answered(room: InRoom) -> None:
    echo = room.until_state(room.say(LONG), "speaking")
    one, two = room.interrupt(), room.interrupt()
    assert room.until_sent(one.interaction).result == {"interrupted": echo.inference_id, "confirmed": True}
    assert room.until_sent(two.interaction).result["confirmed"] is True
    room.until_state(echo, "interrupted")
    room.agree()


def test_an_interrupt_by_somebody_else_in_the_room_ends_the_echo_too(room: InRoom, guest: Any) -> None:
    echo = room.until_state(room.say(LONG), "speaking")
    guest.send(interactions.interrupt(room.upstream_id))
    room.until_state(echo, "interrupted")
    assert echo.reason == "interrupted_in_the_room"
    room.agree()


def test_an_interrupt_by_somebody_else_in_mid_audio_ends_the_sending(room: InRoom, guest: Any) -> None:
    echo = room.until_state(room.play(tone(30.0), pacing="realtime"), "speaking")
    guest.send(interactions.interrupt(room.upstream_id))
    room.until_state(echo, "interrupted")
    room.until_state(room.say("The next."), "spoken")
    assert len(room.sent()) < 60, "nobody was sent the rest of it"
    room.agree()


def test_in_a_room_that_nobody_asked_for_there_is_nothing_to_interrupt(idle: InRoom) -> None:
    with pytest.raises(NotJoined):
        idle.interrupt()
    assert not Interaction.objects.exists()


# --- interactions of other kinds ---


def test_an_interaction_is_sent_at_once_beside_the_echo_in_hand(room: InRoom) -> None:
    echo = room.until_state(room.play(tone(5.0), pacing="realtime"), "speaking")
    sent = room.until_sent(room.send(interactions.append_context(room.upstream_id, "It rains.")))
    echo.refresh_from_db()
    assert echo.state == "speaking"
    assert sent.sent_at is not None
    until(lambda: interactions.append_context(room.upstream_id, "It rains.") in room.sent(), "the room carried it")
    [entry] = room.entries(direction="out", family="context")
    assert (entry.actor, entry.echo_id) == ("ana", None)
    room.interrupt()
    room.until_state(echo, "interrupted")
    room.agree()


def test_any_object_that_daily_can_carry_is_sent_as_it_is(room: InRoom) -> None:
    message = {"b": [1, 2.5, None, True, "ü\u2028"], "a": {"nested": {"deeper": -(2**63)}}, "big": 2**64 - 1}
    room.until_sent(room.send(message))
    until(lambda: room.sent() == [message], "the room carried it")
    room.agree()


def test_what_a_database_could_not_keep_is_refused(room: InRoom) -> None:
    with pytest.raises(Refusal) as refused:
        room.send({"nul": ["\0"]})
    assert "NUL" in refused.value.message
    room.until_sent(room.send({"text": "\\u0000 in words"}))


def test_an_echo_does_not_go_by_the_way_of_the_interactions(room: InRoom) -> None:
    with pytest.raises(Refusal):
        room.send(interactions.text_echo(room.upstream_id, "Around the back.", "x"))
    assert not Interaction.objects.exists()


def test_an_interaction_that_waited_too_long_for_the_room_is_not_sent_any_more(
    idle: InRoom, workers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interaction_sender, "TOO_OLD", 0.0)
    idle.want()
    interaction = idle.send(interactions.respond(idle.upstream_id, "Out of the blue."))
    workers.start()
    until(lambda: Interaction.objects.filter(state="failed").exists(), "it is given up")
    interaction.refresh_from_db()
    assert interaction.reason == "not_joined_in_time"
    assert idle.sent() == []


@dataclass
class Claiming:
    """Somebody's claim, held up."""

    inside: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def claiming(room: InRoom, monkeypatch: pytest.MonkeyPatch) -> Iterator[Claiming]:
    """The room's next claim of a text stops before it is committed, until it may go on."""
    held = Claiming()
    claim = outbox.claim_next_text

    def slow(tenure: outbox.Tenure) -> Echo | None:
        found = claim(tenure)
        if found is not None and not held.go_on.is_set():
            held.inside.set()
            assert held.go_on.wait(20)
        return found

    room.until_room(replica_present=True)
    monkeypatch.setattr(outbox, "claim_next_text", slow)
    yield held
    held.go_on.set()


def test_what_halts_a_text_while_it_is_being_claimed_keeps_it_from_leaving(
    room: InRoom, claiming: Claiming, worker: RunningWorker, loop_thread: Any
) -> None:
    echo = room.say("This never leaves.")
    assert claiming.inside.wait(10)
    [live] = worker.keeper.rooms.values()
    stop = Stop("interrupted", "interrupted", "Interrupted by ana.")
    loop_thread.call(live.echoes.halt, stop)
    claiming.go_on.set()
    room.until_state(echo, "interrupted")
    [never] = room.until_facts("not_sent")
    assert (never["reason"], never["inference_id"]) == ("interrupted", echo.inference_id)
    room.until_state(room.say("This does."), "spoken")
    assert room.words_sent() == ["This does."]
    room.agree()


def test_a_room_that_is_left_while_a_text_is_being_claimed_settles_it_first(
    room: InRoom, claiming: Claiming, worker: RunningWorker, loop_thread: Any
) -> None:
    echo = room.say("This never leaves.")
    assert claiming.inside.wait(10)
    [live] = worker.keeper.rooms.values()
    loop_thread.call(live.close, "left")
    until(lambda: live.echoes.stop is not None, "the leave has halted it")
    claiming.go_on.set()
    room.until_state(echo, "interrupted")
    assert echo.reason == "room_left"
    assert room.words_sent() == []
    room.until_facts("not_sent")
    room.agree()
