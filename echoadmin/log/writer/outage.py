"""The time without a database: what waits goes to the spool, and into the database once it is back, in order."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from time import monotonic

from django.db import DEFAULT_DB_ALIAS, connections

from echoadmin.log.writer import intake
from echoadmin.log.writer.arrivals import Arrivals
from echoadmin.log.writer.backlog import Waiting
from echoadmin.log.writer.drafts import LogClosed, Unit
from echoadmin.log.writer.probe import Probe
from echoadmin.log.writer.shelf import GATHER, Held, Shelf, Stretch, hold
from echoadmin.log.writer.storing import is_passing
from echoadmin.log.writer.transacting import Transactions

logger = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0  # seconds between attempts
AT_ONCE = 1_000  # units from memory, which then go into as few transactions as they fit into


class Outage:
    """Runs in the writer's thread, from the first refusal until all that waited is stored, or the writer ends.

    What is held is stored strictly in its order, whether it lies in a spool or in memory.
    """

    def __init__(
        self,
        arrivals: Arrivals,
        shelf: Shelf,
        transactions: Transactions,
        store: Callable[[deque[Waiting]], None],
        ring: Callable[[set[str]], None],
    ) -> None:
        self.words = ""  # the database's last ones, while it is away
        self._arrivals, self._shelf, self._transactions = arrivals, shelf, transactions
        self._store, self._ring = store, ring
        self._held: deque[Held] = deque()
        self._in_memory = 0  # units among those
        self._pause = FIRST_PAUSE

    @property
    def waiting(self) -> int:
        """How many units are held in memory, whole or for the sake of who waits for them."""
        return self._in_memory + self._shelf.kept

    def adopt(self) -> None:
        """Takes in what dead processes left."""
        self._hold(self._shelf.adopt())
        self._run(None)

    def outlast(self, left: Iterable[Waiting], error: Exception) -> None:
        """From here on, with what the database refused."""
        self._pause = FIRST_PAUSE
        self._is_away(error)
        self._hold(self._shelf.take(left))
        self._run(error)
        self._hold(self._shelf.adopt())  # who died meanwhile may have left something
        self._run(None)

    def recovered(self) -> None:
        """The database took something."""
        self._pause = FIRST_PAUSE
        if self.words:
            logger.warning("the log is written again")
            self.words = ""

    def give_up(self, error: Exception) -> None:
        """The writer ends, or failed: whoever waits is told; what lies in spools stays there for whoever comes."""
        for one in self._held:
            if isinstance(one, Waiting):
                one.settle(error)
            else:
                one.backlog.fail(LogClosed("the unit lies in the spool, and is put into the database later"))
                self._shelf.finished(one.backlog)
        self._held.clear()
        self._in_memory = 0

    def _run(self, error: Exception | None) -> None:
        while self._held:
            if error is not None and not self._wait(error):
                logger.error("the log's writer ends with %d units in memory not stored", self._in_memory)
                self.give_up(error)
                return
            error = self._catch_up()
            if error is None:
                self._tell_what_is_lost()

    def _is_away(self, error: Exception) -> None:
        if not self.words:
            logger.error("the log can't be written: %s", error)
        self.words = str(error) or type(error).__name__

    def _wait(self, error: Exception) -> bool:
        """Until the database answers; False when the writer has to end before."""
        self._is_away(error)
        connections[DEFAULT_DB_ALIAS].close()
        probe = Probe(self._pause, self._arrivals.look)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        try:
            while not probe.back:
                self._shelve()
                if self._arrivals.over:
                    return False
                self._arrivals.wait(lambda: probe.back)
                self._arrivals.gather(self._shelf.written_at + GATHER, lambda: probe.back)
        finally:
            probe.stop()
        return True

    def _catch_up(self) -> Exception | None:
        """Stores all that is held; or returns the error when the database is away again."""
        try:
            while self._held:
                first = self._held[0]
                if isinstance(first, Stretch):
                    self._take_in(first)
                else:
                    self._store_from_memory()
        except Exception as error:
            if not is_passing(error):
                raise
            return error
        return None

    def _take_in(self, stretch: Stretch) -> None:
        backlog = stretch.backlog
        grown = self._transactions.take_in(backlog, stretch.end)
        self.recovered()
        intake.settle(backlog)
        self._ring(grown)
        if backlog.done == stretch.end:
            self._held.popleft()
        if backlog.left == 0:
            self._shelf.finished(backlog)
            self._transactions.close(backlog)
        if self._held and isinstance(self._held[0], Stretch):
            self._shelve()  # it takes a while: who comes meanwhile is not kept waiting

    def _store_from_memory(self) -> None:
        left: deque[Waiting] = deque()
        while self._held and isinstance(first := self._held[0], Waiting) and len(left) < AT_ONCE:
            left.append(first)
            self._held.popleft()
        try:
            self._store(left)
        finally:
            self._held.extendleft(reversed(left))
            self._hold(())

    def _shelve(self) -> None:
        self._hold(self._shelf.take(self._arrivals.take_all()))

    def _hold(self, more: Iterable[Held]) -> None:
        hold(self._held, more)
        self._in_memory = sum(isinstance(one, Waiting) for one in self._held)

    def _tell_what_is_lost(self) -> None:
        with self._arrivals.changed:
            drafts = self._shelf.told()
        if drafts:
            self._hold([Waiting(Unit(drafts), Future(), monotonic())])
