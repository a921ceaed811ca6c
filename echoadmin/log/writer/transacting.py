"""The transactions of a writer's thread, on its own connection."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import takewhile

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from echoadmin.log.writer import intake
from echoadmin.log.writer.backlog import Backlog, Doubt, Waiting
from echoadmin.log.writer.storing import Outcome, is_passing, store

logger = logging.getLogger(__name__)

# A transaction that waits longer for another's lock, or for the disk, is given up and tried again (PostgreSQL).
_BEGIN = "SELECT set_config('lock_timeout', '2s', true), set_config('statement_timeout', '3s', true), txid_current()"
# SQLite's lock likewise, where there is a spool that takes over meanwhile.
BUSY = 500  # ms


class Transactions:
    """Each method is one transaction, and raises what broke it.

    checkpoints: SQLite's are made by a thread beside. patient: whether to wait as long as others for SQLite's lock.
    """

    def __init__(self, *, checkpoints: bool, patient: bool) -> None:
        self._checkpoints, self._patient = checkpoints, patient

    def store(self, batch: Sequence[Waiting]) -> list[Outcome]:
        """Stores the first units of the batch; an outcome for each of those."""
        connection = self._connection()
        if (stored := _stored_after_all(connection, batch)) is not None:
            return stored
        number: int | None = None
        outcomes: list[Outcome] = []
        batch = _without_doubts(batch)
        try:
            with transaction.atomic():
                number = _begin(connection)
                outcomes = store(connection, [waiting.ready for waiting in batch if waiting.ready])
        except Exception as error:
            if number is not None and is_passing(error):
                _doubt(number, batch, outcomes)  # the connection broke in COMMIT: it may have worked nevertheless
            raise
        return outcomes

    def take_in(self, backlog: Backlog, end: int) -> set[str]:
        """Stores the next piece of a spool; returns the streams that grew. To be settled by the caller."""
        connection = self._connection()
        try:
            with transaction.atomic():
                _begin(connection)
                return intake.take_in(connection, backlog, end)
        except Exception as error:
            if is_passing(error):
                raise
            logger.warning("a piece of %s can't be stored at once: %s", backlog.file.name, error)
            return self._take_in_one(backlog, end)

    def close(self, backlog: Backlog) -> None:
        """The spool is taken in: takes it away."""
        intake.close(self._connection(), backlog)

    def _take_in_one(self, backlog: Backlog, end: int) -> set[str]:
        """Something in the piece can't be stored: one record at a time, and that one is passed over."""
        connection = self._connection()
        try:
            with transaction.atomic():
                _begin(connection)
                return intake.take_in(connection, backlog, end, most=1)
        except Exception as error:
            if is_passing(error):
                raise
            with transaction.atomic():
                _begin(connection)
                intake.pass_over(connection, backlog, end, error)
        return set()

    def _connection(self) -> BaseDatabaseWrapper:
        connection = connections[DEFAULT_DB_ALIAS]
        if connection.vendor == "sqlite" and connection.connection is None:
            with connection.cursor() as cursor:
                self._set_up(cursor)
        return connection

    def _set_up(self, cursor: CursorWrapper) -> None:
        if self._checkpoints:
            cursor.execute("PRAGMA wal_autocheckpoint=0")
        if not self._patient:
            cursor.execute("PRAGMA busy_timeout")
            cursor.execute(f"PRAGMA busy_timeout={min(BUSY, cursor.fetchone()[0])}")


def _begin(connection: BaseDatabaseWrapper) -> int | None:
    """The transaction's number, where its end can be asked for by it."""
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN)
        number: int = cursor.fetchone()[-1]
    return number


def _doubt(number: int, batch: Sequence[Waiting], outcomes: list[Outcome]) -> None:
    for waiting, outcome in zip(batch, outcomes, strict=False):
        if not isinstance(outcome, Exception):
            waiting.doubt = (number, outcome)


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
