"""Rooms while the database is away for some seconds: nothing lost, nothing doubled, what is being said goes on."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from conversations import interactions
from conversations.gaps import gaps_of
from conversations.models import Echo, Room, Worker
from conversations.rooms.gauges import shown
from conversations.rooms.worker import RunningWorker, _spool_folder
from echoadmin.installation import stamp
from echoadmin.log.verify import verify_stream
from echoadmin.log.writer import Draft
from echoadmin.log.writer.records import encode
from tests.integration.rooms.driving import InRoom, tone
from tests.integration.rooms.test_rooms_takeover import dead, left  # noqa: F401 - a fixture
from tests.outage import database_away, own_connection_works
from tests.sdk_client import SdkClient
from tests.twin_process import TwinProcess
from tests.waiting import until

AWAY = 4.0  # s
HICCUP = 1.0  # s; what the first refusal may cost


@pytest.fixture
def long_lease(twin: TwinProcess, settings: LazySettings) -> None:
    """Nothing leaves in a lease's last sixth: here the database is away for longer than the tests' usual ones."""
    settings.WORKER_LEASE = 30.0


def ours(room: InRoom) -> list[float]:
    """When the room carried each of the console's messages."""
    return [row["at"] for row in room.record() if row["from_name"].startswith("echoadmin/")]


def guests(room: InRoom) -> list[Any]:
    return [entry["message"] for entry in room.shown() if entry["sender_name"] == "guest"]


def test_without_its_database_a_room_hears_all_and_an_audio_echo_goes_on(
    long_lease: None, room: InRoom, guest: SdkClient, worker: RunningWorker
) -> None:
    pcm = tone(7.0)
    echo = room.until_state(room.play(pcm, pacing="lead"), "speaking")
    with database_away():
        began, sent, number = time.time(), len(room.sent()), 0
        while time.time() < began + AWAY:
            guest.send({"number": number})
            number += 1
            time.sleep(0.05)
        assert worker.writer.trouble
        assert len(room.sent()) - sent > (AWAY - HICCUP) / 0.05, "it goes on"
        seen = room.entries()[-1].n
    back = time.time()
    room.until_state(echo, "spoken")
    assert room.pcm_sent(echo) == pcm
    assert max(later - earlier for earlier, later in pairwise(at for at in ours(room) if at < back)) < HICCUP
    until(lambda: Echo.objects.get().chunks_sent == 140, "all chunks are counted")
    until(lambda: len(guests(room)) == number, "all of it is in the log")
    assert guests(room) == [{"number": each} for each in range(number)]
    room.agree()
    assert verify_stream(room.conversation.public_id) is None
    assert not room.facts("lost")
    assert not room.facts("uncertain")
    [told] = room.until_facts("spooled")
    spooled = [entry for entry in room.entries(kind="app_message") if entry.n > seen]
    assert told["count"] <= len(spooled)
    assert told["count"] > 0.8 * (number + AWAY / 0.05), "what was heard as what was said"
    [gap] = gaps_of(room.conversation).filter(kind="spooled")
    assert (gap.count, gap.reason) == (told["count"], "database_away")
    room.until_state(room.say("After."), "spoken")


def test_the_probe_and_the_metrics_say_so_meanwhile(
    long_lease: None, room: InRoom, guest: SdkClient, worker: RunningWorker, client: Client
) -> None:
    def gauge(name: str) -> float:
        lines = client.get("/metrics").content.decode().splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(name + "{")), -1.0)

    with ExitStack() as ending:
        ending.enter_context(shown(worker))
        assert gauge("echoadmin_log_spooled") == 0
        with database_away():
            for number in range(10):
                guest.send({"number": number})
            until(lambda: worker.writer.spooled >= 10, "it is on the disk")
            assert gauge("echoadmin_log_spooled") >= 10
            assert gauge("echoadmin_log_spool_bytes") > 1000
            assert "the log can't be written" in client.get("/readyz").json()["parts"]["worker"]
        until(lambda: gauge("echoadmin_log_spooled") == 0, "it is taken in")
        assert gauge("echoadmin_log_spool_bytes") == gauge("echoadmin_log_lost") == 0
    until(own_connection_works, "the test has a connection again")
    room.until_state(room.say("After."), "spoken")


def test_nothing_new_is_claimed_without_the_database_and_it_is_said_afterwards(long_lease: None, room: InRoom) -> None:
    first = room.until_state(room.play(tone(2.0), pacing="lead"), "speaking")
    waiting = room.say("The next.")
    with database_away():
        until(lambda: len(room.sent()) == 40, "all of the first is sent")
        time.sleep(0.5)
        assert len(room.sent()) == 40
    room.until_state(waiting, "spoken")
    first.refresh_from_db()
    assert (first.state, first.chunks_sent) == ("spoken", 40)
    assert room.words_sent() == ["The next."]
    room.agree()


def test_what_was_logged_in_the_spool_and_then_not_sent_is_named_by_its_numbers(
    long_lease: None, room: InRoom, guest: SdkClient
) -> None:
    echo = room.until_state(room.play(tone(20.0), pacing="realtime"), "speaking")
    with database_away():
        sent = len(room.sent())
        until(lambda: len(room.sent()) > sent + 20, "it goes on")
        guest.send(interactions.interrupt(room.upstream_id))
        until(lambda: [row for row in room.record() if row["from_name"] == "guest"], "the guest interrupts")
        time.sleep(0.5)
    room.until_state(echo, "interrupted")
    carried = len(room.pcm_sent(echo)) // 2400
    [not_sent] = room.until_facts("not_sent")
    logged = [entry.n for entry in room.entries(direction="out", family="echo")]
    assert not_sent["ranges"] == [[logged[carried], logged[-1]]]
    assert not_sent["count"] == len(logged) - carried
    room.agree()


def test_what_a_dead_worker_left_in_its_spool_is_in_the_log_before_its_room_is_taken_over(
    idle: InRoom,
    dead: Any,  # noqa: F811
    workers: Any,
    settings: LazySettings,
) -> None:
    public_id = idle.conversation.public_id
    echo = left(idle, dead)
    now = datetime.now(UTC)
    message = interactions.text_echo(idle.upstream_id, echo.text, echo.wire_id)
    drafts = [
        Draft(
            public_id, "app_message", message["event_type"], now - timedelta(seconds=30), "out", "echo",
            echo_id=echo.pk, inference_id=echo.wire_id, conversation_ref=public_id, epoch=dead.epoch, message=message,
        ),
        Draft(public_id, "app_message", "heard", now, "in", conversation_ref=public_id, message={"heard": True}),
    ]  # fmt: skip
    spool = _spool_folder("dead", stamp(settings.MODE)).new()
    spool.add([encode([one]) for one in drafts])
    spool.close()
    workers.start()
    idle.until_room(state="joined", epoch=5)
    first, second, doubt, told, *_ = idle.entries()
    assert (first.direction, first.epoch, first.late, second.event_type) == ("out", 4, True, "heard")
    assert (doubt.event_type, told.event_type) == ("uncertain", "spooled")
    assert [one["ranges"] for one in idle.facts("uncertain")] == [[[1, 1]]], "it is named once"
    echo.refresh_from_db()
    assert (echo.state, echo.reason) == ("unconfirmed", "worker_lost")
    assert not list((settings.DATA / "spool").glob("*.spool"))
    assert Room.objects.get().worker != Worker.objects.get(name="dead")
