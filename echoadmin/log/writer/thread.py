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
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from time import monotonic

from django.db import DEFAULT_DB_ALIAS, connections

from echoadmin.log.writer.arrivals import Arrivals
from echoadmin.log.writer.backlog import Waiting
from echoadmin.log.writer.checkpointing import Checkpointer
from echoadmin.log.writer.connecting import use_own_connection
from echoadmin.log.writer.drafts import LogClosed, LogFull, Unit, Written
from echoadmin.log.writer.outage import Outage
from echoadmin.log.writer.rows import prepare
from echoadmin.log.writer.shelf import Shelf
from echoadmin.log.writer.spool import Folder
from echoadmin.log.writer.storing import Outcome, Ready, is_passing
from echoadmin.log.writer.transacting import Transactions

logger = logging.getLogger(__name__)

MAX_WAITING = 10_000  # units
MAX_ENTRIES = 1_000  # in a transaction, about: a unit is never split
AHEAD = 0.02  # s in which the next transaction is prepared while this one's rows are taken in: it holds locks


class Writer:
    """Stores units in the order in which they are put. One per process; `start` it before use, `stop` it at the end.

    While the database is away, units wait, in order, until it is back: in the spool those that can be there, the others
    in memory. When MAX_WAITING units wait there, further ones fail with LogFull.
    """

    def __init__(self, on_commit: Callable[[set[str]], None] | None = None, spool: Folder | None = None) -> None:
        self.on_commit = on_commit  # called in the writer's thread with the public ids of the streams that grew
        self._arrivals = Arrivals()
        self._thread: threading.Thread | None = None
        self._checkpointer: Checkpointer | None = None
        self._shelf = Shelf(spool)
        self._adopts = False
        on_sqlite = connections[DEFAULT_DB_ALIAS].vendor == "sqlite"
        self._transactions = Transactions(checkpoints=on_sqlite, patient=spool is None, meanwhile=self._prepare_next)
        self._outage = Outage(self._arrivals, self._shelf, self._transactions, self._store, self._ring)

    @property
    def waiting(self) -> int:
        """How many units wait in memory."""
        return len(self._arrivals) + self._outage.waiting

    @property
    def spooled(self) -> int:
        """How many entries the spool in use has taken; 0 when there is none in use."""
        return self._shelf.entries

    @property
    def spool_bytes(self) -> int:
        """How many bytes of it are still to be stored."""
        return self._shelf.size

    @property
    def lost(self) -> int:
        """How many entries were lost since the start, because neither database nor spool nor memory took them."""
        return self._shelf.lost_entries

    @property
    def trouble(self) -> str | None:
        """The database's last words while it does not take entries, and the spool's; None when all is well."""
        lost = sum(tally.entries for tally in tuple(self._shelf.lost.values()))
        words = [self._outage.words, self._shelf.trouble, f"{lost} entries are lost" if lost else ""]
        return "; ".join(filter(None, words)) or None

    def start(self) -> None:
        """Starts the thread. What dead processes left in spools is stored first, then what was put before."""
        if self._thread is not None:
            raise RuntimeError("this writer was started before; make a new one")
        if connections[DEFAULT_DB_ALIAS].vendor == "sqlite":
            self._checkpointer = Checkpointer()
            self._checkpointer.start()
        else:
            self._transactions.standstill.start()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Stores what waits, for at most `timeout` seconds, and ends the thread. What is left fails, loudly."""
        self._arrivals.close(timeout)
        if self._thread is not None:
            self._thread.join(timeout + 1)
        if self._checkpointer is not None:
            self._checkpointer.stop()
        self._transactions.standstill.stop()
        self._fail_rest(LogClosed("the log's writer was stopped before the database took this unit"))

    def adopt(self) -> None:
        """A process of this machine may have died: what it left in spools is stored before what is put from now on."""
        self._adopts = True

    def put(self, unit: Unit) -> Future[list[Written]]:
        """Hands over a unit, from any thread, and never waits. What becomes of it is in the future.

        The future fails with Refused (the guard said no), LogFull, LogClosed, or the error of the unit itself. A unit
        whose future was cancelled before its turn is left out.
        """
        now = datetime.now(UTC)
        for draft in unit.drafts:
            draft.at = draft.at or now
        future: Future[list[Written]] = Future()
        with self._arrivals.changed:
            refusal = self._refusal()
            if refusal is None:
                self._arrivals.add(Waiting(unit, future, monotonic()))
            else:
                self._shelf.count_lost(unit)
        if refusal is not None:
            logger.error("log unit refused: %s (%s)", refusal, self.trouble or "the database is slow")
            future.set_exception(refusal)
        return future

    def _refusal(self) -> Exception | None:
        if self._arrivals.closing_at is not None:
            return LogClosed("the log's writer is stopped")
        if self.waiting >= MAX_WAITING:
            return LogFull(f"{MAX_WAITING} units wait for the database already")
        return None

    # --- in the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        use_own_connection()
        try:
            self._carefully([], self._outage.adopt)
            while batch := self._arrivals.take(MAX_ENTRIES):
                if self._adopts:
                    self._adopts = False
                    self._carefully([], self._outage.adopt)
                self._carefully(batch, lambda: self._write(batch))
        finally:
            connections.close_all()

    def _carefully(self, batch: list[Waiting], work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            logger.exception("the log's writer failed in a way it does not know")
            for waiting in batch:
                waiting.settle(error)
            self._outage.give_up(error)

    def _write(self, batch: list[Waiting]) -> None:
        """Stores the batch, in as many transactions and attempts as it takes."""
        left = deque(batch)
        try:
            self._store(left)
        except Exception as error:
            if not is_passing(error):
                raise
            self._outage.outlast(left, error)

    def _store(self, left: deque[Waiting]) -> None:
        """Stores units from the front and takes them away; raises what passes, with the rest still there."""
        rest = [waiting for waiting in left if _prepared(waiting)]
        left.clear()
        left.extend(rest)
        at_once = len(left)
        while left:
            try:
                outcomes = self._transactions.store([*islice(left, at_once)])
            except Exception as error:
                if is_passing(error):
                    raise
                if at_once > 1:
                    at_once = 1  # one of them is bad: each in a transaction of its own, so that it fails alone
                else:
                    left.popleft().settle(error)
                continue
            self._settle([left.popleft() for _ in outcomes], outcomes)

    def _prepare_next(self) -> None:
        """While the database takes rows in, which is longer than this: what the next transaction will need."""
        until = monotonic() + AHEAD
        for waiting in self._arrivals.next_ones(MAX_ENTRIES):
            if monotonic() > until:
                return
            if waiting.ready is None and not any(callable(draft.message) for draft in waiting.unit.drafts):
                with suppress(Exception):  # comes again when it's the unit's turn, and is told to who put it
                    waiting.ready = _ready(waiting.unit)

    def _settle(self, batch: list[Waiting], outcomes: list[Outcome]) -> None:
        self._outage.recovered()
        grown: set[str] = set()
        for waiting, outcome in zip(batch, outcomes, strict=True):
            waiting.settle(outcome)
            if not isinstance(outcome, Exception):
                for written in outcome:
                    grown.add(written.stream)
        self._ring(grown)

    def _ring(self, grown: set[str]) -> None:
        if grown and self.on_commit is not None:
            try:
                self.on_commit(grown)
            except Exception:  # the entries are stored; who missed the bell looks by itself
                logger.exception("the log's bell failed")

    def _fail_rest(self, error: Exception) -> None:
        for waiting in self._arrivals.take_all():
            if waiting.begin():
                waiting.settle(error)


def _prepared(waiting: Waiting) -> bool:
    """Whether the unit goes on: neither cancelled nor impossible."""
    if not waiting.begin():
        return False
    try:
        waiting.ready = waiting.ready or _ready(waiting.unit)
    except Exception as error:  # noqa: BLE001 - goes to the future
        waiting.settle(error)
        return False
    return True


def _ready(unit: Unit) -> Ready:
    return Ready(unit, [prepare(draft) for draft in unit.drafts])
