"""How a room is left: the echo in hand first, then the call; where the worker drains, its successor joins before."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import timezone

from conversations import bells
from conversations.models import RoomState
from conversations.rooms import claims
from conversations.rooms.ends import Stop

if TYPE_CHECKING:
    from conversations.rooms.room import LiveRoom

logger = logging.getLogger(__name__)

SUCCESSOR_JOINS_IN = 20.0  # s; then the room is left without one
LOOK_FOR_IT = 0.1  # s


async def leave(room: LiveRoom) -> None:
    """The room's end, as `room.closing` says."""
    if room.closing == "handed_over":
        await _hand_over(room)
        return
    await _end_echo_in_hand(room)
    if room.closing == "ended":
        await room.desk.insist(claims.cancel_after_end, room.tenure)
    await room.drop_link()
    await room.desk.write(
        [room.log.draft("left", {"reason": room.closing}), *room.doubts()],
        # From here Tavus counts the time that it leaves an empty room.
        partial(claims.release, room.tenure, state=RoomState.IDLE, last_seen_at=timezone.now()),
    )


async def drain(room: LiveRoom) -> None:
    """Finish the echo in hand, claim no other, and leave: to another worker, where one has room."""
    room.draining = True
    await room.echoes.idle.wait()
    successor = await room.desk.insist(claims.has_successor, room.desk.worker)
    room.close("handed_over" if successor and room.link is not None else "stopped")


def stay(room: LiveRoom) -> None:
    """It is not left after all, if that has not begun."""
    if room.closing is None:
        room.draining = False
        room.echoes.stir()


async def _hand_over(room: LiveRoom) -> None:
    """Give the room back and stay in the call until another worker is in it: it is never empty of us."""
    await room.desk.write(
        [room.log.draft("left", {"reason": "handed_over"}), *room.doubts()],
        partial(claims.release, room.tenure, state=RoomState.LEAVING, last_seen_at=timezone.now()),
    )
    room.released = True
    bells.ring_room(room.tenure.conversation_id, bells.ROOM)
    until = room.loop.time() + SUCCESSOR_JOINS_IN
    while not await room.desk.insist(claims.joined_by_another, room.tenure):
        if room.loop.time() > until:
            logger.warning("%s: no other worker joined within %g s", room.public_id, SUCCESSOR_JOINS_IN)
            break
        await asyncio.sleep(LOOK_FOR_IT)
    await room.drop_link()


async def _end_echo_in_hand(room: LiveRoom) -> None:
    """Audio still being sent is interrupted; what is only waited for is unconfirmed, or the next worker's."""
    echoes = room.echoes
    if echoes.idle.is_set():
        return
    if room.closing == "ended":
        echoes.halt(Stop("unconfirmed", "conversation_ended", "The conversation ended before the replica did."))
    elif echoes.sending:
        echoes.halt(Stop("interrupted", f"room_{room.closing}", "The console left the room."))
        await room.interactions.interrupt_as_system("The console leaves the room.")
    elif room.closing == "left":
        echoes.halt(Stop("unconfirmed", "room_left", "The console left the room before the replica ended."))
    else:
        return  # the worker stops: the echo was sent, and the room's next worker waits for its end
    await echoes.until_idle(settings.INTERRUPT_DEADLINE + 1)
