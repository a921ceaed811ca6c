"""Django's SQLite, where the threads of a process write in the order in which they came.

SQLite lets one connection write at a time, and has no queue: who finds it locked sleeps, in the end 100 ms at a time,
and looks again (sqlite3.c, sqliteDefaultBusyCallback). With threads that write all the time the unlucky ones are
"database is locked" after their five seconds, though nobody writes for longer than a few ms. Other processes are waited
for as ever.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError
from django.db.backends.sqlite3 import base

from echoadmin.turns import Turns

_BUSY = 5  # SQLITE_BUSY (sqlite.org/rescode.html#busy)
_WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")

_turns: dict[str, Turns] = {}  # by the file's name


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection. `patience`: s that it waits for its turn, by itself the `timeout` of its OPTIONS."""

    patience: float | None = None
    _has_turn = False

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Around one statement that writes, outside of a transaction."""
        if self._has_turn:
            yield
            return
        self._take_turn()
        try:
            yield
        finally:
            self._end_turn()

    def create_cursor(self, name: Any = None) -> Any:
        """One that knows whose connection it is."""
        cursor = self.connection.cursor(factory=Cursor)
        cursor.owner = self
        return cursor

    def _start_transaction_under_autocommit(self) -> None:
        self._take_turn()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._end_turn()
            raise

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]
        self._end_turn()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._end_turn()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._end_turn()

    def _take_turn(self) -> None:
        if self._has_turn:
            return
        patience = self.patience if self.patience is not None else self.settings_dict["OPTIONS"].get("timeout", 5)
        try:
            self._turns().take(patience)
        except TimeoutError:
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = _BUSY
            raise OperationalError("database is locked") from error
        self._has_turn = True

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._turns().give_back()

    def _turns(self) -> Turns:
        name = str(self.settings_dict["NAME"])
        return _turns.get(name) or _turns.setdefault(name, Turns(1))


class Cursor(base.SQLiteCursorWrapper):
    """Django's, whose statements that write are in turn too where no transaction is."""

    owner: DatabaseWrapper

    def execute(self, query: Any, params: Any = None) -> Any:
        """As Django's."""
        if self._is_written_alone(query):
            with self.owner.alone():
                return super().execute(query, params)
        return super().execute(query, params)

    def executemany(self, query: Any, param_list: Any) -> Any:
        """As Django's."""
        if self._is_written_alone(query):
            with self.owner.alone():
                return super().executemany(query, param_list)
        return super().executemany(query, param_list)

    def _is_written_alone(self, query: Any) -> bool:
        return not self.connection.in_transaction and str(query).lstrip()[:7].upper().startswith(_WRITES)
