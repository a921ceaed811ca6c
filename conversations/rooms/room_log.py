"""How one room writes: its entries, and what changes together with them, both or neither, in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from conversations import outbox
from conversations.models import Echo
from conversations.rooms.claims import Claimed
from conversations.rooms.desk import Desk, Guard, TenureLost
from echoadmin.log.ranges import ranges
from echoadmin.log.writer import Draft, Number, Refused, Written, known

logger = logging.getLogger(__name__)

Facts = dict[str, Any] | Callable[[], dict[str, Any]]


class RoomLog:
    """Entries of one conversation's stream, each written only while the room is still this worker's."""

    def __init__(self, claimed: Claimed, desk: Desk, *, on_refused: Callable[[], None]) -> None:
        self._public_id, self._persona_ref, self._tenure = claimed.public_id, claimed.persona_ref, claimed.tenure
        self._desk = desk
        self._loop = asyncio.get_running_loop()
        self._on_refused = on_refused

    async def claim(self, drafts: list[Draft], guard: Guard, *, goes_on: bool = False) -> list[Written] | None:
        """A claim with its entries; None when what was to be claimed is gone, TenureLost when the room is.

        goes_on: of an echo that is being said, and goes on without the database.
        """
        try:
            return await self._desk.claim(drafts, guard, goes_on=goes_on)
        except TenureLost:
            if await self._desk.insist(outbox.held, self._tenure):
                return None
            raise

    async def settle(self, guard: Guard) -> None:
        """Write what became of something, and wait for it; TenureLost when it is no longer ours to say."""
        await self._desk.write([], guard)
        self._desk.ring_tail(self._public_id)

    def later(self, drafts: list[Draft], guard: Guard | None = None) -> None:
        """Write what happened, without waiting, in order with all else that this room writes."""
        if guard is None:
            written = self._desk.note(drafts, self._tenure)
        else:
            written = self._desk.put(drafts, guard, happened=True)
        written.add_done_callback(partial(self._check, entries=bool(drafts)))

    def draft(
        self,
        event_type: str,
        facts: Facts,
        *,
        is_error: bool = False,
        **columns: Any,
    ) -> Draft:
        """An entry of the kind `room`."""
        return Draft(
            stream=self._public_id,
            kind="room",
            event_type=event_type,
            family="room",
            conversation_ref=self._public_id,
            persona_ref=self._persona_ref,
            epoch=self._tenure.epoch,
            is_error=is_error,
            message=facts,
            **columns,
        )

    def numbers(
        self,
        event_type: str,
        ns: list[Number],
        reason: str,
        *,
        detail: str = "",
        inference_id: str | None = None,
        echo_id: int | None = None,
    ) -> Draft:
        """An entry that names outbound entries: `not_sent` (they never left) or `uncertain` (nobody can tell)."""
        more = {"inference_id": inference_id, "reason": reason, **({"detail": detail} if detail else {})}

        def facts() -> dict[str, Any]:
            """When it's this entry's turn: those before it have their numbers then, also where they lay in a spool."""
            found = known(ns)
            return {"ranges": ranges(found), "count": len(found), **more}

        return self.draft(event_type, facts, is_error=True, inference_id=inference_id, echo_id=echo_id)

    async def not_sent(self, echo: Echo | None, ns: list[Number], reason: str, detail: str = "") -> None:
        """These outbound entries were logged and never left."""
        whose: dict[str, Any] = {"inference_id": echo.inference_id, "echo_id": echo.pk} if echo else {}
        draft = self.numbers("not_sent", ns, reason, detail=detail, **whose)
        await self._desk.write([draft], self._desk.held(self._tenure))

    def _check(self, future: Future[list[Written]], *, entries: bool) -> None:
        """In the writer's thread: a refusal ends the tenure; any other error is loud; what grew no stream rings."""
        error = None if future.cancelled() else future.exception()
        if isinstance(error, Refused):
            self._loop.call_soon_threadsafe(self._on_refused)
        elif error is not None:
            logger.error("%s: entries were not written: %s", self._public_id, error)
        elif not entries:
            self._desk.ring_tail(self._public_id)
