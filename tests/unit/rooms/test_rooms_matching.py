"""Which of the replica's interactions belongs to which echo."""

from __future__ import annotations

import pytest

from conversations.interactions import Reading, rewritten_id
from conversations.rooms.matching import REMEMBERED, Matcher
from tests.unit.rooms.replica_events import started, started_too, stopped, stopped_too, streaming, user_started, uttered


def changes(matcher: Matcher, *readings: Reading) -> list[tuple[int, str | None] | None]:
    """What each reading means: (echo, change), or None where it is nobody's."""
    heard = [matcher.hear(reading) for reading in readings]
    return [None if one is None else (one.echo_id, one.change) for one in heard]


def test_an_id_that_was_rewritten_by_md5_belongs_to_the_echo_that_was_sent_under_it() -> None:
    matcher = Matcher()
    matcher.expect(7, "utt-1", words="Hello")
    given = rewritten_id("utt-1")
    assert changes(matcher, started(given), stopped(given)) == [(7, "speaking"), (7, "spoken")]


def test_an_id_that_comes_back_as_sent_belongs_to_its_echo() -> None:
    matcher = Matcher()
    matcher.expect(7, "utt-1", words="Hello")
    assert changes(matcher, started("utt-1"), stopped("utt-1")) == [(7, "speaking"), (7, "spoken")]


def test_the_first_unseen_id_of_a_start_is_the_outstanding_echos() -> None:
    matcher = Matcher()
    matcher.expect(7, "utt-1", words="Hello")
    assert changes(matcher, started("new"), stopped("new")) == [(7, "speaking"), (7, "spoken")]


def test_a_second_unseen_id_is_nobodys() -> None:
    matcher = Matcher()
    matcher.expect(7, "utt-1", words="Hello")
    heard = changes(matcher, started("new"), started("other"), stopped("other"), stopped("new"))
    assert heard == [(7, "speaking"), None, None, (7, "spoken")]


def test_an_unseen_stop_says_nothing_about_the_outstanding_echo() -> None:
    matcher = Matcher()
    matcher.expect(7, "utt-1", words="Hello")
    assert changes(matcher, stopped("from-before"), started("new")) == [None, (7, "speaking")]


def test_with_nothing_outstanding_an_unseen_start_is_nobodys() -> None:
    assert changes(Matcher(), started("new"), stopped("new")) == [None, None]


def test_both_families_of_events_are_one_fact() -> None:
    matcher = Matcher()
    matcher.expect(7, "utt-1", words="Hello")
    one = rewritten_id("utt-1")
    heard = changes(matcher, started(one), started_too(one), stopped_too(one), stopped(one))
    assert heard == [(7, "speaking"), (7, None), (7, "spoken"), (7, None)]


def test_the_same_in_the_other_order() -> None:
    matcher = Matcher()
    matcher.expect(7, "utt-1", words="Hello")
    heard = changes(matcher, started_too("x"), started("x"), stopped("x"), stopped_too("x"))
    assert heard == [(7, "speaking"), (7, None), (7, "spoken"), (7, None)]


def test_events_without_any_id_belong_to_the_outstanding_echo() -> None:
    matcher = Matcher()
    matcher.expect(7, "utt-1", words="Hello")
    heard = changes(matcher, started(), started_too(), stopped(), stopped_too())
    assert heard == [(7, "speaking"), (7, None), (7, "spoken"), (7, None)]


def test_a_stop_without_an_id_before_any_start_is_nobodys() -> None:
    matcher = Matcher()
    matcher.expect(7, "utt-1", words="Hello")
    assert changes(matcher, stopped()) == [None]


def test_a_human_speaking_says_nothing_about_an_echo() -> None:
    matcher = Matcher()
    out = matcher.expect(7, "utt-1", words="Hello")
    assert changes(matcher, user_started("new"), user_started(rewritten_id("utt-1"))) == [None, None]
    assert not out.started


def test_an_utterance_shows_that_it_was_begun_where_the_start_was_lost() -> None:
    matcher = Matcher()
    matcher.expect(7, "utt-1", words="Hello")
    one = rewritten_id("utt-1")
    assert changes(matcher, streaming("Hel", one), uttered("Hello", one)) == [(7, "speaking"), (7, None)]


def test_a_stop_alone_is_both_its_start_and_its_end() -> None:
    matcher = Matcher()
    out = matcher.expect(7, "utt-1", words="Hello")
    assert changes(matcher, stopped(rewritten_id("utt-1"))) == [(7, "spoken")]
    assert out.started and out.stopped


def test_an_interrupted_stop_ends_it_as_interrupted() -> None:
    matcher = Matcher()
    out = matcher.expect(7, "utt-1", words="Hello")
    heard = changes(matcher, started("x"), stopped("x", interrupted=True), stopped_too("x", interrupted=True))
    assert heard == [(7, "speaking"), (7, "interrupted"), (7, None)]
    assert out.interrupted


@pytest.mark.parametrize("late", [started, started_too])
def test_the_known_start_of_an_echo_that_was_given_up_is_not_given_to_the_next(late) -> None:  # type: ignore[no-untyped-def]
    matcher = Matcher()
    matcher.expect(1, "utt-1", words="One").overdue = True
    matcher.give_up()
    second = matcher.expect(2, "utt-2", words="Two")
    assert changes(matcher, late(rewritten_id("utt-1"))) == [(1, None)]
    assert not second.started


def test_an_unseen_start_after_a_passed_deadline_is_given_to_nobody_until_words_tell() -> None:
    matcher = Matcher()
    matcher.expect(1, "utt-1", words="One is late.").overdue = True
    matcher.give_up()
    second = matcher.expect(2, "utt-2", words="Two is next.")
    late = changes(matcher, started("a"), streaming("One is", "a"), uttered("One is late.", "a"), stopped("a"))
    assert late == [None] * 4
    assert not second.started
    in_time = changes(matcher, started("b"), streaming("Two is", "b"), stopped("b"))
    assert in_time == [None, (2, "speaking"), (2, "spoken")]


def test_words_that_tell_nothing_give_no_start_away() -> None:
    matcher = Matcher()
    matcher.expect(1, "utt-1", words="One is late.").overdue = True
    matcher.give_up()
    matcher.expect(2, "utt-2", words="Two is next.")
    assert changes(matcher, streaming("…", "a"), stopped("a")) == [None, None]


def test_emotion_tags_are_not_words_that_are_said() -> None:
    matcher = Matcher()
    matcher.expect(1, "utt-1", words="One").overdue = True
    matcher.give_up()
    matcher.expect(2, "utt-2", words='<emotion value="joy"/>Two is next.')
    assert changes(matcher, streaming("Two is", "b"), stopped("b")) == [(2, "speaking"), (2, "spoken")]


def test_once_a_later_echo_was_heard_an_earlier_one_will_not_come_any_more() -> None:
    matcher = Matcher()
    matcher.expect(1, "utt-1", words="One").overdue = True
    matcher.give_up()
    matcher.expect(2, "utt-2", words="Two")
    changes(matcher, started(rewritten_id("utt-2")), stopped(rewritten_id("utt-2")))
    matcher.give_up()
    matcher.expect(3, "utt-3", words=None)
    assert changes(matcher, started("new")) == [(3, "speaking")]


def test_an_echo_that_was_stopped_before_it_began_leaves_no_doubt_behind() -> None:
    matcher = Matcher()
    matcher.expect(1, "utt-1", words=None)
    matcher.give_up()
    matcher.expect(2, "utt-2", words=None)
    assert changes(matcher, started("new"), stopped("new")) == [(2, "speaking"), (2, "spoken")]


def test_an_echo_that_was_heard_by_an_earlier_worker_is_known_by_that_id() -> None:
    matcher = Matcher()
    matcher.expect(1, "utt-1", words=None, heard_id="a").started = True
    assert changes(matcher, stopped("b"), stopped("a")) == [None, (1, "spoken")]


def test_an_echo_that_ended_by_itself_leaves_no_doubt_behind() -> None:
    matcher = Matcher()
    matcher.expect(1, "utt-1", words="One")
    changes(matcher, started("a"), stopped("a"))
    matcher.give_up()
    matcher.expect(2, "utt-2", words="Two")
    assert changes(matcher, stopped_too("a"), started("b"), stopped("b")) == [
        (1, None),
        (2, "speaking"),
        (2, "spoken"),
    ]


def test_a_text_in_parts_speaks_at_the_first_start_and_is_spoken_at_the_last_stop() -> None:
    matcher = Matcher()
    first, second = rewritten_id("utt.1"), rewritten_id("utt.2")
    matcher.expect(7, "utt.1", words="One.", last=False)
    assert changes(matcher, started(first), stopped(first)) == [(7, "speaking"), (7, None)]
    matcher.expect(7, "utt.2", words="Two.", last=True)
    assert changes(matcher, started(second), stopped(second)) == [(7, "speaking"), (7, "spoken")]


@pytest.mark.parametrize("rewrite", [rewritten_id, lambda wire_id: f"unseen-{wire_id}"])
def test_the_second_stop_of_a_part_does_not_end_the_next_part(rewrite) -> None:  # type: ignore[no-untyped-def]
    matcher = Matcher()
    matcher.expect(7, "utt.1", words="One.", last=False)
    changes(matcher, started(rewrite("utt.1")), stopped(rewrite("utt.1")))
    second = matcher.expect(7, "utt.2", words="Two.", last=True)
    assert changes(matcher, stopped_too(rewrite("utt.1"))) == [(7, None)]
    assert not second.stopped and not second.started
    assert changes(matcher, started(rewrite("utt.2")), stopped(rewrite("utt.2"))) == [(7, "speaking"), (7, "spoken")]


def test_an_interrupt_that_is_heard_late_still_finds_its_echo() -> None:
    matcher = Matcher()
    matcher.expect(1, "utt-1", words="One")
    changes(matcher, started("a"))
    matcher.give_up()
    assert changes(matcher, stopped("a", interrupted=True)) == [(1, "interrupted")]


def test_ids_are_remembered_up_to_a_number() -> None:
    matcher = Matcher()
    for number in range(REMEMBERED):
        matcher.expect(number, f"utt-{number}", words=None)
        matcher.give_up()
    assert len(matcher._owners) == REMEMBERED
    assert changes(matcher, stopped("utt-0"), stopped(f"utt-{REMEMBERED - 1}")) == [None, (REMEMBERED - 1, None)]
