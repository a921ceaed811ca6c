"""The transactions of a writer's thread, on its own connection."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import takewhile
from time import monotonic

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from echoadmin.log.writer import intake
from echoadmin.log.writer.backlog import Backlog, Doubt, Waiting
from echoadmin.log.writer.records import Transaction
from echoadmin.log.writer.standstill import Standstill
from echoadmin.log.writer.storing import Outcome, is_passing, store

logger = logging.getLogger(__name__)

# A transaction that waits longer for another's lock, or for the disk, is given up and tried again (PostgreSQL).
_BEGIN = "SELECT set_config('lock_timeout', '2s', true), set_config('statement_timeout', '3s', true), txid_current()"
# SQLite's lock likewise, where there is a spool that takes over meanwhile.
BUSY = 0.5  # s
# SQLite's own waiting for another process grows to 100 ms between two looks, in which others get in.
LOOK = 4  # ms that it waits by itself; then it is asked again
_SQLITE_BUSY = 5


class Transactions:
    """Each method is one transaction, and raises what broke it.

    checkpoints: SQLite's are made by a thread beside. patient: whether to wait as long as others for SQLite's lock.
    meanwhile: what can be done while the database takes rows in.
    """

    def __init__(self, *, checkpoints: bool, patient: bool, meanwhile: Callable[[], None]) -> None:
        self._checkpoints, self._patient, self._meanwhile = checkpoints, patient, meanwhile
        self._patience = BUSY  # s for SQLite's lock; known once there is a connection
        self.standstill = Standstill()

    def store(self, batch: Sequence[Waiting]) -> list[Outcome]:
        """Stores the first units of the batch; an outcome for each of those."""
        connection = self._connection()
        with self.standstill.watched(connection):
            return self._store(connection, batch)

    def _store(self, connection: BaseDatabaseWrapper, batch: Sequence[Waiting]) -> list[Outcome]:
        if (stored := _stored_after_all(connection, batch)) is not None:
            return stored
        number: int | None = None
        outcomes: list[Outcome] = []
        batch = _without_doubts(batch)
        try:
            with self._transaction(connection):
                number = _begin(connection)
                outcomes = store(connection, [one.ready for one in batch if one.ready], self._meanwhile)
        except Exception as error:
            if number is not None and is_passing(error):
                _doubt(number, batch, outcomes)  # the connection broke in COMMIT: it may have worked nevertheless
            raise
        return outcomes

    def take_in(self, backlog: Backlog, end: int) -> set[str]:
        """Stores the next piece of a spool; returns the streams that grew. To be settled by the caller."""
        connection = self._connection()
        try:
            with self.standstill.watched(connection), self._transaction(connection):
                _begin(connection)
                return intake.take_in(connection, backlog, end)
        except Exception as error:
            if is_passing(error):
                raise
            logger.warning("a piece of %s can't be stored at once: %s", backlog.file.name, error)
            return self._take_in_one(backlog, end)

    def close(self, backlog: Backlog) -> None:
        """The spool is taken in: takes it away."""
        connection = self._connection()
        backlog.file.remove()  # first: without its row it would be taken in once more
        with self.standstill.watched(connection), self._transaction(connection):
            intake.forget(connection, backlog)

    def _take_in_one(self, backlog: Backlog, end: int) -> set[str]:
        """Something in the piece can't be stored: one record at a time, and that one is passed over."""
        connection = self._connection()
        try:
            with self.standstill.watched(connection), self._transaction(connection):
                _begin(connection)
                return intake.take_in(connection, backlog, end, most=1)
        except Exception as error:
            if is_passing(error):
                raise
            with self.standstill.watched(connection), self._transaction(connection):
                _begin(connection)
                intake.pass_over(connection, backlog, end, error)
        return set()

    @contextmanager
    def _transaction(self, connection: BaseDatabaseWrapper) -> Iterator[None]:
        """One that waits for SQLite's lock by looking every few ms."""
        until = monotonic() + self._patience
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(transaction.atomic())
                    break
                except OperationalError as error:
                    if not _is_busy(error) or monotonic() > until:
                        raise
            yield

    def _connection(self) -> BaseDatabaseWrapper:
        connection = connections[DEFAULT_DB_ALIAS]
        if connection.vendor == "sqlite" and connection.connection is None:
            with connection.cursor() as cursor:
                self._set_up(cursor)
        return connection

    def _set_up(self, cursor: CursorWrapper) -> None:
        if self._checkpoints:
            cursor.execute("PRAGMA wal_autocheckpoint=0")
        cursor.execute("PRAGMA busy_timeout")
        others = cursor.fetchone()[0] / 1000
        self._patience = others if self._patient else min(BUSY, others)
        cursor.execute(f"PRAGMA busy_timeout={LOOK}")
        cursor.db.patience = self._patience


def _begin(connection: BaseDatabaseWrapper) -> int | None:
    """The transaction's number, where its end can be asked for by it."""
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN)
        number: int = cursor.fetchone()[-1]
    return number


def _is_busy(error: OperationalError) -> bool:
    """Whether SQLite's lock is another's."""
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    return code is not None and code & 0xFF == _SQLITE_BUSY


def _doubt(number: int, batch: Sequence[Waiting], outcomes: list[Outcome]) -> None:
    good = [(one, outcome) for one, outcome in zip(batch, outcomes, strict=False) if not isinstance(outcome, Exception)]
    entries = [written for _, outcome in good for written in outcome]
    last = entries[-1] if entries else None
    broken = Transaction(number, last.stream, int(last.n), last.digest) if last else Transaction(number)  # type: ignore[arg-type]
    for waiting, outcome in good:
        waiting.doubt = (broken, outcome)


def _stored_after_all(connection: BaseDatabaseWrapper, batch: Sequence[Waiting]) -> list[Outcome] | None:
    """What came of the transaction that broke in COMMIT with the first of the batch, if it was committed."""
    doubt = batch[0].doubt
    if doubt is None:
        return None
    with connection.cursor() as cursor:
        committed = intake.was_committed(cursor, doubt[0])
    if committed:
        return [one.doubt[1] for one in takewhile(lambda one: _same(one, doubt), batch) if one.doubt]
    for one in batch:
        if _same(one, doubt):
            one.doubt = None
    return None


def _same(waiting: Waiting, doubt: Doubt) -> bool:
    return waiting.doubt is not None and waiting.doubt[0] == doubt[0]


def _without_doubts(batch: Sequence[Waiting]) -> Sequence[Waiting]:
    """The first units up to one that may be stored already."""
    return [*takewhile(lambda one: one.doubt is None, batch)]
