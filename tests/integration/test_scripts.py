"""Scripts in a room: each line once and in its turn, skipped, paused, stopped, and taken up by another process."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from conversations.models import Conversation, Echo, Room
from conversations.services import speaking
from echoadmin.log.clips import append_samples, new_clip
from echoadmin.log.models import ClipPart
from echoadmin.log.proof import triggers
from echoadmin.runs import Held, Run, claim_run, pause_run, perform, resume_run, skip_in_run, stop_run
from tests import make
from tests.integration.scripted import ANA, World, ask, do, script, spoken

pytestmark = pytest.mark.django_db


@pytest.fixture
def target(db: None) -> Conversation:
    return Conversation.objects.get(pk=make.room().conversation_id)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_lines_are_said_in_order_each_after_the_last_was_spoken_and_its_pause(
    target: Conversation, world: World
) -> None:
    run = do(ask(script({"text": "One.", "pause": 2}, "Two, {{guest}}.", "Three."), target, guest="Ana"))
    assert (run.state, run.error, run.done, run.total) == ("done", "", 3, 3)
    assert run.result == {"lines": 3, "states": {"spoken": 3}, "skipped": [], "failed": []}
    assert [text for _, text in world.handed] == ["One.", "Two, Ana.", "Three."]
    at = [at for at, _ in world.handed]
    assert at[0] == 0 and 2 <= at[1] - at[0] <= 2.5 and 0 < at[2] - at[1] <= 0.5
    made = list(target.echoes.order_by("position"))
    assert [echo.inference_id for echo in made] == [f"{run.public_id}-{n}" for n in (1, 2, 3)]
    assert {(echo.actor, echo.api_key_ref, echo.source) for echo in made} == {("ana", "k1", "script")}


def test_a_line_that_is_not_waited_for_lets_the_next_follow_at_once(target: Conversation, world: World) -> None:
    world.say = False
    run = ask(
        script({"text": "One.", "wait": None}, {"text": "Two.", "wait": None, "pause": 1}, "Three.", "Four."), target
    )
    world.at_wait(20, lambda: stop_run(run))
    do(run)
    assert [text for _, text in world.handed] == ["One.", "Two.", "Three."]  # the last one is waited for
    assert world.handed[1][0] == 0 and 1 <= world.handed[2][0] <= 1.25


def test_few_lines_wait_in_the_queue_and_a_stop_takes_them_back(target: Conversation, world: World) -> None:
    world.say = False
    run = ask(script(*[{"text": f"{k}.", "wait": None} for k in range(8)]), target)
    world.at_wait(3, lambda: stop_run(run))
    do(run)
    assert run.state == "stopped"
    assert list(target.echoes.values_list("state", "reason")) == [("cancelled", "script_stopped")] * 3
    world.say = True
    assert resume_run(run)
    do(run)
    assert (run.state, spoken(target)) == ("done", [f"{k}." for k in range(8)])


def test_a_pause_takes_back_what_waits_and_resume_goes_on_there(target: Conversation, world: World) -> None:
    run = ask(script("One.", "Two.", "Three."), target)
    world.at_wait(1, lambda: (setattr(world, "say", False), pause_run(run)))
    do(run)
    assert (run.state, run.ended_at, run.holder) == ("paused", None, "")
    assert spoken(target) == ["One."]
    assert claim_run("here") is None
    world.say = True
    assert resume_run(run) and not pause_run(Run(pk=0))
    do(run)
    assert (run.state, spoken(target)) == ("done", ["One.", "Two.", "Three."])


def test_a_quick_resume_takes_nothing_back_from_who_goes_on(target: Conversation, world: World) -> None:
    world.say = False
    run = ask(script("One.", "Two."), target)
    world.at_wait(0, lambda: (pause_run(run), resume_run(run)))
    do(run)
    assert run.state == "waiting"
    assert list(target.echoes.values_list("state", flat=True)) == ["queued"]
    world.say = True
    do(run)
    assert (run.state, spoken(target), target.echoes.count()) == ("done", ["One.", "Two."], 2)


def test_a_skip_cancels_a_line_that_waits(target: Conversation, world: World) -> None:
    run = ask(script({"text": "One.", "pause": 60}, "Two."), target)
    world.say = False
    world.at_wait(2, lambda: (skip_in_run(run), setattr(world, "say", True)))
    monkey = world.speak
    world.speak = lambda *a, **k: monkey() if Echo.objects.filter(text="Two.").exists() else None  # type: ignore[method-assign]
    do(run)
    assert (run.state, run.wish) == ("done", "")
    assert spoken(target) == ["Two."]
    assert target.echoes.get(text="One.").reason == "skipped"
    assert run.result is not None and run.result["skipped"] == [1]
    assert world.passed < 5  # the pause after a line that was skipped is not kept


def test_a_skip_interrupts_a_line_that_is_being_said_and_others_lines_stay(target: Conversation, world: World) -> None:
    run = ask(script("One.", "Two."), target)
    other = speaking.speak_text(actor=ANA, conversation=target, text="Somebody else’s.")

    def skip() -> None:
        Echo.objects.filter(text="One.").update(state="speaking")
        skip_in_run(run)
        world.say = False

    def interrupted() -> None:
        [sent] = target.interactions.values_list("event_type", flat=True)
        assert sent == "conversation.interrupt"
        Echo.objects.filter(text="One.").update(state="interrupted", reason="interrupted", ended_at=world.now())
        world.say = True

    Echo.objects.filter(pk=other.pk).update(position=1_000)
    world.at_wait(0, skip)
    world._happens[2] = interrupted
    do(run)
    assert (run.state, run.error) == ("done", "")
    assert run.result is not None and (run.result["skipped"], run.result["states"]) == ([1], {"spoken": 1})
    other.refresh_from_db()
    assert other.state != "cancelled"


def test_a_skip_ends_a_pause_and_before_the_first_line_leaves_that_out(target: Conversation, world: World) -> None:
    run = ask(script("Zero.", {"text": "One.", "pause": 600}, "Two."), target)
    assert skip_in_run(run)
    world.at_wait(10, lambda: skip_in_run(run))
    do(run)
    assert (run.state, spoken(target)) == ("done", ["One.", "Two."])
    assert run.result is not None and run.result["skipped"] == [1]
    assert world.passed < 10


def test_a_skip_that_came_too_late_is_forgotten(
    target: Conversation, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ask(script("One."), target)
    assert skip_in_run(run)
    monkeypatch.setattr(Held, "take_wish", lambda held, wish: False)
    do(run)
    assert (run.state, run.wish) == ("done", "")


@pytest.mark.parametrize("state", ["interrupted", "failed", "rejected"])
def test_a_line_that_went_wrong_pauses_it_and_the_next_one_follows_when_it_goes_on(
    target: Conversation, world: World, state: str
) -> None:
    run = ask(script("One.", "Two.", "Three."), target)
    world.at_wait(1, lambda: world.speak(state, detail="By somebody."))
    do(run)
    assert run.state == "paused"
    assert run.error.startswith("Line 2 of 3") and "By somebody." in run.error and "line 3" in run.error
    assert resume_run(run)
    do(run)
    assert (run.state, run.error, spoken(target)) == ("done", "", ["One.", "Three."])


def test_each_line_that_went_wrong_is_told_once(target: Conversation, world: World) -> None:
    run = ask(script("One.", "Two.", "Three."), target)
    for number in (1, 2):
        world.at_wait(0, lambda: world.speak("failed"))
        do(run)
        assert run.state == "paused" and run.error.startswith(f"Line {number} of 3")
        resume_run(run)
    do(run)
    assert (run.state, spoken(target)) == ("done", ["Three."])


def test_a_skip_of_one_that_is_paused_leaves_out_its_next_line(target: Conversation, world: World) -> None:
    run = ask(script({"text": "One.", "pause": 600}, "Two.", "Three."), target)
    world.at_wait(4, lambda: (pause_run(run), skip_in_run(run)))
    do(run)
    assert run.state == "paused"
    resume_run(run)
    do(run)
    assert (run.state, spoken(target)) == ("done", ["One.", "Three."])


def test_an_interrupt_pauses_it_and_lines_that_it_cancelled_come_again(target: Conversation, world: World) -> None:
    lines = [{"text": f"{k}.", "wait": None} for k in range(4)]
    run = ask(script(*lines), target)
    world.say = False

    def interrupt() -> None:
        Echo.objects.filter(text="0.").update(state="speaking")
        speaking.interrupt(actor=ANA, conversation=target)

    world.at_wait(1, interrupt)
    do(run)
    assert run.state == "paused" and "interrupt" in run.error and "line 2" in run.error
    world.speak("interrupted")
    world.say = True
    assert resume_run(run)
    do(run)
    assert (run.state, spoken(target)) == ("done", ["1.", "2.", "3."])


def test_a_line_that_somebody_took_out_is_left_out(target: Conversation, world: World) -> None:
    run = ask(script("One.", "Two."), target)
    world.at_wait(0, lambda: speaking.cancel(actor=ANA, echo=target.echoes.get()))
    do(run)
    assert (run.state, spoken(target)) == ("done", ["Two."])


def test_a_line_that_a_dead_worker_left_open_stops_nothing(target: Conversation, world: World) -> None:
    run = ask(script("One.", "Two."), target)
    world.at_wait(0, lambda: world.speak("unconfirmed"))
    do(run)
    assert run.state == "done" and run.result is not None
    assert run.result["states"] == {"unconfirmed": 1, "spoken": 1}


def test_a_room_that_is_left_pauses_it_and_a_conversation_that_ends_ends_it(target: Conversation, world: World) -> None:
    run = ask(script("One.", "Two.", "Three.", "Four."), target)
    world.at_wait(0, lambda: Room.objects.filter(conversation=target).update(wanted="idle"))
    do(run)
    assert run.state == "paused" and "Join it first" in run.error and "line 2" in run.error
    Room.objects.filter(conversation=target).update(wanted="joined")
    resume_run(run)
    world.at_wait(0, lambda: Conversation.objects.filter(pk=target.pk).update(status="ended"))
    do(run)
    assert run.state == "failed"
    assert run.error == "The conversation ended before line 3 of 4. 2 of 4 lines were spoken."


def test_samples_are_said_and_a_line_whose_samples_are_gone_pauses_it(target: Conversation, world: World) -> None:
    clips = [new_clip(16_000).pk for _ in range(2)]
    for clip in clips:
        append_samples(clip, bytes(3_200))
    run = ask(script({"clip": clips[0], "name": "a.wav"}, {"clip": clips[1]}, "Last."), target)
    with triggers.lifted("erase"):
        ClipPart.objects.filter(clip=clips[1]).delete()
    do(run)
    assert run.state == "paused" and run.error.startswith("Line 2 of 3 can't be said: Its samples were erased.")
    resume_run(run)
    do(run)
    assert run.state == "done" and run.result is not None
    assert run.result["failed"] == [{"line": 2, "fails": "Its samples were erased."}]
    sound, text = target.echoes.order_by("position")
    assert (sound.clip_id, sound.sample_rate, sound.modality, sound.seconds) == (clips[0], 16_000, "audio", 0.1)
    assert text.text == "Last."


@pytest.mark.parametrize("dies_at", range(1, 8))
def test_no_line_is_said_twice_and_none_is_left_out_wherever_the_process_dies(
    target: Conversation, world: World, dies_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ask(script(*[f"{k}." for k in range(6)]), target)
    check = Held.check
    looks = iter(range(100))

    def dying(held: Held) -> None:
        if next(looks) == dies_at:
            raise KeyboardInterrupt
        check(held)

    monkeypatch.setattr(Held, "check", dying)
    claimed = claim_run("one")
    assert claimed is not None
    with pytest.raises(KeyboardInterrupt):
        perform(claimed)
    monkeypatch.setattr(Held, "check", check)
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    do(run)
    assert run.state == "done"
    assert (target.echoes.count(), spoken(target)) == (6, [f"{k}." for k in range(6)])


def test_a_full_queue_is_waited_for(target: Conversation, world: World, settings: Any) -> None:
    settings.ECHO_MAX_QUEUED = 1
    other = make.echo(conversation=target, state="queued")
    run = ask(script("One."), target)
    world.say = False
    world.at_wait(3, lambda: (Echo.objects.filter(pk=other.pk).update(state="spoken"), setattr(world, "say", True)))
    do(run)
    assert (run.state, target.echoes.filter(source="script", state="spoken").count()) == ("done", 1)
