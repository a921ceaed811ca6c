"""When each chunk leaves."""

from __future__ import annotations

import pytest

from conversations.rooms.pace import AHEAD, BURST_CHUNKS, Pace

CHUNK = 0.05


def pace(pacing: str, *, lead: float = 0.2, started: float = 100.0) -> Pace:
    """50 ms chunks, started at second 100."""
    return Pace(pacing, CHUNK, lead, started)


def test_realtime_lets_each_chunk_leave_when_the_one_before_has_been_heard() -> None:
    assert [pace("realtime").departure(index) for index in (0, 1, 20)] == pytest.approx([100.0, 100.05, 101.0])


def test_lead_runs_ahead_of_real_time_by_so_much_and_never_leaves_before_the_start() -> None:
    assert [pace("lead").departure(index) for index in (0, 4, 5, 24)] == pytest.approx([100.0, 100.0, 100.05, 101.0])


def test_burst_lets_everything_leave_at_once() -> None:
    assert pace("burst").departure(5_000) == 100.0


def test_a_batch_is_what_leaves_within_a_quarter_of_a_second() -> None:
    plan = pace("realtime")
    first = plan.batch(0, 100.0)
    assert first == 6
    assert plan.departure(first - 1) <= 100.0 + AHEAD < plan.departure(first)
    assert plan.batch(first, 100.0) == 0
    assert plan.batch(first, 100.05) == 1


def test_nothing_is_written_earlier_than_that_in_a_lead_either() -> None:
    plan = pace("lead")
    for now in (100.0, 100.1, 107.3):
        index = 0
        while count := plan.batch(index, now):
            index += count
        assert plan.departure(index - 1) <= now + AHEAD < plan.departure(index)


def test_a_burst_writes_many_chunks_at_once() -> None:
    assert pace("burst").batch(700, 100.0) == BURST_CHUNKS


@pytest.mark.parametrize(("chunk_seconds", "most"), [(0.05, 20), (0.1, 10), (2.0, 1)])
def test_at_most_one_second_of_audio_waits_for_completions(chunk_seconds: float, most: int) -> None:
    assert Pace("burst", chunk_seconds, 0.2, 0.0).most_unacknowledged == most


def test_samples_that_come_late_move_the_plan_instead_of_being_hurried_after() -> None:
    plan = pace("realtime")
    plan.starved(10, 103.0)
    assert plan.departure(10) == pytest.approx(103.0)
    assert plan.departure(11) == pytest.approx(103.05)


def test_samples_that_come_in_time_move_nothing() -> None:
    plan = pace("realtime")
    plan.starved(10, 100.2)
    assert plan.departure(10) == pytest.approx(100.5)
