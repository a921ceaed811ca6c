"""A replay into a real room: what was said in one conversation is said in another, samples bit for bit."""

from __future__ import annotations

from typing import Any

import pytest

from conversations.models import Echo
from conversations.models.echo import FINAL_STATES
from conversations.replay import check
from conversations.replay import run as run_module
from echoadmin.runs import KINDS, Run, start_run, stop_run
from tests import witnesses
from tests.integration.rooms.driving import ANA, InRoom, tone
from tests.waiting import until


def replayed(source: InRoom, target: InRoom, **params: object) -> Run:
    assert "replay" in KINDS
    asked = check({"from": source.conversation.public_id, "to": target.conversation.public_id, **params})
    return start_run(actor=ANA, kind="replay", params=asked.params, conversation_ref=asked.conversation_ref)


def until_ended(run: Run) -> Run:
    def ended() -> bool:
        run.refresh_from_db()
        return run.is_ended

    until(ended, "the replay has ended")
    return run


def test_words_and_samples_are_said_again_in_another_room(room: InRoom, other: InRoom) -> None:
    pcm = tone(0.6)
    text = room.until_state(room.say("One more time."), "spoken")
    sound = room.until_state(room.play(pcm), "spoken")
    run = until_ended(replayed(room, other, speed=50))
    assert (run.state, run.error) == ("done", "")
    again = list(Echo.objects.filter(conversation=other.conversation).order_by("position"))
    assert [(echo.replay_of, echo.state, echo.source) for echo in again] == [
        (text.pk, "spoken", "replay"),
        (sound.pk, "spoken", "replay"),
    ]
    assert other.words_sent() == ["One more time."]
    assert witnesses.samples(other.sent(), again[1].inference_id) == pcm
    other.agree()


def test_a_last_line_that_ends_just_after_it_was_counted_is_counted_too(
    room: InRoom, other: InRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = run_module._Playing._report

    def report_and_dawdle(playing: Any) -> None:
        report(playing)
        if playing.next == len(playing.replay.lines):
            until(lambda: not playing.echoes.exclude(state__in=FINAL_STATES).exists(), "the line has ended")

    monkeypatch.setattr(run_module._Playing, "_report", report_and_dawdle)
    room.until_state(room.say("Just one."), "spoken")
    run = until_ended(replayed(room, other, speed=0))
    assert (run.state, run.done, run.total) == ("done", 1, 1)


def test_a_replay_is_stopped_and_the_line_being_said_is_said_to_its_end(room: InRoom, other: InRoom) -> None:
    for k in range(6):
        room.until_state(room.say(f"Line {k}. " + "word " * 40), "spoken")
    run = replayed(room, other, speed=0)
    until(lambda: Echo.objects.filter(conversation=other.conversation, state="spoken").exists(), "a line is spoken")
    assert stop_run(run)
    assert until_ended(run).state == "stopped"
    until(
        lambda: (
            not Echo.objects.filter(
                conversation=other.conversation, state__in=("queued", "sending", "sent", "speaking")
            ).exists()
        ),
        "nothing is under way",
    )
    states = set(Echo.objects.filter(conversation=other.conversation).values_list("state", flat=True))
    assert states == {"spoken", "cancelled"}


def test_a_conversation_that_ends_on_the_way_ends_the_replay_with_words(room: InRoom, other: InRoom) -> None:
    for k in range(4):
        room.until_state(room.say(f"Line {k}. " + "word " * 100), "spoken")
    run = replayed(room, other, speed=0)
    until(lambda: Echo.objects.filter(conversation=other.conversation, state="spoken").exists(), "a line is spoken")
    other.end()
    ended = until_ended(run)
    assert ended.state == "failed"
    assert ended.error.startswith("The conversation ended")
    assert not Echo.objects.filter(conversation=other.conversation, state="queued").exists()
