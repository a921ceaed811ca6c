"""What entries tell of gaps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.gaps.finding import FARTHEST, Closed, Filled, Finder, Found, Seen

BEGAN = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)


class Story:
    """Entries of one conversation, one a second."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        self.finder = Finder(BEGAN, state if state is not None else {})
        self.n = 0

    def tell(self, kind: str, event_type: str = "x", **columns: Any) -> Story:
        self.n += 1
        at = columns.pop("at", BEGAN + timedelta(seconds=self.n))
        usual = {"direction": None, "seq": None, "sender": None, "late": False, "facts": {}}
        self.finder.take(Seen(self.n, at, kind, event_type, **{**usual, **columns}))
        return self

    def room(self, event_type: str, **facts: Any) -> Story:
        return self.tell("room", event_type, facts=facts)

    def heard(self, *seqs: int, sender: str = "r") -> Story:
        for seq in seqs:
            self.tell("app_message", direction="in", seq=seq, sender=sender)
        return self

    def found(self, kind: str) -> list[dict[str, Any]]:
        found = [step.columns for step in self.finder.steps if isinstance(step, Found)]
        return [columns for columns in found if columns["kind"] == kind]


def test_a_jump_in_the_numbers_is_what_never_came() -> None:
    [gap] = Story().room("joined").heard(1, 2, 5).found("missing_seq")
    assert (gap["first_seq"], gap["last_seq"], gap["count"], gap["n"], gap["first_n"]) == (3, 4, 2, 4, 3)
    assert (gap["reason"], gap["expected"]) == ("lost", False)
    assert (gap["from_at"], gap["to_at"]) == (BEGAN + timedelta(seconds=3), BEGAN + timedelta(seconds=4))


def test_what_was_counted_before_the_console_came_is_expected() -> None:
    [gap] = Story().room("joined").heard(598, 599).found("missing_seq")
    assert (gap["first_seq"], gap["last_seq"], gap["reason"], gap["expected"]) == (1, 597, "before_join", True)


def test_what_was_dropped_or_lay_in_a_spool_is_told_with_its_count_and_its_time() -> None:
    since, until = BEGAN + timedelta(seconds=3), BEGAN + timedelta(seconds=9)
    told = {"count": 7, "from": since.isoformat(), "to": until.isoformat()}
    story = Story().room("joined").room("spooled", **told).room("dropped", **told, reason="spool_full")
    [spooled], [dropped] = story.found("spooled"), story.found("dropped")
    assert [(one["count"], one["from_at"], one["to_at"]) for one in (spooled, dropped)] == [(7, since, until)] * 2
    assert (spooled["reason"], dropped["reason"]) == ("database_away", "spool_full")
    [old] = Story().room("joined").room("dropped", count=2, reason="inbox_full").found("dropped")
    assert old["from_at"] == old["to_at"] == BEGAN + timedelta(seconds=2)


def test_a_number_that_comes_late_fills_its_place_and_one_that_comes_twice_asks_for_nothing_new() -> None:
    story = Story().room("joined").heard(1, 2, 5, 4, 4)
    assert len(story.found("missing_seq")) == 1
    assert [step for step in story.finder.steps if isinstance(step, Filled)] == [Filled("r", 4), Filled("r", 4)]


def test_each_sender_counts_for_itself_and_nobody_else_makes_gaps_of_the_replicas() -> None:
    story = Story().room("joined").heard(1).heard(10**15, sender="stranger").heard(2).heard(5, sender="other")
    assert story.found("missing_seq") == []
    assert Story().room("joined").heard(1, FARTHEST + 2).found("missing_seq") == []


def test_a_sender_that_counts_anew_is_followed() -> None:
    story = Story().room("joined").heard(1, 2, 3, 0, 1, 4)
    assert [gap["first_seq"] for gap in story.found("missing_seq")] == [2]


def test_why_numbers_are_missing_is_what_happened_between() -> None:
    story = Story().room("joined").heard(1).room("lost", reason="x").room("joined").heard(4)
    assert story.found("missing_seq")[0]["reason"] == "not_in_room"
    story.room("dropped", count=3, reason="inbox_full").heard(8, 10)
    assert [gap["reason"] for gap in story.found("missing_seq")] == ["not_in_room", "dropped", "lost"]
    assert story.found("dropped")[0]["count"] == 3


def test_time_out_of_the_room_has_its_reason() -> None:
    story = Story().room("joined").room("left", reason="left").room("joined").room("lost", reason="x")
    story.room("joined").room("left", reason="stopped").room("joined").room("left", reason="ended")
    told = [(gap["reason"], gap["expected"]) for gap in story.found("not_in_room")]
    assert told == [("not_joined", True), ("left", True), ("room_lost", False), ("worker_stopped", False)]
    closed = [step.columns for step in story.finder.steps if isinstance(step, Closed)]
    assert [columns["last_n"] for columns in closed] == [1, 3, 5, 7]
    assert story.finder.state["out"] is False


def test_what_the_next_worker_says_of_the_silence_counts_more() -> None:
    since = (BEGAN - timedelta(seconds=20)).isoformat()
    story = Story().room("joined").room("gap", **{"from": since, "to": since, "reason": "worker_lost"}).room("joined")
    gap = story.found("not_in_room")[1]
    assert (gap["reason"], gap["from_at"], gap["expected"]) == ("worker_lost", BEGAN - timedelta(seconds=20), False)
    lost = Story().room("joined").room("lost").room("gap", **{"from": since, "reason": "room_lost"}).room("joined")
    assert len(lost.found("not_in_room")) == 2
    put_right = [step.columns for step in lost.finder.steps if isinstance(step, Closed)][1]
    assert (put_right["from_at"], put_right["to_at"]) == (BEGAN - timedelta(seconds=20), None)


def test_the_end_of_the_conversation_ends_the_time_out_of_the_room() -> None:
    story = Story().tell("operator", "conversation.ended")
    [closed] = [step for step in story.finder.steps if isinstance(step, Closed)]
    assert closed.columns["last_n"] == 1


def test_a_conversation_that_upstream_never_had_misses_nobody() -> None:
    finder = Finder(None, {})
    assert finder.steps == []


def test_entries_stored_late_are_one_gap_while_they_follow_each_other() -> None:
    story = Story().room("joined")
    for late in (True, True, False, True):
        story.tell("app_message", late=late)
    told = [(gap["first_n"], gap["last_n"], gap["count"]) for gap in story.found("late")]
    assert told == [(2, 3, 2), (5, 5, 1)]


def test_what_was_not_sent_or_is_uncertain_is_told_by_its_entry() -> None:
    story = Story().room("joined").room("not_sent", ranges=[[3, 5], [9, 9]], count=4, reason="interrupted")
    story.room("uncertain", ranges="?", count=-1, reason=None)
    [gap] = story.found("not_sent")
    assert (gap["first_n"], gap["last_n"], gap["count"], gap["reason"]) == (3, 9, 4, "interrupted")
    [gap] = story.found("uncertain")
    assert (gap["first_n"], gap["count"], gap["reason"]) == (None, None, "")


@pytest.mark.parametrize("facts", [{"from": 5}, {"from": "yesterday"}, {}])
def test_facts_that_make_no_sense_are_no_error(facts: dict[str, Any]) -> None:
    Story().room("joined").room("gap", **facts).room("joined")


@given(st.lists(st.integers(0, 60), max_size=60), st.integers(0, 60))
def test_it_does_not_matter_where_the_batches_are_cut(seqs: list[int], cut: int) -> None:
    whole = Story().room("joined").heard(*seqs)
    first = Story().room("joined").heard(*seqs[:cut])
    second = Story(first.finder.state)
    second.n = first.n
    second.heard(*seqs[cut:])
    assert first.finder.steps + second.finder.steps == whole.finder.steps
