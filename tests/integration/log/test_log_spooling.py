"""The writer without its database: what goes to the spool, and how it comes into the log afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.backends.utils import CursorWrapper

from echoadmin.log import reader
from echoadmin.log.models import Clip, Entry, Spool
from echoadmin.log.verify import verify_stream
from echoadmin.log.writer import Folder, LogFull, Place, Refused, Unit, Writer, known, thread
from echoadmin.log.writer.records import encode
from echoadmin.log.writer.spool import Spool as SpoolFile
from tests.integration.log.drafts import draft
from tests.outage import database_away
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)
only_on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's COMMIT is done or isn't")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "spool", "w-1", "ours", 2**20)


@pytest.fixture
def writer(transactional_db: None, folder: Folder) -> Iterator[Writer]:
    made = Writer(spool=folder)
    made.start()
    made.put(Unit([draft("cv_0")])).result(30)  # it has its connection
    yield made
    made.stop()


def heard(number: int, stream: str = "cv_1", **more: Any) -> Unit:
    return Unit([draft(stream, message={"number": number})], happened=True, **more)


def said(number: int, stream: str = "cv_1", **more: Any) -> Unit:
    one = draft(stream, message={"number": number}, direction="out", inference_id="e-1", echo_id=7, epoch=3)
    return Unit([one], happened=True, **more)


def put(dead: SpoolFile, *units: Unit) -> list[int]:
    """As a writer does that dies afterwards."""
    for unit in units:
        for one in unit.drafts:
            one.at = datetime.now(UTC)
    return dead.add([encode(unit.drafts) for unit in units])


def until_stored(writer: Writer) -> None:
    """What was put before is in the database."""
    writer.put(Unit([], guard=lambda _: True)).result(30)


def numbers(stream: str = "cv_1") -> list[int]:
    rows = list(Entry.objects.filter(stream__public_id=stream, kind="app_message").order_by("n"))
    return [message["number"] for message in reader.messages(rows)]


def told(event_type: str, stream: str = "cv_1") -> list[dict[str, Any]]:
    rows = Entry.objects.filter(stream__public_id=stream, kind="room", event_type=event_type).order_by("n")
    return reader.messages(list(rows))


def spools(folder: Folder) -> list[Path]:
    return list(folder.path.iterdir()) if folder.path.is_dir() else []


def test_what_happens_without_the_database_is_done_once_it_is_on_the_disk(writer: Writer, folder: Folder) -> None:
    with database_away():
        futures = [writer.put(said(number)) for number in range(20)]
        written = [one for future in futures for one in future.result(20)]
        assert [(one.stream, type(one.n), one.digest) for one in written] == [("cv_1", Place, b"")] * 20
        assert known(one.n for one in written) == []
        assert len(spools(folder)) == 1
        assert writer.spooled == 20
        assert writer.spool_bytes > 0
        assert writer.trouble
        assert not Entry.objects.filter(stream__public_id="cv_1").exists()
    until(lambda: not spools(folder), "the spool is taken in")
    assert numbers() == list(range(20))
    assert known(one.n for one in written) == list(range(1, 21))
    until(lambda: not Spool.objects.exists(), "nothing is remembered of it")
    assert (writer.spooled, writer.spool_bytes, writer.trouble) == (0, 0, None)
    assert verify_stream("cv_1") is None


def test_what_waits_in_memory_and_what_lies_in_the_spool_are_stored_in_one_order(writer: Writer) -> None:
    def claim(cursor: CursorWrapper) -> bool:
        return True

    with database_away():
        futures = []
        for number in range(0, 40, 4):
            futures += [
                writer.put(heard(number)),
                writer.put(Unit([draft("cv_1", message={"number": number + 1})], guard=claim)),
                writer.put(Unit([draft("cv_1", message={"number": number + 2})])),
                writer.put(heard(number + 3, guard_key="mine", guard_all=lambda _, keys: keys)),
            ]
        for future in (*futures[::4], *futures[3::4]):
            future.result(20)
        assert not any(future.done() for future in (*futures[1::4], *futures[2::4]))
        assert writer.waiting == 20
    assert [future.result(20)[0].n for future in (*futures[1::4], *futures[2::4])] == [
        *range(2, 41, 4),
        *range(3, 41, 4),
    ]
    writer.put(heard(40))
    until_stored(writer)
    assert numbers() == list(range(41))


def test_a_guard_is_asked_when_its_entries_are_put_in_and_its_no_does_not_keep_them_out(writer: Writer) -> None:
    asked: list[str] = []

    def effect(name: str, answer: bool) -> Callable[[CursorWrapper], bool]:
        def guard(cursor: CursorWrapper) -> bool:
            asked.append(name)
            Clip.objects.create(sample_rate=8000)
            return answer

        return guard

    with database_away():
        writer.put(heard(0, guard=effect("yes", True))).result(20)
        writer.put(said(1, guard=effect("no", False))).result(20)
        writer.put(said(2, guard=effect("yes too", True))).result(20)
        writer.put(heard(3, guard_all=lambda *_: asked.append("tenure") or [], guard_key="mine")).result(20)
        assert asked == [] or connection.vendor == "sqlite"
    writer.put(heard(4))
    until_stored(writer)
    assert numbers() == [0, 1, 2, 3, 4]
    assert asked == ["yes", "no", "yes too"], "whether the room is still ours is not asked of what happened"
    assert Clip.objects.count() == 2, "what a no had changed is undone"
    [doubt] = told("uncertain")
    assert doubt == {"ranges": [[2, 2]], "count": 1, "inference_id": "e-1", "reason": "worker_lost"}
    with pytest.raises(Refused):  # with the database there it is as ever
        writer.put(heard(5, guard=lambda _: False)).result(20)


def test_an_entry_that_names_spooled_ones_knows_their_numbers_in_its_turn(writer: Writer) -> None:
    with database_away():
        [first] = writer.put(said(0)).result(20)
        [second] = writer.put(said(1)).result(20)
        naming = draft("cv_1", kind="room", event_type="not_sent", message=lambda: {"ns": known([first.n, second.n])})
        future = writer.put(Unit([naming], guard=lambda _: True))
        writer.put(said(2)).result(20)
    future.result(20)
    assert told("not_sent") == [{"ns": [1, 2]}]
    writer.put(heard(3))
    until_stored(writer)
    assert numbers() == [0, 1, 2, 3]


def test_a_long_spool_is_taken_in_while_more_comes_and_nothing_overtakes(writer: Writer, folder: Folder) -> None:
    with database_away():
        for number in range(4000):
            writer.put(heard(number))
        until(lambda: writer.spooled == 4000, "all of it is on the disk")
        assert writer.waiting == 0
    for number in range(4000, 4400):
        writer.put(heard(number))
    writer.put(heard(4400)).result(30)
    until(lambda: not spools(folder) and len(numbers()) == 4401, "all of it is stored")
    assert numbers() == list(range(4401))
    assert verify_stream("cv_1") is None


def test_a_longer_time_without_the_database_is_told_in_each_stream(writer: Writer, folder: Folder) -> None:
    with database_away():
        futures = [writer.put(heard(number, stream)) for number in range(3) for stream in ("cv_1", "cv_2")]
        until(lambda: all(future.done() for future in futures), "it is on the disk")
        began = writer._shelf._current
        assert began is not None
        began.began -= 5  # as if it had been so long
    until(lambda: told("spooled", "cv_2"), "it is told")
    [first] = told("spooled")
    rows = list(Entry.objects.filter(stream__public_id="cv_1", kind="app_message").order_by("n"))
    assert first == {
        "count": 3,
        "from": rows[0].at.isoformat(),
        "to": rows[-1].at.isoformat(),
        "worker": "w-1",
    }
    [entry] = Entry.objects.filter(stream__public_id="cv_1", event_type="spooled")
    assert (entry.n, entry.conversation_ref, entry.family) == (4, "cv_1", "room")


def test_the_next_writer_takes_in_what_a_dead_one_left_and_names_what_may_not_have_left(folder: Folder) -> None:
    dead = folder.new()
    put(dead, heard(0), said(1), said(2), heard(3, "cv_2"), said(4))
    dead.close()
    writer = Writer(spool=folder)
    writer.start()
    try:
        writer.put(heard(5)).result(30)
    finally:
        writer.stop()
    assert (numbers(), numbers("cv_2"), spools(folder)) == ([0, 1, 2, 4, 5], [3], [])
    [doubt] = told("uncertain")
    assert (doubt["ranges"], doubt["count"], doubt["inference_id"]) == ([[2, 4]], 3, "e-1")
    assert [one["count"] for one in (*told("spooled"), *told("spooled", "cv_2"))] == [4, 1]
    assert not Spool.objects.exists()


def test_damage_is_counted_and_told(folder: Folder) -> None:
    dead = folder.new()
    ends = put(dead, *map(heard, range(4)))
    with dead.path.open("r+b") as file:
        file.seek(ends[1] - 3)
        file.write(b"#")
        file.truncate(dead.size - 2)
    dead.close()
    writer = Writer(spool=folder)
    writer.start()
    writer.put(heard(9)).result(30)
    writer.stop()
    assert numbers() == [0, 2, 9]
    [gap] = told("gap", "account")
    assert (gap["reason"], gap["records"], gap["bytes"]) == ("spool_damaged", 1, ends[3] - ends[2] - 2)


def test_a_record_that_the_database_never_takes_is_left_out_and_told(writer: Writer, folder: Folder) -> None:
    with database_away():
        for number in range(3):
            unit = heard(number)
            unit.drafts[0].epoch = 2**70 if number == 1 else None  # no database has a column for it
            writer.put(unit).result(20)
        waits = Unit([draft("cv_1", epoch=2**70, message={"number": 3})])
        failing = writer.put(waits)
        until(lambda: writer.spooled == 4, "it is on the disk")
    assert failing.exception(20) is not None
    writer.put(heard(4))
    until_stored(writer)
    until(lambda: len(told("dropped")) == 2, "it is told")
    assert numbers() == [0, 2, 4]
    assert [(one["count"], one["reason"]) for one in told("dropped")] == [(1, "refused_by_database")] * 2
    assert [one["streams"] for one in told("gap", "account")] == [{"cv_1": 1}] * 2
    assert spools(folder) == []


def test_what_neither_spool_nor_memory_takes_is_counted_exactly(
    transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(thread, "MAX_WAITING", 50)
    writer = Writer(spool=Folder(tmp_path / "spool", "w-1", "ours", 10_000))
    writer.start()
    writer.put(Unit([draft("cv_0")])).result(30)
    with database_away():
        writer.put(heard(0)).result(20)
        futures = []
        for number in range(1, 301):
            futures.append(writer.put(heard(number, f"cv_{number % 2 + 1}")))
            if number % 25 == 0:
                until(lambda: not len(writer._arrivals), "the writer's thread has taken them")
        until(lambda: writer.waiting >= 50 and writer.lost, "it is full")
        futures += [writer.put(said(number)) for number in range(301, 303)]
        refused = [isinstance(future.exception(0), LogFull) for future in futures if future.done()]
        lost = sum(refused) - 2
        assert writer.trouble is not None
        assert "LOG_SPOOL_MB" in writer.trouble
        assert f"{lost} entries are lost" in writer.trouble
        assert writer.lost == lost > 0
    until(lambda: told("gap", "account"), "it is told")
    assert writer.trouble is None
    [gap] = told("gap", "account")
    counts = {stream: told("dropped", stream)[0]["count"] for stream in ("cv_1", "cv_2")}
    assert (gap["reason"], gap["count"], gap["streams"]) == ("spool_full", lost, counts)
    stored = sorted(numbers("cv_1") + numbers("cv_2"))
    assert len(stored) + lost == 301, "what was to leave and did not is not lost: it never left"
    assert numbers("cv_2") == sorted(numbers("cv_2"))
    assert "the spool is full" in caplog.text
    writer.stop()


def test_with_a_disk_that_refuses_all_waits_in_memory_and_says_so(
    transactional_db: None, tmp_path: Path, caplog: Any
) -> None:
    (tmp_path / "spool").write_text("not a folder")
    writer = Writer(spool=Folder(tmp_path / "spool", "w-1", "ours", 10_000))
    writer.start()
    writer.put(Unit([draft("cv_0")])).result(30)
    with database_away():
        futures = [writer.put(heard(number)) for number in range(20)]
        until(lambda: writer.trouble and "the spool can't be written" in writer.trouble, "it says so")
        assert not any(future.done() for future in futures)
    assert [future.result(20)[0].n for future in futures] == list(range(1, 21))
    writer.stop()
    assert numbers() == list(range(20))
    assert "the spool can't be written" in caplog.text
    assert writer.trouble is None


def test_a_stop_without_the_database_leaves_the_spool_to_the_next_one(writer: Writer, folder: Folder) -> None:
    with database_away():
        futures = [writer.put(heard(number)) for number in range(5)]
        waiting = writer.put(Unit([draft("cv_1", message={"number": 5})]))
        until(lambda: writer.spooled == 6, "it is on the disk")
        writer.stop(timeout=0.2)
        assert all(future.done() and not future.exception() for future in futures)
        assert waiting.exception(0) is not None
    assert len(spools(folder)) == 1
    after = Writer(spool=folder)
    after.start()
    after.put(heard(6)).result(30)
    after.stop()
    assert numbers() == list(range(7))


@only_on_postgresql
@pytest.mark.parametrize("committed", [True, False])
def test_what_broke_in_its_commit_is_durable_in_the_spool_and_stored_once(
    writer: Writer, folder: Folder, committed: bool
) -> None:
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

    [written] = writer.put(said(0, guard=break_commit)).result(30)
    writer.put(heard(1)).result(30)
    until(lambda: numbers() == [0, 1] and not spools(folder), "both are there, once")
    assert isinstance(written.n, Place)
    assert known([written.n]) == [1]
    assert len(asked) == (1 if committed else 2)
    assert not told("uncertain")
