"""The writer: one thread a process, which takes everybody's entries into few transactions.

While one transaction is being written the next gathers. So an idle console stores an entry at once, and a busy one
stores hundreds at the price of one. The order in which units were put is the order in which they are stored.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic, sleep

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from echoadmin.log.writer.checkpointing import Checkpointer
from echoadmin.log.writer.drafts import LogClosed, LogFull, Unit, Written
from echoadmin.log.writer.rows import prepare
from echoadmin.log.writer.storing import Outcome, Ready, is_passing, store

logger = logging.getLogger(__name__)

MAX_WAITING = 10_000  # units
MAX_ENTRIES = 1_000  # in a transaction, about: a unit is never split
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0  # seconds between attempts
# A transaction that waits longer for another's lock, or for the disk, is given up and tried again (PostgreSQL).
_BEGIN = "SELECT set_config('lock_timeout', '2s', true), set_config('statement_timeout', '3s', true), txid_current()"


@dataclass(slots=True, eq=False)
class _Waiting:
    unit: Unit
    future: Future[list[Written]]
    since: float
    ready: Ready | None = None


class Writer:
    """Stores units in the order in which they are put. One per process; `start` it before use, `stop` it at the end.

    While the database is away, units wait in memory, in order, and are tried again until it is back. When MAX_WAITING
    units wait, further ones fail with LogFull.
    """

    def __init__(self, on_commit: Callable[[set[str]], None] | None = None) -> None:
        self.on_commit = on_commit  # called in the writer's thread with the public ids of the streams that grew
        self._changed = threading.Condition()
        self._queue: deque[_Waiting] = deque()
        self._closing_at: float | None = None  # monotonic; when a stop stops waiting for the database
        self._thread: threading.Thread | None = None
        self._in_doubt: tuple[int, list[Outcome]] | None = None
        self._trouble: str | None = None
        self._checkpointer: Checkpointer | None = None

    @property
    def waiting(self) -> int:
        """How many units are not stored yet."""
        return len(self._queue)

    @property
    def trouble(self) -> str | None:
        """The database's last words while it does not take entries; None when all is well."""
        return self._trouble

    def start(self) -> None:
        """Starts the thread; what was put before is stored first."""
        if self._thread is not None:
            raise RuntimeError("this writer was started before; make a new one")
        if connections[DEFAULT_DB_ALIAS].vendor == "sqlite":
            self._checkpointer = Checkpointer()
            self._checkpointer.start()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Stores what waits, for at most `timeout` seconds, and ends the thread. What is left fails, loudly."""
        with self._changed:
            self._closing_at = monotonic() + timeout
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout + 1)
        if self._checkpointer is not None:
            self._checkpointer.stop()
        self._fail_rest(LogClosed("the log's writer was stopped before the database took this unit"))

    def put(self, unit: Unit) -> Future[list[Written]]:
        """Hands over a unit, from any thread, and never waits. What becomes of it is in the future.

        The future fails with Refused (the guard said no), LogFull, LogClosed, or the error of the unit itself. A unit
        whose future was cancelled before its turn is left out.
        """
        now = datetime.now(UTC)
        for draft in unit.drafts:
            draft.at = draft.at or now
        future: Future[list[Written]] = Future()
        with self._changed:
            refusal = self._refusal()
            if refusal is None:
                self._queue.append(_Waiting(unit, future, monotonic()))
                self._changed.notify()
        if refusal is not None:
            logger.error("log unit refused: %s (%s)", refusal, self._trouble or "the database is slow")
            future.set_exception(refusal)
        return future

    def _refusal(self) -> Exception | None:
        if self._closing_at is not None:
            return LogClosed("the log's writer is stopped")
        if len(self._queue) >= MAX_WAITING:
            return LogFull(f"{MAX_WAITING} units wait for the database already")
        return None

    # --- in the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while batch := self._take():
                try:
                    self._write(batch)
                except Exception as error:
                    logger.exception("the log's writer failed in a way it does not know")
                    for waiting in batch:
                        if not waiting.future.done():
                            waiting.future.set_exception(error)
        finally:
            connections.close_all()

    def _take(self) -> list[_Waiting]:
        """Everything that waits, up to one transaction's size; empty when the writer is to end."""
        with self._changed:
            while not self._queue and self._closing_at is None:
                self._changed.wait()
            batch: list[_Waiting] = []
            entries = 0
            while self._queue and entries < MAX_ENTRIES:
                waiting = self._queue.popleft()
                entries += len(waiting.unit.drafts)
                batch.append(waiting)
        return batch

    def _write(self, batch: list[_Waiting]) -> None:
        """Stores the batch, in as many transactions and attempts as it takes."""
        left = [waiting for waiting in batch if _prepared(waiting)]
        pause = FIRST_PAUSE
        at_once = len(left)
        while left:
            try:
                outcomes = self._transact(left[:at_once])
            except Exception as error:  # noqa: BLE001 - goes to the future of whom it concerns
                if is_passing(error):
                    left = self._wait_out(left, error, pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
                elif at_once > 1:
                    at_once = 1  # one of them is bad: each in a transaction of its own, so that it fails alone
                else:
                    left.pop(0).future.set_exception(error)
                continue
            pause = FIRST_PAUSE
            self._settle(left[: len(outcomes)], outcomes)
            left = left[len(outcomes) :]

    def _transact(self, batch: list[_Waiting]) -> list[Outcome]:
        """One transaction with the first units of the batch; an outcome for each of those."""
        connection = connections[DEFAULT_DB_ALIAS]
        if connection.connection is None and self._checkpointer is not None:
            _leave_checkpoints(connection)
        if (stored := self._stored_after_all(connection)) is not None:
            return stored
        number: int | None = None
        outcomes: list[Outcome] = []
        try:
            with transaction.atomic():
                if connection.vendor == "postgresql":
                    with connection.cursor() as cursor:
                        cursor.execute(_BEGIN)
                        number = cursor.fetchone()[-1]
                outcomes = store(connection, [waiting.ready for waiting in batch if waiting.ready])
        except Exception as error:
            if outcomes and number is not None and is_passing(error):
                self._in_doubt = (number, outcomes)  # the connection broke in COMMIT: it may have worked nevertheless
            raise
        return outcomes

    def _stored_after_all(self, connection: BaseDatabaseWrapper) -> list[Outcome] | None:
        """What came of the transaction that broke in COMMIT, if it was committed."""
        if self._in_doubt is None:
            return None
        number, outcomes = self._in_doubt
        with connection.cursor() as cursor:
            cursor.execute("SELECT txid_status(%s)", [number])
            state = cursor.fetchone()[0]
        if state == "in progress":
            raise OperationalError("the transaction before is still being committed")
        self._in_doubt = None
        return outcomes if state == "committed" else None

    def _settle(self, batch: list[_Waiting], outcomes: list[Outcome]) -> None:
        if self._trouble is not None:
            logger.warning("the log is written again")
            self._trouble = None
        grown: set[str] = set()
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Exception):
                waiting.future.set_exception(outcome)
            else:
                grown.update(written.stream for written in outcome)
                waiting.future.set_result(outcome)
        if grown and self.on_commit is not None:
            try:
                self.on_commit(grown)
            except Exception:  # the entries are stored; who missed the bell looks by itself
                logger.exception("the log's bell failed")

    def _wait_out(self, left: list[_Waiting], error: Exception, pause: float) -> list[_Waiting]:
        """Waits before the next attempt; returns what is still to be stored then.

        Here a spool would take over what waits.
        """
        if self._trouble is None:
            logger.error("the log can't be written, %d units wait: %s", len(left) + self.waiting, error)
        self._trouble = str(error)
        connections[DEFAULT_DB_ALIAS].close()
        if self._closing_at is not None and monotonic() > self._closing_at:
            logger.error("the log's writer ends with %d units not stored", len(left) + self.waiting)
            for waiting in left:
                waiting.future.set_exception(error)
            self._fail_rest(error)
            return []
        sleep(pause)
        return left

    def _fail_rest(self, error: Exception) -> None:
        with self._changed:
            rest = list(self._queue)
            self._queue.clear()
        for waiting in rest:
            if waiting.future.set_running_or_notify_cancel():
                waiting.future.set_exception(error)


def _leave_checkpoints(connection: BaseDatabaseWrapper) -> None:
    """To the thread beside."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_autocheckpoint=0")


def _prepared(waiting: _Waiting) -> bool:
    """Whether the unit goes on: neither cancelled nor impossible."""
    if not waiting.future.set_running_or_notify_cancel():
        return False
    try:
        waiting.ready = Ready(waiting.unit, [prepare(draft) for draft in waiting.unit.drafts])
    except Exception as error:  # noqa: BLE001 - goes to the future
        waiting.future.set_exception(error)
        return False
    return True
