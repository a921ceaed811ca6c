"""What goes wrong in a room: connections that break, a replica that is not there, answers that never come."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conversations import interactions
from conversations.models import Conversation, Echo
from conversations.rooms import claims, timing
from conversations.rooms.daily import Link
from conversations.rooms.events import Network
from conversations.rooms.worker import RunningWorker
from conversations.services import speaking
from tests.integration.rooms.driving import InRoom, open_conversation, tone
from tests.sdk_client import sdk_client
from tests.twin_process import start_twin
from tests.waiting import until

LONG = "A sentence that takes quite a while to be said. " * 40
LONGISH = LONG[: len(LONG) // 3]

# --- connections ---


def test_a_dropped_socket_heals_by_itself_and_the_log_says_what_may_be_missing(room: InRoom) -> None:
    session = room.row.session_id
    room.twin.fault("drop_socket", conversation_id=room.upstream_id)
    [gap] = room.until_facts("gap")
    assert gap["reason"] == "interrupted"
    assert gap["from"] < gap["to"]
    room.until_state(room.say("Still here."), "spoken")
    assert room.row.session_id == session
    assert not room.facts("lost")
    room.agree()


def test_a_socket_that_drops_while_the_replica_speaks_costs_no_echo(room: InRoom) -> None:
    echo = room.until_state(room.say(LONGISH), "speaking")
    room.twin.fault("drop_socket", conversation_id=room.upstream_id)
    room.until_state(echo, "spoken")
    room.agree()


def test_a_close_frame_is_noticed_by_what_the_room_does_and_it_is_joined_anew(room: InRoom, settings: Any) -> None:
    settings.ECHO_START_DEADLINE = 0.5  # the SDK takes the first message after a close frame, and it never leaves
    session = room.row.session_id
    room.twin.fault("close_frame", conversation_id=room.upstream_id)
    until(lambda: not room.connected(), "the socket is closed")
    first, second = room.say("Into the void."), room.say("Heard again.")
    until(lambda: Echo.objects.get(pk=first.pk).is_final, "the first is settled")
    first.refresh_from_db()
    assert (first.state, first.reason) in {("unconfirmed", "start_not_seen"), ("failed", "send_failed")}
    settings.ECHO_START_DEADLINE = 10.0
    room.until_state(second, "spoken")
    assert room.facts("uncertain") or room.facts("not_sent")
    assert room.words_sent() == ["Heard again."]
    assert room.row.session_id != session
    assert [facts["reason"] for facts in room.facts("gap")] == ["room_lost"]
    assert len(room.facts("lost")) == 1
    room.agree()


def test_what_others_said_after_an_unnoticed_close_is_covered_by_the_gap(
    room: InRoom, guest: Any, settings: Any
) -> None:
    room.twin.fault("close_frame", conversation_id=room.upstream_id, participant=room.our_name())
    until(lambda: not room.connected(), "the socket is closed")
    guest.send({"said": "to nobody of the console's"})
    until(lambda: any(row["from_name"] == "guest" for row in room.record()), "the room carried it")
    settings.ECHO_START_DEADLINE = 0.3
    question = room.say("Is anybody there?")
    until(lambda: Echo.objects.get(pk=question.pk).is_final, "nobody heard it")
    settings.ECHO_START_DEADLINE = 10.0
    room.until_state(room.say("Now there is."), "spoken")
    [carried] = [row for row in room.record() if row["from_name"] == "guest"]
    assert carried["message"] not in [entry["message"] for entry in room.shown()]
    room.agree()


def test_a_connection_that_breaks_in_mid_audio_leaves_no_replica_waiting_for_the_rest(room: InRoom) -> None:
    echo = room.until_state(room.play(tone(30.0), pacing="realtime"), "speaking")
    room.twin.fault("close_frame", conversation_id=room.upstream_id)
    next_one = room.say("The next.")
    until(lambda: Echo.objects.get(pk=echo.pk).is_final, "the broken one is settled")
    echo.refresh_from_db()
    assert (echo.state, echo.reason) == ("failed", "send_failed")
    room.until_state(next_one, "spoken")
    assert "swallowed" not in room.flags()
    [interrupt] = room.entries(direction="out", event_type="conversation.interrupt")
    assert interrupt.actor == "system"
    room.agree()


def test_an_interruption_that_does_not_end_loses_the_room(
    room: InRoom, worker: RunningWorker, loop_thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = room.row.session_id
    monkeypatch.setattr(timing, "INTERRUPTED_FOR", 0.1)
    live = worker.keeper.rooms[room.conversation.pk]
    loop_thread.call(live._on_event, Network(datetime.now(UTC), "interrupted"))
    [lost] = room.until_facts("lost")
    assert "interrupted" in lost["reason"]
    until(lambda: room.row.state == "joined" and room.row.session_id != session, "it is joined anew")
    room.until_state(room.say("Back again."), "spoken")
    room.agree()


def test_a_replica_that_used_to_beat_and_falls_silent_shows_that_the_room_is_dead(
    room: InRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(lambda: room.entries(event_type="system.pal_present"), "it beats")
    monkeypatch.setattr(timing, "SILENT_FOR", 0.1)
    [lost, *_] = room.until_facts("lost")
    assert "silent" in lost["reason"]
    monkeypatch.setattr(timing, "SILENT_FOR", 30.0)
    room.until_state(room.say("Back again."), "spoken")
    room.agree()


def test_a_room_that_the_vendor_closes_is_asked_about_upstream(room: InRoom) -> None:
    room.end_upstream()
    until(lambda: Conversation.objects.get().sync_wanted_at, "a look upstream is asked for")
    Conversation.objects.update(status="ended")
    room.until_room(state="idle", wanted="idle", worker=None)


# --- joins ---


def test_a_refused_join_is_told_in_the_vendors_words_and_tried_again(idle: InRoom, worker: RunningWorker) -> None:
    idle.twin.fault("refuse_join", conversation_id=idle.upstream_id, status=403)
    idle.want()
    refused = idle.until_room(state="failed")
    assert "refused" in refused.error and "403" in refused.error
    assert refused.wanted == "joined"
    joined = idle.until_room(state="joined")
    assert (joined.error, joined.tries) == ("", 0)
    [entry] = idle.entries(kind="room", event_type="join_failed")
    assert entry.is_error
    idle.until_state(idle.say("In at last."), "spoken")
    idle.agree()


def test_a_room_that_can_not_be_joined_can_be_given_up(idle: InRoom, worker: RunningWorker) -> None:
    idle.twin.fault("refuse_join", conversation_id=idle.upstream_id, count=None)
    idle.want()
    idle.until_room(state="failed")
    idle.leave()
    assert idle.row.worker is None


def test_after_the_last_try_nobody_tries_until_somebody_asks_for_it(
    idle: InRoom, worker: RunningWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "JOIN_TRIES", 3)
    monkeypatch.setattr(timing, "BACK_OFF", (0.05,))
    idle.twin.fault("refuse_join", conversation_id=idle.upstream_id, count=3)
    idle.want()
    waiting = idle.say("When you are in.")
    given_up = idle.until_room(worker=None, tries=3, state="failed", wanted="joined")
    assert "It is the last one: join the room to try again." in given_up.error
    assert [fact["again_in"] for fact in idle.facts("join_failed")] == [0.05, 0.05, None]
    assert claims.claim_free(worker.row, limit=1, holding=()) == []
    idle.want()
    joined = idle.until_room(state="joined")
    assert (joined.error, joined.tries) == ("", 0)
    idle.until_state(waiting, "spoken")
    idle.agree()


# --- the replica ---


def test_with_a_replica_that_stays_away_an_echo_fails_and_nothing_is_sent(
    workers: Any, twin: Any, settings: Any
) -> None:
    settings.ECHO_REPLICA_DEADLINE = 0.3
    twin.fault("replica_absent")
    alone = open_conversation(twin)
    workers.start()
    alone.want()
    alone.until_room(state="joined")
    echo = alone.say("Hello?")
    until(lambda: Echo.objects.get().is_final, "it is settled")
    echo.refresh_from_db()
    assert (echo.state, echo.reason) == ("failed", "replica_absent")
    assert "0.3 s" in echo.detail
    assert alone.sent() == []
    alone.end_upstream()


def test_an_echo_waits_for_a_replica_that_is_late(workers: Any, twin: Any) -> None:
    twin.fault("replica_late", seconds=1.0)
    early = open_conversation(twin)
    workers.start()
    early.want()
    early.until_room(state="joined")
    echo = early.say("There you are.")
    early.until_state(echo, "spoken")
    assert early.words_sent() == ["There you are."]
    [replica] = [one for one in early.twin.room(early.upstream_id)["participants"] if one["is_replica"]]
    assert early.entries(direction="out")[0].at.timestamp() >= replica["joined_at"]
    early.end_upstream()


def test_an_echo_whose_replica_leaves_is_unconfirmed(room: InRoom) -> None:
    echo = room.until_state(room.say(LONG), "speaking")
    room.twin.fault("replica_leaving", conversation_id=room.upstream_id, seconds=0)
    until(lambda: Echo.objects.get().is_final, "it is settled")
    echo.refresh_from_db()
    assert (echo.state, echo.reason) == ("unconfirmed", "replica_left")
    room.until_room(replica_present=False)
    room.agree()


# --- deadlines ---


def test_an_echo_whose_start_is_not_seen_in_time_is_unconfirmed(room: InRoom, settings: Any) -> None:
    settings.ECHO_START_DEADLINE = 0.3
    mute(room)
    echo = room.say("Do you hear me?")
    until(lambda: Echo.objects.get().is_final, "it is settled")
    echo.refresh_from_db()
    assert (echo.state, echo.reason) == ("unconfirmed", "start_not_seen")
    assert echo.sent_at is not None
    assert room.words_sent() == ["Do you hear me?"]


def test_an_echo_whose_end_is_not_seen_in_time_is_unconfirmed(room: InRoom, settings: Any) -> None:
    settings.ECHO_STOP_FACTOR, settings.ECHO_STOP_EXTRA = 0.0, 0.2
    echo = room.say(LONGISH)
    until(lambda: Echo.objects.get().is_final, "it is settled")
    echo.refresh_from_db()
    assert (echo.state, echo.reason) == ("unconfirmed", "stop_not_seen")
    assert echo.speaking_at is not None
    settings.ECHO_STOP_EXTRA = 10.0
    room.until_state(room.say("The next."), "spoken")
    room.agree()


def test_a_start_that_comes_after_its_deadline_is_not_given_to_the_next_echo(
    room: InRoom, guest: Any, settings: Any
) -> None:
    settings.ECHO_START_DEADLINE = 0.3
    guest.echo(room.upstream_id, modality="text", text=LONGISH, inference_id="guest-1")
    until(lambda: room.entries(event_type="conversation.replica.started_speaking"), "the replica is busy")
    late = room.say("Late.")
    until(lambda: Echo.objects.get(pk=late.pk).is_final, "its start was due")
    settings.ECHO_START_DEADLINE = 10.0
    after = room.until_state(room.say("After."), "spoken")
    late.refresh_from_db()
    assert (late.state, late.reason) == ("unconfirmed", "start_not_seen")
    starts = room.entries(event_type="conversation.replica.started_speaking")
    assert [entry.echo_id for entry in starts] == [None, late.pk, after.pk]
    room.agree()


def test_a_send_that_the_sdk_refuses_fails_its_echo_and_not_the_room(
    room: InRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_once(monkeypatch, lambda link, message, done: link._loop.call_soon(done, "TooHeavy"))
    echo = room.say("Refused.")
    until(lambda: Echo.objects.get().is_final, "it is settled")
    echo.refresh_from_db()
    assert (echo.state, echo.reason, echo.detail) == ("failed", "send_failed", "TooHeavy")
    room.until_state(room.say("Taken."), "spoken")
    assert not room.facts("lost")
    assert [facts["count"] for facts in room.facts("not_sent")] == [1]
    room.agree()


def test_an_answer_that_never_comes_in_mid_audio_frees_the_replica(
    room: InRoom, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ECHO_COMPLETION_DEADLINE = 0.3
    echo = room.stream()
    speaking.append_audio(echo=echo, pcm=tone(0.5))
    room.until_state(echo, "speaking")
    send = Link.send
    replace_once(monkeypatch, lambda link, message, done: send(link, message, lambda error: None))
    speaking.append_audio(echo=echo, pcm=tone(0.5), done=True)
    until(lambda: Echo.objects.get().is_final, "it is settled")
    echo.refresh_from_db()
    assert echo.state in ("unconfirmed", "spoken")
    room.until_state(room.say("The next."), "spoken")
    assert "swallowed" not in room.flags()
    room.agree()


def replace_once(monkeypatch: pytest.MonkeyPatch, send: Callable[[Link, Any, Any], Any]) -> None:
    """The next message goes by way of `send`, all others by the SDK."""
    real, used = Link.send, []

    def either(link: Link, message: dict[str, Any], done: Any) -> None:
        if used or message.get("event_type") != "conversation.echo":
            real(link, message, done)
        else:
            used.append(message)
            send(link, message, done)

    monkeypatch.setattr(Link, "send", either)


def mute(room: InRoom) -> None:
    """Keep the room's replica busy with somebody else's unfinished echo: it hears nothing else."""
    with sdk_client(room.twin.daily_url, room.twin.ca_file) as client:
        client.join(room.conversation.conversation_url, name="guest")
        message = interactions.audio_echo_chunk(room.upstream_id, tone(0.05), 24_000, "unfinished", False)
        client.send(message)
        until(lambda: any(row["from_name"] == "guest" for row in room.record()), "the replica waits for more of it")


def test_a_vendor_that_dies_and_comes_back_is_joined_anew(
    workers: Any, twin: Any, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a connection receives again and can't send any more, for good (daily-python 0.36.0, measured)."""
    monkeypatch.setattr(timing, "INTERRUPTED_FOR", 1.0)
    # A process trusts for good what it trusted when it first connected: the same CA, then.
    shutil.copytree(twin.data_dir / "twin", tmp_path / "twin", ignore=shutil.ignore_patterns("lock"))
    mortal = start_twin(tmp_path)
    settings.DAILY_PROXY_URL = mortal.daily_url
    workers.start()
    room = open_conversation(mortal)
    room.join()
    room.until_state(room.say("Before."), "spoken")
    room.record()  # asked for its record, the twin first writes all of it to the disk
    mortal.kill()
    until(lambda: room.row.state == "lost", "the loss is noticed")
    room.twin = start_twin(mortal.data_dir, port=mortal.port, daily_port=mortal.daily_port)
    until(lambda: room.row.state == "joined" and room.row.replica_present, "it is joined anew", 60)
    room.until_state(room.say("After."), "spoken")
    assert room.words_sent() == ["Before.", "After."]
    assert [facts["reason"] for facts in room.facts("gap")] == ["room_lost"]
    room.twin.stop()
