"""A worker that died, or only seemed to: what the next one finds, says and never says twice."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from conversations import interactions, outbox
from conversations.models import Echo, EchoState, Interaction, Room, Worker
from conversations.outbox import Tenure
from conversations.rooms.worker import RunningWorker
from echoadmin.log import clips
from echoadmin.log.writer import Draft, append
from tests.integration.rooms.driving import RATE, InRoom, tone
from tests.waiting import until

LONG = "A sentence that takes quite a while to be said. " * 40


def pid_of_the_dead() -> int:
    """A process id that nobody has."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


@pytest.fixture
def dead(idle: InRoom) -> Tenure:
    """The room as a worker left it that was killed while it held it."""
    now = timezone.now()
    worker = Worker.objects.create(
        name="dead",
        host=os.uname().nodename,
        pid=pid_of_the_dead(),
        started_at=now,
        lease_until=now + timedelta(hours=1),
    )
    row = Room.objects.create(
        conversation=idle.conversation, wanted="joined", state="joined", worker=worker, epoch=4, last_seen_at=now,
        last_position=1,
    )  # fmt: skip
    return Tenure(row.pk, idle.conversation.pk, worker.pk, 4)


def left(idle: InRoom, dead: Tenure, **columns: Any) -> Echo:
    """An echo as the dead worker left it."""
    now = timezone.now()
    values: dict[str, Any] = {
        "inference_id": "left", "modality": "text", "text": "Was it said?", "state": EchoState.SENDING, "position": 1,
        "actor": "ana", "queued_at": now, "sending_at": now, "closed_at": now, "epoch": dead.epoch, "chunks": 1,
    }  # fmt: skip
    values |= columns
    return Echo.objects.create(conversation=idle.conversation, wire_id=values["inference_id"], **values)


def logged(idle: InRoom, message: dict[str, Any], echo: Echo | None = None, **more: Any) -> int:
    """An outbound entry as the dead worker wrote it; its number."""
    draft = Draft(
        stream=idle.conversation.public_id, kind="app_message", event_type=message["event_type"], direction="out",
        family="echo", echo_id=echo.pk if echo else None, conversation_ref=idle.conversation.public_id, epoch=4,
        message=message, **more,
    )  # fmt: skip
    return append([draft])[0].n


def test_what_a_dead_worker_was_sending_is_unconfirmed_and_not_said_again(
    idle: InRoom, dead: Tenure, workers: Any
) -> None:
    echo = left(idle, dead)
    n = logged(idle, interactions.text_echo(idle.upstream_id, echo.text, echo.wire_id), echo)
    waiting = idle.say("The next.")
    workers.start()
    idle.until_state(waiting, "spoken")
    echo.refresh_from_db()
    assert (echo.state, echo.reason) == ("unconfirmed", "worker_lost")
    assert idle.words_sent() == ["The next."]
    [doubt] = idle.facts("uncertain")
    assert (doubt["ranges"], doubt["inference_id"], doubt["reason"]) == ([[n, n]], "left", "worker_lost")
    [uncertain] = idle.entries(event_type="uncertain")
    assert uncertain.epoch == 5
    idle.agree()


def test_the_room_of_a_dead_worker_is_joined_without_waiting_for_its_lease(
    idle: InRoom, dead: Tenure, workers: Any
) -> None:
    worker = workers.start()
    row = idle.until_room(state="joined", epoch=5)
    assert (row.worker_id, row.epoch) == (worker.row.pk, 5)


def test_the_time_without_a_worker_is_named_by_a_gap(idle: InRoom, dead: Tenure, workers: Any) -> None:
    since = timezone.now() - timedelta(seconds=30)
    Room.objects.update(last_seen_at=since)
    workers.start()
    [gap] = idle.until_facts("gap")
    assert gap["reason"] == "worker_lost"
    assert gap["from"] == since.isoformat()
    gap_entry, joined = idle.entries(event_type="gap")[0], idle.entries(event_type="joined")[0]
    assert gap_entry.n < joined.n


def test_a_replica_that_waits_for_a_dead_workers_audio_is_freed_first(
    room: InRoom, workers: Any, worker: RunningWorker
) -> None:
    workers.stop(worker)
    tenure = Tenure(room.row.pk, room.conversation.pk, worker.row.pk, room.row.epoch)
    Room.objects.update(state="joined", last_seen_at=timezone.now())
    pcm = tone(0.2)
    clip = clips.new_clip(RATE)
    clips.append_samples(clip.pk, pcm)
    echo = left(
        room, tenure, modality="audio", text="", clip_id=clip.pk, sample_rate=RATE, state=EchoState.SPEAKING,
        chunks=4, chunks_sent=1, speaking_at=timezone.now(),
    )  # fmt: skip
    messages = [
        interactions.audio_echo_chunk(room.upstream_id, pcm[at : at + 2400], RATE, echo.wire_id, False)
        for at in range(0, 9600, 2400)
    ]
    ns = [logged(room, one, echo, clip=(clip.pk, at * 2400, 2400)) for at, one in enumerate(messages)]
    waiting = room.say("Free again.")
    workers.start()
    room.until_state(waiting, "spoken")
    echo.refresh_from_db()
    assert (echo.state, echo.reason) == ("unconfirmed", "worker_lost")
    assert {"ranges": [[ns[1], ns[3]]], "count": 3, "inference_id": "left", "reason": "worker_lost"} in room.facts(
        "uncertain"
    )
    assert [message["event_type"] for message in room.sent()] == ["conversation.interrupt", "conversation.echo"]
    [interrupt] = Interaction.objects.all()
    assert (interrupt.actor, interrupt.state) == ("system", "sent")
    assert "died" in interrupt.detail


def test_an_echo_that_was_sent_and_is_still_being_said_is_followed_to_its_end(
    room: InRoom, workers: Any, worker: RunningWorker
) -> None:
    echo = room.until_state(room.say(LONG), "speaking")
    until(lambda: Echo.objects.get().sent_at, "it is sent")
    workers.stop(worker)
    echo.refresh_from_db()
    assert echo.state == "speaking", "nobody was told anything else"
    waiting = room.say("The next.")
    second = workers.start()
    room.until_state(echo, "spoken")
    assert echo.epoch == 2
    room.until_state(waiting, "spoken")
    assert room.words_sent() == [LONG, "The next."]
    assert room.row.worker == second.row
    room.agree()


def test_an_echo_whose_end_fell_into_the_time_without_a_worker_is_unconfirmed(
    idle: InRoom, dead: Tenure, workers: Any, settings: Any
) -> None:
    settings.ECHO_STOP_EXTRA = 0.1
    sent = timezone.now() - timedelta(seconds=60)
    echo = left(idle, dead, state=EchoState.SENT, sending_at=sent, sent_at=sent, chunks_sent=1, seconds=1.0)
    waiting = idle.say("The next.")
    workers.start()
    idle.until_state(waiting, "spoken")
    echo.refresh_from_db()
    assert (echo.state, echo.reason) == ("unconfirmed", "stop_not_seen")


def test_an_interaction_that_a_dead_worker_was_sending_is_unconfirmed(idle: InRoom, dead: Tenure, workers: Any) -> None:
    message = interactions.interrupt(idle.upstream_id)
    left_behind = Interaction.objects.create(
        conversation=idle.conversation, event_type=message["event_type"], message=message, actor="ana",
        state="sending", epoch=4, queued_at=timezone.now(),
    )  # fmt: skip
    n = logged(idle, message)
    workers.start()
    idle.until_room(state="joined", epoch=5)
    left_behind.refresh_from_db()
    assert (left_behind.state, left_behind.reason) == ("unconfirmed", "worker_lost")
    assert [doubt["ranges"] for doubt in idle.facts("uncertain")] == [[[n, n]]]
    assert idle.sent() == []


def test_what_was_sent_in_the_last_second_of_a_dead_worker_is_uncertain_too(
    idle: InRoom, dead: Tenure, workers: Any
) -> None:
    """The SDK said that it had taken the message; whether it sent it before the process died, nobody knows."""
    now = timezone.now()
    old, new = (
        left(idle, dead, inference_id="old", state="spoken"),
        left(idle, dead, inference_id="new", state="sent", sent_at=now, chunks_sent=1, position=2),
    )
    echoes = {echo: interactions.text_echo(idle.upstream_id, echo.text, echo.wire_id) for echo in (old, new)}
    logged(idle, echoes[old], old, at=now - timedelta(seconds=9))
    heard = Draft(
        stream=idle.conversation.public_id, kind="app_message", event_type="system.replica_present", direction="in",
        at=now - timedelta(seconds=2), message={"event_type": "system.replica_present"},
    )  # fmt: skip
    append([heard])
    n = logged(idle, echoes[new], new, at=now)
    workers.start()
    idle.until_room(state="joined", epoch=5)
    assert [doubt["ranges"] for doubt in idle.facts("uncertain")] == [[[n, n]]]


# --- a worker that only seemed to be dead ---


def test_a_worker_whose_room_was_taken_says_nothing_more_and_leaves_it(
    room: InRoom, workers: Any, worker: RunningWorker
) -> None:
    echo = room.until_state(room.play(tone(30.0), pacing="realtime"), "speaking")
    until(lambda: len(room.sent()) > 6, "it is in the middle")
    # As if it had been frozen for longer than its lease, on another host.
    Worker.objects.filter(pk=worker.row.pk).update(lease_until=timezone.now() - timedelta(seconds=1), host="elsewhere")
    second = workers.start()
    room.until_room(state="joined", worker=second.row)
    until(lambda: not worker.keeper.rooms, "the first one has let go")
    room.until_state(room.say("Mine now."), "spoken")
    echo.refresh_from_db()
    assert (echo.state, echo.reason) == ("unconfirmed", "worker_lost")
    assert "swallowed" not in room.flags()
    names = {row["from_name"] for row in room.record() if row["from_name"].startswith("echoadmin/")}
    assert names == {f"echoadmin/{worker.row.name}", f"echoadmin/{second.row.name}"}
    until(lambda: len(room.twin.room(room.upstream_id)["participants"]) == 2, "the first one has left the room")
    assert {entry.epoch for entry in room.entries(direction="out")} == {1, 2}
    room.agree()


def test_no_write_of_an_older_epoch_changes_anything(idle: InRoom, dead: Tenure) -> None:
    echo = left(idle, dead)
    queued = left(idle, dead, inference_id="queued", state=EchoState.QUEUED, position=2)
    interaction = Interaction.objects.create(
        conversation=idle.conversation, event_type="x", message={}, actor="ana", queued_at=timezone.now()
    )
    Room.objects.update(epoch=F("epoch") + 1)
    now = timezone.now()
    before = list(Echo.objects.order_by("pk").values())
    refused = [
        outbox.held(dead),
        outbox.claim_echo(dead, queued.pk, revision=0, chunks=1),
        outbox.claim_more(dead, echo.pk, chunks=1, sent=1),
        outbox.claim_interaction(dead, interaction.pk),
        outbox.mark_sent(dead, echo.pk, at=now, sent=1, seconds=1.0),
        outbox.note_sent(dead, echo.pk, 7),
        outbox.mark_speaking(dead, echo.pk, at=now, heard_id="x"),
        outbox.mark_spoken(dead, echo.pk, at=now),
        outbox.mark_ended(dead, echo.pk, state="failed", reason="x", at=now),
        outbox.fail_queued(dead, queued.pk, reason="x", detail="x"),
        outbox.settle_interaction(dead, interaction.pk, state="sent"),
        outbox.give_up_leftovers(dead),
    ]
    assert refused == [False] * len(refused)
    assert list(Echo.objects.order_by("pk").values()) == before
    assert Interaction.objects.get().state == "queued"


def test_an_echo_can_be_claimed_once(idle: InRoom, dead: Tenure) -> None:
    queued = left(idle, dead, state=EchoState.QUEUED)
    assert outbox.claim_echo(dead, queued.pk, revision=0, chunks=1)
    assert not outbox.claim_echo(dead, queued.pk, revision=0, chunks=1)


def test_each_time_of_an_echo_is_filled_on_its_own_in_whatever_order_they_come(idle: InRoom, dead: Tenure) -> None:
    echo = left(idle, dead)
    at = [timezone.now() + timedelta(seconds=second) for second in range(3)]
    assert outbox.mark_speaking(dead, echo.pk, at=at[0], heard_id="h")
    assert outbox.mark_spoken(dead, echo.pk, at=at[1])
    assert outbox.mark_sent(dead, echo.pk, at=at[2], sent=1, seconds=1.0)
    echo.refresh_from_db()
    assert (echo.state, echo.speaking_at, echo.spoken_at, echo.sent_at) == ("spoken", at[0], at[1], at[2])
    assert echo.chunks_sent == 1


def test_a_final_state_is_final(idle: InRoom, dead: Tenure) -> None:
    echo = left(idle, dead)
    now = timezone.now()
    outbox.mark_ended(dead, echo.pk, state="failed", reason="send_failed", at=now)
    outbox.mark_speaking(dead, echo.pk, at=now, heard_id="h")
    outbox.mark_spoken(dead, echo.pk, at=now)
    outbox.mark_ended(dead, echo.pk, state="interrupted", reason="interrupted", at=now)
    echo.refresh_from_db()
    assert (echo.state, echo.reason, echo.spoken_at) == ("failed", "send_failed", None)
