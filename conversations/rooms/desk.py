"""What every room of a worker shares: the log's writer, the way to the database, the lease."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, InternalError, OperationalError, connection

from conversations import outbox
from conversations.models import Worker
from conversations.outbox import Tenure
from conversations.rooms import inbox
from echoadmin.log.writer import Draft, LogFull, Refused, Unit, Writer, Written
from echoadmin.log.writer.storing import is_passing

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

Guard = Callable[[], bool | list[Draft]]
"""What a write is conditional on, and changes beside its entries; a list brings further entries (see `Unit`)."""

FULL_PAUSE = 0.5  # s until a log that takes nothing more is asked again
AWAY = (OperationalError, InterfaceError, InternalError)


class TenureLost(Exception):
    """Another worker has the room, or this one's lease ended: not a byte more may leave."""


@dataclass
class Desk:
    """One a worker. The ORM runs on one private thread, apart from the writer's: pacing waits for neither."""

    worker: Worker
    writer: Writer
    may_claim: Callable[[], bool]
    ring_tail: Callable[[str], None]
    _executor: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="rooms-orm"))

    async def db(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run ORM code off the loop. Its connection is kept: opening one takes longer than most of what is asked."""

        def careful() -> R:
            try:
                return call(*args, **kwargs)
            except AWAY:
                connection.close()  # the next call opens a new one
                raise

        return await asyncio.get_running_loop().run_in_executor(self._executor, copy_context().run, careful)

    async def insist(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Like `db`, but while the database is away it waits and asks again. For what may be done twice."""
        pause = 0.1
        while True:
            try:
                return await self.db(call, *args, **kwargs)
            except AWAY as error:
                if not is_passing(error):
                    raise
                logger.warning("the rooms wait for the database: %s", error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)

    async def write(
        self, drafts: list[Draft], guard: Guard, *, happened: bool = False, plain: bool = False
    ) -> list[Written]:
        """Commit entries and what `guard` changes, both or neither; raises TenureLost when the guard says no.

        While neither the database nor spool nor memory takes more, it waits: a room is not lost for that.
        """
        while True:
            try:
                future = self.put(drafts, guard, happened=happened, plain=plain)
                return await inbox.of(asyncio.get_running_loop()).answer(future)
            except Refused as error:
                raise TenureLost from error
            except LogFull:
                await asyncio.sleep(FULL_PAUSE)

    def put(
        self, drafts: list[Draft], guard: Guard, *, happened: bool = False, plain: bool = False
    ) -> Future[list[Written]]:
        """The same without waiting; the order among units is kept.

        happened, plain: see `Unit`; without the database what happened is done once it is in the spool.
        """
        return self.writer.put(Unit(drafts, guard=lambda _: guard(), happened=happened, plain=plain))

    def note(self, drafts: list[Draft], tenure: Tenure) -> Future[list[Written]]:
        """Put what happened in a room that is held, and changes nothing else."""
        return self.writer.put(Unit(drafts, guard_key=tenure, guard_all=outbox.which_are_held, happened=True))

    async def claim(self, drafts: list[Draft], guard: Guard, *, goes_on: bool = False) -> list[Written]:
        """A write that lets something leave. It waits where the lease could not be renewed, from its last sixth on.

        Without the database nothing new is claimed; what is being said already `goes_on`, by way of the spool, and its
        guard is a plain one.
        """
        while not self.may_claim():  # noqa: ASYNC110 - a lease ends by the clock, which rings no event
            await asyncio.sleep(0.1)
        return await self.write(drafts, guard, happened=goes_on, plain=goes_on)

    def held(self, tenure: Tenure) -> Callable[[], bool]:
        """The guard of a write that changes no echo."""
        return lambda: outbox.held(tenure)

    def close(self) -> None:
        """End the ORM's thread, its connection with it."""
        self._executor.submit(_close_connection)
        self._executor.shutdown(wait=True)


def _close_connection() -> None:
    connection.close()
