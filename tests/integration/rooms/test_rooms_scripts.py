"""Scripts in a real room: said in order by the twin's replica, paused, skipped, stopped, taken up by another worker."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from conversations.models import Echo
from conversations.scripts import keeping
from echoadmin.runs import KINDS, Run, pause_run, resume_run, skip_in_run, stop_run
from tests import make, witnesses
from tests.integration.rooms.conftest import Workers
from tests.integration.rooms.driving import RATE, InRoom, tone
from tests.integration.scripted import ask, script
from tests.waiting import until

LONG = "It goes on and on. " * 30  # 570 characters: long enough to be caught in the middle


def started(room: InRoom, *lines: object, **variables: str) -> Run:
    assert "script" in KINDS
    return ask(script(*lines), room.conversation, **variables)


def until_run(run: Run, *states: str) -> Run:
    def reached() -> bool:
        run.refresh_from_db()
        return run.state in states

    until(reached, f"the run is {' or '.join(states)}")
    return run


def line(room: InRoom, run: Run, number: int, *states: str) -> Echo:
    """The newest echo of a line, once it is in one of the states."""
    mine = Echo.objects.filter(conversation=room.conversation, inference_id__startswith=f"{run.public_id}-{number}")
    return until(lambda: mine.filter(state__in=states).order_by("-id").first(), f"line {number} is {states}")


def order_sent(room: InRoom) -> list[str]:
    """The ids of the echoes in the order in which the room carried them, each once."""
    sent = [one for one in room.sent() if one["event_type"] == "conversation.echo"]
    return list(dict.fromkeys(one["properties"]["inference_id"] for one in sent))


def test_words_and_samples_are_said_in_order_each_after_the_last_was_spoken(room: InRoom) -> None:
    pcm = tone(0.6)
    clip = keeping.new_clip(pcm=[pcm], sample_rate=RATE)
    run = started(room, "Hello {{guest}}.", {"clip": clip.pk, "pause": 0.5}, "Bye.", guest="Ana")
    until_run(run, "done", "paused", "failed")
    assert (run.state, run.error, run.done) == ("done", "", 3)
    echoes = list(Echo.objects.filter(conversation=room.conversation).order_by("position"))
    assert [echo.state for echo in echoes] == ["spoken"] * 3
    assert order_sent(room) == [f"{run.public_id}-{n}" for n in (1, 2, 3)]
    assert room.words_sent() == ["Hello Ana.", "Bye."]
    assert witnesses.samples(room.sent(), echoes[1].inference_id) == pcm
    for before, after, pause in zip(echoes, echoes[1:], (0.0, 0.5), strict=False):
        assert before.ended_at is not None
        assert (after.queued_at - before.ended_at).total_seconds() >= pause - 0.01
    room.agree()


def test_a_pause_lets_the_line_be_said_to_its_end_and_nothing_more_until_it_goes_on(room: InRoom) -> None:
    run = started(room, {"text": LONG, "wait": None}, "Two.", "Three.")
    line(room, run, 1, "speaking")
    line(room, run, 2, "queued")
    assert pause_run(run)
    line(room, run, 2, "cancelled")
    line(room, run, 1, "spoken")
    until_run(run, "paused")
    assert room.words_sent() == [LONG]
    assert resume_run(run)
    until_run(run, "done")
    assert room.words_sent() == [LONG, "Two.", "Three."]


def test_a_skip_stops_the_line_that_is_being_said_and_the_next_one_follows(room: InRoom) -> None:
    run = started(room, {"text": LONG * 3, "pause": 30}, "Two.")
    line(room, run, 1, "speaking")
    assert skip_in_run(run)
    line(room, run, 1, "interrupted")
    until_run(run, "done", "paused", "failed")
    assert (run.state, run.error) == ("done", "")
    assert run.result is not None and (run.result["skipped"], run.result["states"]) == ([1], {"spoken": 1})
    room.agree()


def test_an_interrupt_by_hand_pauses_it_and_it_goes_on_with_the_next_line(room: InRoom) -> None:
    run = started(room, LONG * 3, "Two.")
    line(room, run, 1, "speaking")
    room.interrupt()
    until_run(run, "paused")
    assert "Line 1 of 2 was interrupted" in run.error and "line 2" in run.error
    assert resume_run(run)
    until_run(run, "done")
    assert order_sent(room) == [f"{run.public_id}-1", f"{run.public_id}-2"]


def test_a_stop_takes_back_what_waits_and_the_line_is_said_to_its_end(room: InRoom) -> None:
    run = started(room, *[{"text": LONG, "wait": None} for _ in range(4)])
    line(room, run, 1, "speaking")
    line(room, run, 3, "queued")
    assert stop_run(run)
    until_run(run, "stopped")
    line(room, run, 1, "spoken")
    assert room.words_sent() == [LONG]


@pytest.mark.parametrize("dies", [False, True])
def test_another_worker_goes_on_and_says_nothing_twice(room: InRoom, workers: Workers, dies: bool) -> None:
    run = started(room, "One.", "Two.", {"text": "Three.", "pause": 3}, "Four.", "Five.")
    line(room, run, 3, "spoken")
    [old] = workers.running
    if dies:  # what a killed process leaves: nobody reports, until its lease is over
        Run.objects.filter(pk=run.pk).update(epoch=run.epoch + 10, holder="dead", lease_until="2020-01-01T00:00:00Z")
    workers.start()
    workers.stop(old)
    until_run(run, "done", "paused", "failed")
    assert (run.state, run.error) == ("done", "")
    assert order_sent(room) == [f"{run.public_id}-{n}" for n in range(1, 6)]
    assert room.words_sent() == ["One.", "Two.", "Three.", "Four.", "Five."]
    room.agree()


def test_stop_everything_stops_a_script_too(room: InRoom, other: InRoom) -> None:
    run = started(room, LONG * 3, "Two.", "Three.")
    paused = started(other, "Another.")
    pause_run(paused)
    line(room, run, 1, "speaking")
    client = APIClient()
    client.force_login(make.user("manager", "mia"))
    told = client.post("/api/v1/stop/", {}).json()
    assert set(told["runs"]) == {run.public_id, paused.public_id}
    until_run(run, "stopped")
    until_run(paused, "stopped")
    line(room, run, 1, "interrupted")
    assert not Echo.objects.filter(conversation=room.conversation, state__in=("queued", "sent", "speaking")).exists()
    assert set(order_sent(room)) == {f"{run.public_id}-1"}
