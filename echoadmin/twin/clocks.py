"""The vendor's three clocks of a conversation, in real seconds (docs.tavus.io, call duration and timeout).

``max_call_duration`` and ``participant_absent_timeout`` run from creation, ``participant_left_timeout`` from the moment
when the last human left; by default it is 0, and the room ends then and there.
"""

import asyncio
from collections.abc import Callable

from echoadmin import clock

from .rooms import Room

MAX_DURATION = "max_call_duration reached"
ABSENT = "participant_absent_timeout reached"
LEFT = "participant_left_timeout reached"


class Clocks:
    """The clocks of one room; ``end`` is called once, with the reason, when one of them has run out."""

    def __init__(self, room: Room, end: Callable[[str], None], restart_grace: float) -> None:
        self._room = room
        self._end = end
        self._grace = restart_grace
        self._running: dict[str, asyncio.TimerHandle] = {}

    def start(self, *, restarted: bool) -> None:
        """Start what runs from creation; after a restart of the twin, people get a while to come back."""
        conversation = self._room.conversation
        age = clock.time() - conversation.created
        self._ring_in(conversation.longest - age, MAX_DURATION)
        if not conversation.people_came:
            self._ring_in(conversation.limit("participant_absent_timeout") - age, ABSENT)
        elif restarted:
            self._ring_in(max(conversation.limit("participant_left_timeout"), self._grace), LEFT)

    def people_changed(self) -> None:
        """Look who is there, after somebody came or went."""
        if self._room.people:
            self._stop(ABSENT)
            self._stop(LEFT)
        else:
            self._ring_in(self._room.conversation.limit("participant_left_timeout"), LEFT)

    def stop(self) -> None:
        for reason in list(self._running):
            self._stop(reason)

    def _ring_in(self, seconds: float, reason: str) -> None:
        self._stop(reason)
        self._running[reason] = asyncio.get_running_loop().call_later(max(seconds, 0.0), self._end, reason)

    def _stop(self, reason: str) -> None:
        if handle := self._running.pop(reason, None):
            handle.cancel()
