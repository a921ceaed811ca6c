"""Threads that write to SQLite take turns, in the order in which they came."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.db.utils import ConnectionHandler

from echoadmin.log.writer.transacting import _is_busy
from echoadmin.sqlite3.base import DatabaseWrapper
from tests.waiting import until

pytestmark = pytest.mark.django_db  # lets connections be made
LIMIT = 10  # s


class Place:
    """A database with one table of its own, and a connection for each thread."""

    def __init__(self, file: Path) -> None:
        options = {"transaction_mode": "IMMEDIATE", "timeout": 5, "init_command": "PRAGMA journal_mode=WAL"}
        one = {"ENGINE": "echoadmin.sqlite3", "NAME": str(file), "OPTIONS": options}
        self.handler = ConnectionHandler({"default": one, "other": {**one}})
        self.connection.cursor().execute("CREATE TABLE word (word TEXT)")

    @property
    def connection(self) -> DatabaseWrapper:
        found: Any = self.handler["default"]
        return found  # type: ignore[no-any-return]

    def write(self, word: str) -> None:
        self.connection.cursor().execute("INSERT INTO word VALUES (%s)", [word])

    def written(self) -> list[str]:
        cursor = self.connection.cursor()
        cursor.execute("SELECT word FROM word ORDER BY rowid")
        return [word for (word,) in cursor.fetchall()]

    def waiting(self) -> int:
        return self.connection._turns().waiting

    def begin(self) -> None:
        self.connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)

    def end(self) -> None:
        self.connection.commit()
        self.connection.set_autocommit(True)

    def within(self, word: str) -> None:
        self.begin()
        self.write(word)
        self.end()

    def started(self, call: Callable[..., None], *args: Any) -> threading.Thread:
        def work() -> None:
            try:
                call(*args)
            finally:
                self.connection.close()

        thread = threading.Thread(target=work)
        thread.start()
        return thread


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path / "turns.sqlite3")
    yield place
    place.connection.close()


def test_those_who_wait_write_in_the_order_in_which_they_came(place: Place) -> None:
    place.begin()
    threads = []
    for number, call in enumerate([place.within, place.write, place.within, place.write, place.within]):
        threads.append(place.started(call, f"{number}"))
        until(lambda number=number: place.waiting() == number + 1, "it waits")  # type: ignore[misc]
    place.write("first")
    place.end()
    for thread in threads:
        thread.join(LIMIT)
    assert place.written() == ["first", "0", "1", "2", "3", "4"]


def test_who_waits_too_long_is_told_that_it_is_locked_and_holds_nobody_up(place: Place) -> None:
    place.begin()
    told: list[OperationalError] = []

    def impatient() -> None:
        place.connection.patience = 0.05
        for call in (place.within, place.write):
            try:
                call("too late")
            except OperationalError as error:
                told.append(error)

    place.started(impatient).join(LIMIT)
    assert [_is_busy(one) for one in told] == [True, True]
    assert place.waiting() == 2, "they are passed over when the turn comes to them"
    place.end()
    place.started(place.within, "next").join(LIMIT)
    assert place.written() == ["next"]


@pytest.mark.parametrize("how", ["rollback", "close", "error"])
def test_a_transaction_that_does_not_end_well_ends_its_turn(place: Place, how: str) -> None:
    def ends() -> None:
        place.begin()
        place.write("lost")
        if how == "close":
            place.connection.close()
            return
        if how == "error":
            with pytest.raises(OperationalError):
                place.connection.cursor().execute("INSERT INTO nothing VALUES (1)")
        place.connection.rollback()
        place.connection.set_autocommit(True)

    place.started(ends).join(LIMIT)
    place.started(place.write, "kept").join(LIMIT)
    assert place.written() == ["kept"]


def test_another_connection_to_the_same_file_is_in_the_same_queue(place: Place) -> None:
    other: Any = place.handler["other"]
    other.patience = 0.05
    place.begin()
    with pytest.raises(OperationalError):
        other.cursor().execute("INSERT INTO word VALUES ('too late')")
    place.end()
    other.cursor().execute("INSERT INTO word VALUES ('now')")
    other.close()
    assert place.written() == ["now"]
