"""The writer: order, all or nothing, and what happens when the database fails."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.db.backends.utils import CursorWrapper

from echoadmin.log.models import Clip, Entry, Stream
from echoadmin.log.rebuild import message
from echoadmin.log.verify import verify_stream
from echoadmin.log.writer import LogClosed, LogFull, Refused, Unit, Writer, Written, append, thread
from echoadmin.log.writer.intake import was_committed
from echoadmin.log.writer.records import Transaction
from tests.integration.log.drafts import draft

pytestmark = pytest.mark.django_db(transaction=True)
only_on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's COMMIT is done or isn't")
only_on_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL makes its own checkpoints")


def numbered(stream: str, number: int) -> Unit:
    return Unit([draft(stream, message={"number": number})])


def numbers(stream: str) -> list[int]:
    rows = Entry.objects.filter(stream__public_id=stream).order_by("n")
    return [message(row)["number"] for row in rows]


def fails(times: int, error: Exception, then: bool = True) -> Callable[[CursorWrapper], bool]:
    """A guard that raises `error` so many times."""
    left = [times]

    def guard(cursor: CursorWrapper) -> bool:
        left[0] -= 1
        if left[0] >= 0:
            raise error
        return then

    return guard


def hold(writer: Writer) -> tuple[threading.Event, Future[list[Written]]]:
    """Keeps the writer in a transaction until the event is set, so that what is put meanwhile gathers."""
    inside, go_on = threading.Event(), threading.Event()

    def guard(cursor: CursorWrapper) -> bool:
        inside.set()
        return go_on.wait(10)

    held = writer.put(Unit([], guard=guard))
    assert inside.wait(10)
    return go_on, held


def test_a_unit_is_stored_at_once_and_its_future_tells_where(writer: Writer) -> None:
    [first, second] = writer.put(Unit([draft("cv_1"), draft("cv_2")])).result(10)
    assert (first.stream, first.n, second.stream, second.n) == ("cv_1", 1, "cv_2", 1)
    entry = Entry.objects.get(stream__public_id="cv_1")
    assert bytes(entry.digest) == first.digest
    assert first.id in (entry.pk, None)
    assert (first.id is None) is (connection.vendor == "postgresql")


def test_units_of_many_threads_are_stored_gapless_and_each_threads_in_its_order(writer: Writer) -> None:
    def put_all(name: str) -> None:
        for number in range(150):
            writer.put(Unit([draft("cv_all", sender=name, message={"number": number}), draft(f"cv_{name}")]))

    threads = [threading.Thread(target=put_all, args=(name,)) for name in "abcd"]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    writer.put(numbered("cv_all", 150)).result(30)

    rows = list(Entry.objects.filter(stream__public_id="cv_all").order_by("n"))
    assert [row.n for row in rows] == list(range(1, 602))
    assert [row.pk for row in rows] == sorted(row.pk for row in rows)
    for name in "abcd":
        assert [message(row)["number"] for row in rows if row.sender == name] == list(range(150))
        assert verify_stream(f"cv_{name}") is None
    assert verify_stream("cv_all") is None


def test_two_writers_and_appends_share_streams_without_breaking_a_chain(writer: Writer) -> None:
    other = Writer()
    other.start()
    futures = []
    for number in range(60):
        unit = [draft("cv_b", message={"number": number}), draft("cv_a")]
        futures += [each.put(Unit(list(unit))) for each in (writer, other)]
        append([draft("cv_a"), draft("account"), draft("cv_b")])
    for future in futures:
        future.result(60)
    other.stop()
    assert [verify_stream(name) for name in ("cv_a", "cv_b", "account")] == [None] * 3
    assert Stream.objects.get(public_id="cv_a").last_n == 180


def test_many_units_are_stored_in_few_transactions_and_one_larger_than_a_transaction_whole(writer: Writer) -> None:
    bells: list[set[str]] = []
    writer.on_commit = bells.append
    go_on, _ = hold(writer)
    futures = [writer.put(numbered("cv_1", number)) for number in range(1500)]
    large = writer.put(Unit([draft("cv_2", message={"number": number}) for number in range(1200)]))
    go_on.set()
    assert [written.n for written in large.result(30)] == list(range(1, 1201))
    assert [future.result()[0].n for future in futures] == list(range(1, 1501))
    assert numbers("cv_1") == list(range(1500))
    assert bells == [{"cv_1"}, {"cv_1", "cv_2"}]


def test_a_guard_that_says_no_undoes_its_unit_and_no_other(writer: Writer) -> None:
    def change_and_refuse(cursor: CursorWrapper) -> bool:
        Clip.objects.create(sample_rate=8000)
        return False

    go_on, _ = hold(writer)
    first = writer.put(numbered("cv_1", 1))
    refused = writer.put(Unit([draft("cv_1")], guard=change_and_refuse))
    last = writer.put(numbered("cv_1", 2))
    go_on.set()
    with pytest.raises(Refused):
        refused.result(10)
    assert (first.result(10)[0].n, last.result(10)[0].n) == (1, 2)
    assert not Clip.objects.exists()
    assert verify_stream("cv_1") is None


def test_what_a_guard_changes_is_committed_with_the_entries(writer: Writer) -> None:
    def change(cursor: CursorWrapper) -> bool:
        Clip.objects.create(sample_rate=8000)
        return True

    writer.put(Unit([draft("cv_1")], guard=change)).result(10)
    assert (Clip.objects.count(), Entry.objects.count()) == (1, 1)
    assert writer.put(Unit([], guard=change)).result(10) == []
    assert Clip.objects.count() == 2


def test_keys_are_asked_together_once_until_a_guard_may_have_changed_what_they_ask(writer: Writer) -> None:
    asked: list[Any] = []

    def ask(cursor: CursorWrapper, keys: list[Any]) -> list[Any]:
        asked.append(keys)
        return [key for key in keys if key != "lost"]

    def keyed(key: str) -> Future[list[Written]]:
        return writer.put(Unit([draft("cv_1")], guard_key=key, guard_all=ask))

    def guarded(*, plain: bool) -> Future[list[Written]]:
        return writer.put(Unit([draft("cv_1")], guard=lambda _: asked.append(plain) or True, plain=plain))  # type: ignore[func-returns-value]

    go_on, _ = hold(writer)
    yes = [keyed("mine") for _ in range(5)]
    no = [keyed("lost") for _ in range(5)]
    yes += [guarded(plain=True), keyed("mine"), keyed("ours"), guarded(plain=False), keyed("mine")]
    go_on.set()
    assert [future.result(10)[0].n for future in yes] == list(range(1, 11))
    assert all(isinstance(future.exception(10), Refused) for future in no)
    assert asked == [["mine", "lost", "ours"], True, False, ["mine"]]


def test_a_plain_guard_that_says_no_or_breaks_stops_its_unit_and_no_other(writer: Writer) -> None:
    def wrong(cursor: CursorWrapper) -> bool:
        cursor.execute("SELECT 1 FROM nowhere")
        return True

    go_on, _ = hold(writer)
    first = writer.put(numbered("cv_1", 1))
    refused = writer.put(Unit([draft("cv_1")], guard=lambda _: False, plain=True))
    broken = writer.put(Unit([draft("cv_1")], guard=wrong, plain=True))
    last = writer.put(numbered("cv_1", 2))
    go_on.set()
    assert (first.result(10)[0].n, last.result(10)[0].n) == (1, 2)
    assert isinstance(refused.exception(10), Refused)
    assert "nowhere" in str(broken.exception(10))
    assert verify_stream("cv_1") is None


def test_after_gets_the_numbers_and_undoes_its_unit_by_raising(writer: Writer) -> None:
    seen: list[list[int]] = []

    def note(cursor: CursorWrapper, written: list[Written]) -> None:
        Clip.objects.create(sample_rate=written[-1].n)
        seen.append([one.n for one in written])

    def refuse(cursor: CursorWrapper, written: list[Written]) -> None:
        note(cursor, written)
        raise LookupError("no such echo")

    go_on, _ = hold(writer)
    first = writer.put(Unit([draft("cv_1"), draft("cv_1")], after=note))
    bad = writer.put(Unit([draft("cv_1")], after=refuse))
    last = writer.put(Unit([draft("cv_1")], after=note))
    go_on.set()
    with pytest.raises(LookupError, match="no such echo"):
        bad.result(10)
    assert [one.n for one in [*first.result(10), *last.result(10)]] == [1, 2, 3]
    assert seen == [[1, 2], [3], [3]]
    assert list(Clip.objects.values_list("sample_rate", flat=True)) == [2, 3]
    assert verify_stream("cv_1") is None


def test_a_draft_that_can_not_be_stored_fails_alone(writer: Writer) -> None:
    go_on, _ = hold(writer)
    futures = [
        writer.put(numbered("cv_1", 1)),
        writer.put(Unit([draft("cv_1", message={"a": object()})])),  # has no JSON
        writer.put(Unit([draft("cv_1"), draft("cv_1", epoch=2**70)])),  # no database has a column for it
        writer.put(numbered("cv_1", 2)),
    ]
    go_on.set()
    errors = [future.exception(10) for future in futures]
    assert [type(error).__name__ for error in errors][:2] == ["NoneType", "TypeError"]
    assert errors[2] is not None
    assert errors[3] is None
    assert numbers("cv_1") == [1, 2]
    assert verify_stream("cv_1") is None


def test_a_unit_whose_future_was_cancelled_in_time_is_left_out(writer: Writer) -> None:
    go_on, _ = hold(writer)
    cancelled = writer.put(numbered("cv_1", 1))
    kept = writer.put(numbered("cv_1", 2))
    assert cancelled.cancel()
    go_on.set()
    kept.result(10)
    assert numbers("cv_1") == [2]


def test_while_the_database_fails_units_wait_and_keep_their_order(writer: Writer, caplog: Any) -> None:
    troubled = threading.Event()
    gone = OperationalError("the connection is gone")

    def guard(cursor: CursorWrapper) -> bool:
        if writer.trouble is not None:
            troubled.set()
        return flaky(cursor)

    flaky = fails(3, gone)
    happened = datetime.now(UTC) - timedelta(seconds=4.95)
    first = writer.put(Unit([draft("cv_1", message={"number": 0}, at=happened)], guard=guard))
    rest = [writer.put(numbered("cv_1", number)) for number in range(1, 20)]
    assert troubled.wait(10)
    rest[-1].result(30)
    assert first.done()
    assert numbers("cv_1") == list(range(20))
    assert Entry.objects.get(n=1).late  # by the time that it was stored
    assert "can't be written" in caplog.text
    assert "written again" in caplog.text
    assert writer.trouble is None


@only_on_sqlite
def test_no_checkpoint_is_made_in_the_writers_own_commits(writer: Writer) -> None:
    found = []

    def look(cursor: CursorWrapper) -> bool:
        cursor.execute("PRAGMA wal_autocheckpoint")
        found.append(cursor.fetchone()[0])
        return True

    writer.put(Unit([draft("cv_1")], guard=look)).result(30)
    # Trouble that passes: the connection is made anew.
    writer.put(Unit([draft("cv_1")], guard=fails(1, OperationalError("the connection is gone")))).result(30)
    writer.put(Unit([draft("cv_1")], guard=look)).result(30)
    assert found == [0, 0]


@only_on_postgresql
def test_a_connection_that_the_server_ends_is_replaced_and_nothing_is_lost(writer: Writer) -> None:
    ended = []

    def end_own_connection(cursor: CursorWrapper) -> bool:
        if not ended:
            ended.append(True)
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return True

    futures = [writer.put(numbered("cv_1", 1)), writer.put(Unit([draft("cv_2")], guard=end_own_connection))]
    futures += [writer.put(numbered("cv_1", 2))]
    for future in futures:
        future.result(30)
    assert numbers("cv_1") == [1, 2]
    assert Entry.objects.count() == 3


@only_on_postgresql
def test_a_writer_that_stood_still_in_its_transaction_lets_go_of_its_locks_and_stores_everything_afterwards(
    writer: Writer,
) -> None:
    append([draft("cv_1")])
    inside, go_on, tries = threading.Event(), threading.Event(), []

    def stand_still(cursor: CursorWrapper) -> bool:
        tries.append(True)
        if len(tries) == 1:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '200ms'")  # seconds, in the settings
            cursor.execute("SELECT 1 FROM log_stream WHERE public_id = 'cv_1' FOR UPDATE")
            inside.set()
            go_on.wait(20)
        return True

    late = writer.put(Unit([draft("cv_1")], guard=stand_still))
    assert inside.wait(20)
    append([draft("cv_1")])  # waits for the lock until the database has ended the session that holds it
    go_on.set()
    assert [written.n for written in late.result(30)] == [3]


@only_on_postgresql
def test_no_session_may_stand_still_in_a_transaction_for_longer_than_a_lease() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT setting::int FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'")
        assert cursor.fetchone()[0] == max(5, settings.WORKER_LEASE) * 1000


@only_on_postgresql
@pytest.mark.parametrize("number", ["another's", "not given out yet"])
def test_a_commit_that_a_crash_undid_is_stored_again_whoever_has_its_number_now(number: str) -> None:
    """Chaos, seed 5101: after a crash PostgreSQL gives out the numbers of what was undone once more."""
    [there] = append([draft("cv_1")])
    with connection.cursor() as cursor:
        cursor.execute("SELECT txid_current()")
        given = cursor.fetchone()[0]
        given = given if number == "another's" else given + 1000
        lost = Transaction(given, "cv_1", 2, b"d" * 32)
        found = Transaction(given, "cv_1", 1, there.digest)
        assert was_committed(cursor, lost) is False
        assert was_committed(cursor, found) is (number == "another's")


@only_on_postgresql
@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_whose_answer_is_lost_is_looked_up_and_not_stored_twice(writer: Writer, committed: bool) -> None:
    asked = []

    def break_commit(cursor: CursorWrapper) -> bool:
        asked.append(True)
        if len(asked) == 1:
            commit = cursor.db._commit

            def broken() -> None:
                del cursor.db._commit
                if committed:
                    commit()
                raise OperationalError("server closed the connection unexpectedly")

            cursor.db._commit = broken
        return True

    [written] = writer.put(Unit([draft("cv_1")], guard=break_commit)).result(30)
    assert written.n == 1
    assert Entry.objects.count() == 1
    assert len(asked) == (1 if committed else 2)


def test_when_too_many_units_wait_further_ones_are_refused_loudly(
    monkeypatch: pytest.MonkeyPatch, caplog: Any, transactional_db: None
) -> None:
    monkeypatch.setattr(thread, "MAX_WAITING", 3)
    writer = Writer()
    kept = [writer.put(numbered("cv_1", number)) for number in range(3)]
    assert writer.waiting == 3
    with pytest.raises(LogFull, match="3 units wait"):
        writer.put(numbered("cv_1", 3)).result(0)
    assert "refused" in caplog.text
    writer.start()
    writer.stop()
    assert [future.result(0)[0].n for future in kept] == [1, 2, 3]
    with pytest.raises(LogClosed):
        writer.put(numbered("cv_1", 4)).result(0)


def test_a_stop_ends_although_the_database_is_away_and_tells_whom_it_concerns(transactional_db: None) -> None:
    writer = Writer()
    writer.start()
    stuck = writer.put(Unit([draft()], guard=fails(10**9, OperationalError("away"))))
    behind = writer.put(Unit([draft()]))
    writer.stop(timeout=0.1)
    for future in (stuck, behind):
        assert isinstance(future.exception(0), OperationalError | LogClosed)
    assert not Entry.objects.exists()


def test_a_bell_that_fails_stops_nothing(writer: Writer, caplog: Any) -> None:
    def broken(streams: set[str]) -> None:
        raise ConnectionError("no Redis")

    writer.on_commit = broken
    writer.put(numbered("cv_1", 1)).result(10)
    writer.put(numbered("cv_1", 2)).result(10)
    assert numbers("cv_1") == [1, 2]
    writer.stop()
    assert "no Redis" in caplog.text


def test_what_a_guard_brings_is_written_behind_what_was_given(writer: Writer) -> None:
    given = [draft("cv_1", message={"number": 1})]
    found = [draft("cv_1", message={"number": number}) for number in (2, 3)]
    written = writer.put(Unit(given, guard=lambda cursor: list(found))).result(10)
    assert [one.n for one in written] == [1, 2, 3]
    assert numbers("cv_1") == [1, 2, 3]
    assert verify_stream("cv_1") is None
    assert writer.put(Unit([], guard=lambda cursor: [])).result(10) == [], "a list is a yes, an empty one too"


def test_what_a_guard_brings_is_written_once_when_the_database_failed_in_between(writer: Writer) -> None:
    left = [2]

    def guard(cursor: CursorWrapper) -> list[Any]:
        left[0] -= 1
        if left[0] == 0:
            raise OperationalError("database is locked")
        return [draft("cv_1", message={"number": left[0]})]

    def after(cursor: CursorWrapper, written: list[Written]) -> None:
        if left[0] == 1:
            raise OperationalError("database is locked")

    assert [one.n for one in writer.put(Unit([], guard=guard, after=after)).result(10)] == [1]
    assert numbers("cv_1") == [-1]


def test_what_a_guard_brings_and_no_entry_can_hold_fails_alone(writer: Writer) -> None:
    go_on, _ = hold(writer)
    bad = writer.put(Unit([draft("cv_1")], guard=lambda cursor: [draft("")]))
    good = writer.put(Unit([draft("cv_1", message={"number": 7})]))
    go_on.set()
    with pytest.raises(ValueError, match="needs a stream"):
        bad.result(10)
    good.result(10)
    assert numbers("cv_1") == [7]
