"""All rooms of one worker: keeps the lease, claims what wants joining, leaves what nobody wants."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from django.conf import settings
from django.db import Error

from conversations import bells
from conversations.models import Worker
from conversations.rooms import claims
from conversations.rooms.claims import Claimed
from conversations.rooms.desk import Desk
from conversations.rooms.events import Event, Link
from conversations.rooms.leaving import drain, stay
from conversations.rooms.room import LiveRoom
from echoadmin.log_lines import about

logger = logging.getLogger(__name__)


class Keeper:
    """Makes what is equal to what is wanted, for one worker. Lives on one loop."""

    def __init__(
        self, desk_for: Callable[[Keeper], Desk], make_link: Callable[[str, Callable[[Event], None]], Link]
    ) -> None:
        self._make_link = make_link
        self._wake = asyncio.Event()
        self._lease_ends = 0.0
        self._tasks: dict[int, asyncio.Task[None]] = {}  # by conversation
        self.rooms: dict[int, LiveRoom] = {}
        self.stopping = False
        self.draining = False
        self.drained = asyncio.Event()  # every room is another worker's, or left
        self._ends = False  # the process does, whatever anybody wants of it
        self._obeying: asyncio.Task[None] | None = None
        self.desk = desk_for(self)

    @property
    def worker(self) -> Worker:
        """This worker's row, as it was at the start."""
        return self.desk.worker

    def may_claim(self) -> bool:
        """Whether something may leave: not in the last sixth of a lease, by this process's own clock."""
        return asyncio.get_running_loop().time() < self._lease_ends - settings.WORKER_LEASE / 6

    def bell(self, conversation_id: int, about: str = "") -> None:
        """Something changed in this conversation's outbox, or in what is wanted of its room: look there alone."""
        room = self.rooms.get(conversation_id)
        if room is not None:
            room.wake(about)
        if room is None or about not in (bells.ECHO, bells.AUDIO, bells.INTERACTION):
            self._wake.set()

    async def run(self) -> None:
        """Look at every bell and every LOOK_EVERY seconds until `stop`; the database being away only makes it wait."""
        renewing = asyncio.create_task(self._renew())
        try:
            while not self.stopping:
                try:
                    await self._look()
                except Error as error:
                    logger.error("the keeper could not look: %s", error)
                await self._pause()
        finally:
            renewing.cancel()

    async def drain(self) -> None:
        """For good: the process ends. Take no further room, and give those that are held to other workers, each after
        the echo in hand."""
        self._ends = True
        await self._hand_over_all()

    async def _hand_over_all(self) -> None:
        self.draining = True
        await self.desk.insist(claims.drain, self.worker.pk)
        while self.rooms:
            handing = [asyncio.create_task(drain(room)) for room in self.rooms.values()]
            try:
                await asyncio.wait([*handing, *self._tasks.values()])
            finally:  # rooms are taken again: what has not begun to be left stays
                for task in handing:
                    task.cancel()
            for task in handing:
                task.result()
        self.drained.set()

    async def _obey(self) -> None:
        """What a person wants of this worker: give its rooms away, or take rooms again."""
        if self._ends or self.stopping:
            return
        wanted = await self.desk.db(claims.is_to_drain, self.worker.pk)
        if self._obeying is not None and self._obeying.done() and not self.drained.is_set():
            logger.error("the rooms could not be given away: %s", self._obeying.exception())
            self._obeying = None
        if wanted and self._obeying is None:
            self._obeying = asyncio.create_task(self._hand_over_all(), name="draining")
        elif not wanted and self._obeying is not None:
            await self.desk.db(claims.take_again, self.worker.pk)
            self._obeying.cancel()
            self._obeying, self.draining = None, False
            self.drained.clear()
            for room in self.rooms.values():
                stay(room)

    async def stop(self, timeout: float) -> None:
        """Leave every room, within `timeout` seconds, and give the lease back."""
        self.stopping = True
        self._wake.set()
        if self._obeying is not None:
            self._obeying.cancel()
        for room in self.rooms.values():
            room.close("stopped")
        if self._tasks:
            _, hanging = await asyncio.wait(self._tasks.values(), timeout=timeout)
            for task in hanging:
                logger.warning("a room did not end within %g s", timeout)
                task.cancel()
        await self.desk.db(claims.retire, self.worker.pk)

    async def _look(self) -> None:
        await self._obey()
        rooms = [room for room in self.rooms.values() if not room.released]
        found = await self.desk.db(claims.look, [room.tenure for room in rooms]) if rooms else {}
        for room in rooms:
            look = found[room.tenure]
            if not look.held:
                room.abandon()
            elif look.ended:
                room.close("ended")
            elif not look.wanted:
                room.close("left")
            else:  # its bell may have been lost
                for about in look.waits:
                    room.wake(about)
        if not self.may_claim() or self.stopping or self.draining:
            return
        free, holding = self.worker.capacity - len(self.rooms), list(self.rooms)
        for claimed in await self.desk.db(claims.claim_free, self.worker, limit=free, holding=holding):
            self._hold(claimed)

    def _hold(self, claimed: Claimed) -> None:
        room = LiveRoom(claimed, self.desk, self._make_link)
        conversation_id = claimed.tenure.conversation_id
        self.rooms[conversation_id] = room
        with about(conversation=claimed.public_id):  # the task takes it along
            task = asyncio.create_task(room.run(), name=f"room {claimed.public_id}")
        self._tasks[conversation_id] = task
        task.add_done_callback(lambda _: self._forget(conversation_id, room))

    def _forget(self, conversation_id: int, room: LiveRoom) -> None:
        if self.rooms.get(conversation_id) is room:
            del self.rooms[conversation_id], self._tasks[conversation_id]
        self._wake.set()

    async def _renew(self) -> None:
        """Three times in a lease's length; what the lease is worth counts from before the question was asked."""
        while True:
            asked = asyncio.get_running_loop().time()
            try:
                if await self.desk.db(claims.renew, self.worker.pk):
                    self._lease_ends = asked + settings.WORKER_LEASE
                    self._wake.set()
                else:
                    logger.error("the lease of %s is another process's now", self.worker.name)
            except Error as error:
                logger.error("the lease could not be renewed: %s", error)
            await asyncio.sleep(settings.WORKER_LEASE / 3 if self.may_claim() else 0.5)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(settings.LOOK_EVERY):
                await self._wake.wait()
        except TimeoutError:
            return
        finally:
            self._wake.clear()
