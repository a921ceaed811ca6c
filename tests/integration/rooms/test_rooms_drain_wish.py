"""A worker is drained, and takes rooms again, by a wish in the database that its keeper obeys."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conversations.models import Worker
from conversations.rooms.worker import RunningWorker
from conversations.services import workers as services
from tests.console_process import ConsoleProcess, running_console
from tests.integration.rooms.driving import ANA, InRoom, tone
from tests.waiting import until


def row_of(worker: RunningWorker) -> Worker:
    return Worker.objects.get(pk=worker.row.pk)


def drain(worker: RunningWorker) -> None:
    services.drain(actor=ANA, worker=row_of(worker))


def take_again(worker: RunningWorker) -> None:
    services.take_again(actor=ANA, worker=row_of(worker))


def test_the_rooms_go_to_another_worker_after_the_echo_in_hand_and_the_drained_one_goes_on_without(
    room: InRoom, worker: RunningWorker, workers: Any
) -> None:
    said = room.play(tone(2), pacing="realtime")
    queued = room.say("Said by the next one.")
    room.until_state(said, "speaking", "spoken")
    other = workers.start()
    drain(worker)
    room.until_state(said, "spoken")
    room.until_state(queued, "spoken")
    assert room.row.worker_id == other.row.pk
    until(worker.keeper.drained.is_set, "the first one has no room left")
    assert (row_of(worker).draining, row_of(worker).life, worker.alive) == (True, "draining", True)
    assert [fact["reason"] for fact in room.facts("left")] == ["handed_over"]
    room.agree()


def test_a_worker_that_is_alone_leaves_its_rooms_and_takes_them_again_when_it_may(
    room: InRoom, worker: RunningWorker
) -> None:
    drain(worker)
    room.until_room(state="idle", worker=None)
    assert room.row.wanted == "joined"
    take_again(worker)
    room.until_room(state="joined", worker=worker.row)
    room.until_state(room.say("Here again."), "spoken")
    assert (row_of(worker).draining, row_of(worker).life) == (False, "alive")


def test_a_wish_that_is_withdrawn_before_the_echo_in_hand_has_ended_changes_nothing(
    room: InRoom, worker: RunningWorker
) -> None:
    said = room.until_state(room.play(tone(3), pacing="realtime"), "speaking")
    queued, epoch = room.say("Still by the same."), room.row.epoch
    drain(worker)
    until(lambda: row_of(worker).draining, "it drains")
    take_again(worker)
    until(lambda: not row_of(worker).draining, "it takes rooms again")
    room.until_state(said, "spoken")
    room.until_state(queued, "spoken")
    room.until_state(room.say("And what was asked for later."), "spoken")
    assert (room.row.worker_id, room.row.epoch) == (worker.row.pk, epoch)
    assert not room.facts("left")


def test_a_draining_worker_is_nobodys_successor(room: InRoom, worker: RunningWorker, workers: Any) -> None:
    other = workers.start()
    drain(other)
    until(lambda: row_of(other).draining, "it drains")
    drain(worker)
    room.until_room(state="idle", worker=None)
    assert [fact["reason"] for fact in room.facts("left")] == ["stopped"]


def test_a_process_that_starts_under_the_name_of_a_drained_one_takes_rooms(workers: Any, idle: InRoom) -> None:
    first = workers.start()
    drain(first)
    until(first.keeper.drained.is_set, "it is drained")
    workers.stop(first)
    again = workers.start(first.row.name)
    idle.want()
    assert idle.until_room(state="joined").worker_id == again.row.pk


@pytest.fixture
def console(tmp_path: Path) -> Iterator[ConsoleProcess]:
    """A console that holds no rooms itself."""
    with running_console(tmp_path / "console", TWIN_SPEED="50", ECHOADMIN_ROOMS="worker") as started:
        yield started


@pytest.mark.own_database
def test_a_runrooms_process_ends_well_when_it_is_drained(console: ConsoleProcess) -> None:
    import httpx

    headers = {"Authorization": f"Bearer {console.api_key()}"}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "runrooms", "--name", "apart"],
        env=console.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        with httpx.Client(base_url=f"{console.url}/api/v1", headers=headers, trust_env=False, timeout=20) as api:
            until(lambda: api.get("/workers/apart/").status_code == 200, "it is there")
            told = api.post("/workers/apart/drain/").json()
            assert (told["drain_wanted"], told["holds"]) == (True, [])
            said, _ = process.communicate(timeout=30)
            assert process.returncode == 0, said
            assert "has left its rooms" in said
            assert api.get("/workers/apart/").json()["state"] == "stopped"
            again = api.post("/workers/apart/drain/")
            assert (again.status_code, again.json()["error"]["code"]) == (409, "not_now")
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait(10)


@pytest.mark.own_database
def test_a_console_without_rooms_does_the_duties(console: ConsoleProcess) -> None:
    told = "from echoadmin.duties import Duty; print(Duty.objects.filter(runs__gt=0, holder='').count())"
    until(lambda: console.manage("shell", "-v", "0", "-c", told).split()[-1:] > ["0"], "duties were done", 60)
