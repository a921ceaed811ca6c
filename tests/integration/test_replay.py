"""Replays: each line once, in its time, into a conversation that may end at any moment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from conversations.models import Conversation, Echo, Room
from conversations.refusals import ConversationOver, NotJoined
from conversations.replay import Replay, check
from echoadmin.log.clips import append_samples, new_clip
from echoadmin.log.models import ClipPart
from echoadmin.log.proof import triggers
from echoadmin.runs import Held, Run, claim_run, perform, resume_run, stop_run
from tests import make
from tests.integration.replayed import BEGAN, World, ask, do, said, world_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def source(db: None) -> Conversation:
    return Conversation.objects.get(pk=make.conversation(status="ended").pk)


@pytest.fixture
def target(db: None) -> Conversation:
    return Conversation.objects.get(pk=make.room().conversation_id)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return world_of(monkeypatch)


def lines_in(target: Conversation) -> list[str]:
    return list(target.echoes.filter(state="spoken").order_by("position").values_list("text", flat=True))


def test_a_conversation_is_said_again_as_it_was_timed_and_each_line_names_its_origin(
    source: Conversation, target: Conversation, world: World
) -> None:
    origins = said(source, "One.", "Two.", "Three.")
    make.echo(conversation=source, text="never sent", sending_at=None, state="cancelled")
    run = do(ask(**{"from": source.public_id, "to": target.upstream_id}))
    assert (run.state, run.done, run.total) == ("done", 3, 3)
    assert run.result == {"lines": 3, "states": {"spoken": 3}, "failed": []}
    assert world.handed == [(0.0, "One."), (4.0, "Two."), (8.0, "Three.")]
    made = list(target.echoes.order_by("position"))
    assert [echo.replay_of for echo in made] == [echo.pk for echo in origins]
    assert {(echo.actor, echo.api_key_ref, echo.source) for echo in made} == {("ana", "k1", "replay")}
    assert run.conversation_ref == target.public_id


def test_faster_without_pauses_with_other_words_and_without_some(
    source: Conversation, target: Conversation, world: World
) -> None:
    one, two, three = said(source, "One.", "Two.", "Three.")
    do(ask(**{"from": source.public_id, "to": target.public_id, "speed": 2}))
    assert [at for at, _ in world.handed] == [0.0, 2.0, 4.0]
    world.handed.clear()
    do(ask(**{"from": source.public_id, "to": target.public_id, "longest_pause": 0.5}))
    assert [text for _, text in world.handed] == ["One.", "Two.", "Three."]
    assert world.handed[2][0] - world.handed[0][0] == 1.0
    world.handed.clear()
    texts = {str(one.pk): "Eins.", str(two.pk): None}
    do(ask(echoes=[three.pk, one.pk, two.pk], to=target.public_id, speed=0, texts=texts))
    assert [text for _, text in world.handed] == ["Three.", "Eins."]


def test_samples_are_said_again_and_those_that_are_gone_are_told(
    source: Conversation, target: Conversation, world: World
) -> None:
    clips = [new_clip(16000).pk for _ in range(2)]
    for clip in clips:
        append_samples(clip, bytes(3200))
    for k, clip in enumerate(clips):
        sound = {"modality": "audio", "text": "", "clip_id": clip, "sample_rate": 16000, "closed_at": BEGAN}
        make.echo(conversation=source, position=k, sending_at=BEGAN, **sound)
    with triggers.lifted("erase"):
        ClipPart.objects.filter(clip=clips[1]).delete()
    erased = make.echo(conversation=source, text="", position=3, sending_at=BEGAN)
    run = do(ask(**{"from": source.public_id, "to": target.public_id}))
    [echo] = target.echoes.all()
    assert (echo.clip_id, echo.sample_rate, echo.modality) == (clips[0], 16000, "audio")
    assert run.state == "done" and run.result is not None
    assert [one["fails"].split()[0] for one in run.result["failed"]] == ["Its", "Is"]
    assert run.result["failed"][1]["echo"] == erased.pk


def test_only_few_lines_wait_in_the_queue_so_that_a_stop_takes_back_almost_all(
    source: Conversation, target: Conversation, world: World
) -> None:
    said(source, *[f"{k}." for k in range(10)])
    run = ask(**{"from": source.public_id, "to": target.public_id, "speed": 0})
    world.say = False
    world.at_wait(5, lambda: stop_run(run))
    do(run)
    assert run.state == "stopped"
    assert [echo.state for echo in target.echoes.all()] == ["cancelled"] * 3
    assert not target.echoes.exclude(reason="replay_stopped").exists()


def test_after_a_stop_it_goes_on_with_the_lines_that_were_taken_back(
    source: Conversation, target: Conversation, world: World
) -> None:
    said(source, *[f"{k}." for k in range(8)])
    run = ask(**{"from": source.public_id, "to": target.public_id, "speed": 0})
    for stop_at in (2, 1):
        world.at_wait(stop_at, lambda: stop_run(run))
        do(run)
        assert run.state == "stopped"
        assert resume_run(run)
    do(run)
    assert run.state == "done"
    assert lines_in(target) == [f"{k}." for k in range(8)]
    assert run.result is not None and run.result["states"] == {"spoken": 8}


@pytest.mark.parametrize("dies_at", range(6))
def test_no_line_is_said_twice_and_none_is_left_out_wherever_the_process_dies(
    source: Conversation, target: Conversation, world: World, dies_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(source, *[f"{k}." for k in range(6)])
    run = ask(**{"from": source.public_id, "to": target.public_id})
    progress = Held.progress
    reports = iter(range(100))

    def dying(held: Held, *args: Any, **more: Any) -> None:
        if next(reports) == dies_at:  # after a line was handed over, before that was noted
            raise KeyboardInterrupt
        progress(held, *args, **more)

    monkeypatch.setattr(Held, "progress", dying)
    claimed = claim_run("one")
    assert claimed is not None
    with pytest.raises(KeyboardInterrupt):
        perform(claimed)
    monkeypatch.setattr(Held, "progress", progress)
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    do(run)
    assert run.state == "done"
    assert target.echoes.count() == 6
    assert lines_in(target) == [f"{k}." for k in range(6)]


def test_a_process_that_ends_gives_it_back_and_takes_nothing_back(
    source: Conversation, target: Conversation, world: World
) -> None:
    from echoadmin.runs.doing import GivenBack

    said(source, *[f"{k}." for k in range(4)])
    run = ask(**{"from": source.public_id, "to": target.public_id, "speed": 0})
    world.say = False

    def end() -> None:
        raise GivenBack

    world.at_wait(1, end)
    do(run)
    assert run.state == "waiting"
    assert set(target.echoes.values_list("state", flat=True)) == {"queued"}
    world.say = True
    do(run)
    assert (run.state, lines_in(target)) == ("done", ["0.", "1.", "2.", "3."])


@pytest.mark.parametrize(("ends", "words"), [(True, "The conversation ended"), (False, "The room was left")])
def test_a_room_that_ends_on_the_way_is_a_clear_end(
    source: Conversation, target: Conversation, world: World, ends: bool, words: str
) -> None:
    said(source, *[f"{k}." for k in range(6)])
    run = ask(**{"from": source.public_id, "to": target.public_id})

    def end() -> None:
        if ends:
            Conversation.objects.filter(pk=target.pk).update(status="ended")
        else:
            Room.objects.filter(conversation=target).update(wanted="idle")

    world.at_wait(2, end)
    do(run)
    assert run.state == "failed"
    assert run.error.startswith(words) and "of 6 lines were spoken" in run.error
    assert run.result is not None and run.result["lines"] == 6
    assert not target.echoes.filter(state="queued").exists()


def test_a_conversation_that_ends_after_the_last_line_was_queued_is_told_too(
    source: Conversation, target: Conversation, world: World
) -> None:
    said(source, "0.", "1.")
    run = ask(**{"from": source.public_id, "to": target.public_id, "speed": 0})
    world.say = False

    def end() -> None:
        Echo.objects.filter(state="queued").update(state="cancelled", reason="conversation_ended")

    world.at_wait(0, end)
    do(run)
    assert (run.state, run.error) == (
        "failed",
        "The conversation ended before all was said. 0 of 2 lines were spoken.",
    )


def test_a_full_queue_is_waited_for(source: Conversation, target: Conversation, world: World, settings: Any) -> None:
    settings.ECHO_MAX_QUEUED = 1
    said(source, "0.", "1.")
    other = make.echo(conversation=target, state="queued")
    run = ask(**{"from": source.public_id, "to": target.public_id, "speed": 0})
    world.at_wait(3, lambda: Echo.objects.filter(pk=other.pk).update(state="spoken"))
    do(run)
    assert run.state == "done"
    assert target.echoes.filter(replay_of__isnull=False, state="spoken").count() == 2


def test_a_dry_replay_tells_what_would_be_and_says_nothing(source: Conversation, world: World) -> None:
    target = Conversation.objects.get(pk=make.conversation(max_call_duration=720 + 60).pk)  # nobody is in its room
    good, long, erased = said(source, "One.", "word " * 2000, "", every=30)
    run = do(ask(**{"from": source.public_id, "to": target.public_id, "speed": 2, "dry": True}))
    assert run.state == "done" and run.result is not None
    told = run.result["lines"]
    assert [(one["echo"], one["at"], one["fails"] is None) for one in told] == [
        (good.pk, 0.0, True),
        (long.pk, 15.0, True),
        (erased.pk, 30.0, False),
    ]
    assert told[0]["messages"] == 1 and told[1]["messages"] > 1
    assert (run.result["fails"], len(run.result["problems"])) == (1, 2)
    assert "not joined" in run.result["problems"][0] and "Tavus ends" in run.result["problems"][1]
    assert len(b"".join(run.file()).splitlines()) == 3
    assert not target.echoes.exists() and world.handed == []


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"to": "cv_none"}, "to"),
        ({"to": 5}, "to"),
        ({}, "to"),
        ({"from": "cv_none"}, "from"),
        ({"echoes": [1], "from": "x"}, "echoes"),
        ({"echoes": []}, "echoes"),
        ({"echoes": [10**30]}, "echoes"),
        ({"echoes": ["1"]}, "echoes"),
        ({"echoes": [True]}, "echoes"),
        ({"speed": -1}, "speed"),
        ({"speed": "fast"}, "speed"),
        ({"speed": float("nan")}, "speed"),
        ({"longest_pause": -1}, "longest_pause"),
        ({"texts": []}, "texts"),
        ({"texts": {"x": "y"}}, "texts"),
        ({"texts": {"999999": "y"}}, "texts"),
        ({"texts": {"{one}": ""}}, "texts.{one}"),
        ({"texts": {"{one}": None}}, "texts"),
        ({"dry": "yes"}, "dry"),
        ({"colour": 1}, "colour"),
    ],
)
def test_what_cannot_be_replayed_is_named(
    source: Conversation, target: Conversation, params: dict[str, Any], field: str
) -> None:
    [one] = said(source, "One.")
    usual: dict[str, Any] = {"to": target.public_id, "from": source.public_id}
    if "echoes" in params:
        del usual["from"]
    if not params:
        usual.clear()
    wish = {**usual, **params}
    if isinstance(wish.get("texts"), dict):
        wish["texts"] = {name.replace("{one}", str(one.pk)): text for name, text in wish["texts"].items()}
    with pytest.raises(ValidationError) as refusal:
        check(wish)
    assert list(refusal.value.message_dict) == [field.replace("{one}", str(one.pk))]


def test_a_conversation_without_echoes_or_a_room_that_is_not_joined_is_refused(
    source: Conversation, target: Conversation
) -> None:
    with pytest.raises(ValidationError):
        check({"from": source.public_id, "to": target.public_id})
    said(source, "One.")
    with pytest.raises(ConversationOver):
        check({"from": source.public_id, "to": source.public_id})
    Room.objects.filter(conversation=target).update(wanted="idle")
    with pytest.raises(NotJoined):
        check({"from": source.public_id, "to": target.public_id})


def test_what_was_asked_survives_its_row(source: Conversation, target: Conversation) -> None:
    said(source, "One.", "Two.")
    run = ask(**{"from": source.public_id, "to": target.public_id, "speed": 2})
    run.refresh_from_db()
    replay = Replay.of(run.params)
    assert (replay.times(), replay.speed, len(replay.lines)) == ([0.0, 2.0], 2.0, 2)
