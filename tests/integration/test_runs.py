"""Runs: done once, whoever does them; stopped, resumed, taken up after a death without loss and without repeats."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from echoadmin.actors import Actor
from echoadmin.runs import (
    KINDS,
    Broken,
    Held,
    Run,
    RunThread,
    claim_run,
    forget_files,
    perform,
    resume_run,
    run_kind,
    start_run,
    stop_run,
)
from echoadmin.runs.doing import let_go
from tests.waiting import until

pytestmark = pytest.mark.django_db
ANA = Actor(name="ana", user_id=7, api_key_ref="k1", request_id="r1")
LINES = 10


class Dead(BaseException):
    """What kill -9 is to a process: nothing after it happens."""


@pytest.fixture(autouse=True)
def _kinds() -> Iterator[None]:
    """Each test registers its own."""
    before = dict(KINDS)
    yield
    KINDS.clear()
    KINDS.update(before)


def counting(*, dies_at: int | None = None, stops_at: int | None = None) -> None:
    """A kind that writes the lines 0 to 9, reports every second one, and may die or be stopped in the middle."""

    @run_kind("count")
    def count(held: Held) -> dict[str, Any]:
        for n in range(held.cursor or 0, LINES):
            held.write(f"{n}\n".encode())
            if n == dies_at:
                raise Dead
            if n == stops_at:
                stop_run(held.run)
            if n % 2:
                held.progress(n + 1, total=LINES, cursor=n + 1)
        return {"lines": LINES}


def started(**columns: Any) -> Run:
    return start_run(actor=ANA, kind="count", params={"a": 1}, label="Ten lines", **columns)


def claimed(holder: str = "one") -> Run:
    run = claim_run(holder)
    assert run is not None
    return run


def text(run: Run) -> str:
    run.refresh_from_db()
    whole = b"".join(run.file()).decode()
    assert run.file_bytes == len(whole)
    return whole


WHOLE = "".join(f"{n}\n" for n in range(LINES))


def test_a_run_is_done_and_tells_who_asked() -> None:
    counting()
    run = started()
    assert (run.state, run.actor, run.actor_user_id, run.api_key_ref, run.request_id) == (
        *("waiting", "ana", 7, "k1", "r1"),
    )
    perform(claimed())
    assert text(run) == WHOLE
    assert (run.state, run.result, run.done, run.percent, run.holder) == ("done", {"lines": 10}, 10, 100, "")
    assert run.is_ended and run.ended_at and run.started_at
    assert claim_run("one") is None


def test_a_kind_that_nobody_knows_is_refused_and_never_claimed() -> None:
    with pytest.raises(KeyError):
        started()
    counting()
    started()
    KINDS.clear()
    assert claim_run("one") is None


def test_only_one_gets_a_run() -> None:
    counting()
    started()
    assert claim_run("one") is not None
    assert claim_run("two") is None


def test_after_a_death_it_goes_on_where_it_was_and_the_file_has_no_line_twice_and_none_missing() -> None:
    counting(dies_at=6)
    run = started()
    with pytest.raises(Dead):
        perform(claimed())
    assert claim_run("two") is None  # its lease still lasts
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    counting()
    perform(claimed("two"))
    assert text(run) == WHOLE
    assert run.state == "done"


def test_a_worker_that_starts_again_under_its_name_has_its_runs_at_once() -> None:
    counting(dies_at=3)
    run = started()
    with pytest.raises(Dead):
        perform(claimed("worker-1"))
    assert let_go("worker-2") == 0
    assert let_go("worker-1") == 1
    assert claimed("worker-1").pk == run.pk


def test_who_was_taken_over_writes_nothing_more() -> None:
    counting()
    run = started()
    old = claimed("one")
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    new = claimed("two")
    perform(old)
    run.refresh_from_db()
    assert (run.state, run.holder, run.file_bytes) == ("running", "two", 0)
    perform(new)
    assert text(run) == WHOLE


def test_one_that_waits_stops_at_once_and_one_that_runs_at_its_next_report() -> None:
    counting(stops_at=4)
    waiting = started()
    assert stop_run(waiting) is True
    waiting.refresh_from_db()
    assert waiting.state == "stopped"
    run = started()
    perform(claimed())
    run.refresh_from_db()
    assert (run.state, run.done) == ("stopped", 4)
    assert text(run) == "0\n1\n2\n3\n"
    assert stop_run(run) is False


def test_a_stopped_run_goes_on_when_asked() -> None:
    counting(stops_at=4)
    run = started()
    perform(claimed())
    counting()
    assert resume_run(Run.objects.get(pk=run.pk)) is True
    perform(claimed())
    assert text(run) == WHOLE
    assert (run.state, run.result) == ("done", {"lines": 10})
    assert resume_run(run) is False


def test_one_that_was_to_stop_when_its_holder_died_is_stopped() -> None:
    counting()
    run = started()
    claimed()
    assert stop_run(run) is True
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert claim_run("two") is None
    run.refresh_from_db()
    assert run.state == "stopped"


def test_an_error_is_kept_and_a_reason_in_words_comes_with_how_far_it_was() -> None:
    @run_kind("count")
    def bad(held: Held) -> None:
        raise ZeroDivisionError("no")

    run = started()
    perform(claimed())
    run.refresh_from_db()
    assert (run.state, run.error) == ("failed", "ZeroDivisionError: no")

    @run_kind("count")
    def broken(held: Held) -> None:
        raise Broken("The room is gone.", {"said": 3})

    run = started()
    perform(claimed())
    run.refresh_from_db()
    assert (run.state, run.error, run.result) == ("failed", "The room is gone.", {"said": 3})


def test_a_process_that_ends_gives_its_runs_back_and_another_goes_on_at_once() -> None:
    closing = threading.Event()

    @run_kind("count")
    def count(held: Held) -> None:
        held.write(b"0\n")
        held.progress(1, cursor=1)
        held.write(b"lost\n")
        closing.set()
        held.wait(60)

    run = started()
    perform(claimed(), closing)
    run.refresh_from_db()
    assert (run.state, run.holder, run.cursor) == ("waiting", "", 1)
    assert text(run) == "0\n"
    counting()
    perform(claimed("two"))
    assert text(run) == WHOLE


def test_a_file_is_cut_into_parts_and_read_from_any_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytes(range(256)) * 5000

    @run_kind("count")
    def big(held: Held) -> None:
        held.begin_file("old.bin", "application/octet-stream")
        held.write(b"of an attempt before")
        held.progress(1)
        held.begin_file("new.bin", "application/octet-stream")
        held.write(data)

    run = started()
    perform(claimed())
    run.refresh_from_db()
    assert (run.file_name, run.file_bytes, run.parts.count()) == ("new.bin", len(data), 5)
    assert b"".join(run.file()) == data
    assert b"".join(run.file(300_000)) == data[300_000:]
    assert forget_files(timedelta(days=1)) == 0
    Run.objects.update(ended_at=timezone.now() - timedelta(days=2))
    assert forget_files(timedelta(days=1)) == 1
    run.refresh_from_db()
    assert (run.file_bytes, run.parts.count(), run.state) == (0, 0, "done")


@pytest.mark.django_db(transaction=True)
def test_the_thread_does_what_waits_and_a_stop_reaches_one_that_sleeps() -> None:
    counting()
    sleeping = threading.Event()

    @run_kind("sleep")
    def sleep(held: Held) -> None:
        sleeping.set()
        held.wait(600)

    thread = RunThread("worker")
    thread.start()
    try:
        run = started()
        until(lambda: Run.objects.get(pk=run.pk).state == "done", "the run is done")
        assert text(run) == WHOLE
        long = start_run(actor=ANA, kind="sleep", params={})
        assert sleeping.wait(10)
        assert stop_run(long) is True
        until(lambda: Run.objects.get(pk=long.pk).state == "stopped", "the run has stopped")
        sleeping.clear()
        other = start_run(actor=ANA, kind="sleep", params={})
        assert sleeping.wait(10)
        thread.stopping.set()
        until(lambda: Run.objects.get(pk=other.pk).state == "waiting", "the run is given back")
    finally:
        thread.stopping.set()
        thread.join(10)
