"""The vendor's clocks, wound to hundredths of a second."""

import asyncio
import time
from typing import Any

from echoadmin.twin.clocks import ABSENT, LEFT, MAX_DURATION, Clocks

SHORT, LONG = 0.05, 30.0


class Conversation:
    def __init__(self, *, longest: float = LONG, absent: float = LONG, left: float = LONG) -> None:
        self.created = time.time()
        self.longest = longest
        self.people_came = False
        self._limits = {"participant_absent_timeout": absent, "participant_left_timeout": left}

    def limit(self, name: str) -> float:
        return self._limits[name]


class Room:
    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.people: list[Any] = []


class Case:
    """A room with its clocks, and the reasons for which they rang."""

    def __init__(self, *, restart_grace: float = LONG, **limits: float) -> None:
        self.room = Room(Conversation(**limits))
        self.reasons: asyncio.Queue[str] = asyncio.Queue()
        self.clocks = Clocks(self.room, self.reasons.put_nowait, restart_grace)  # type: ignore[arg-type]

    def come(self) -> None:
        self.room.people.append(object())
        self.room.conversation.people_came = True
        self.clocks.people_changed()

    def go(self) -> None:
        self.room.people.pop()
        self.clocks.people_changed()

    async def rings(self) -> str:
        return await asyncio.wait_for(self.reasons.get(), 5)

    async def stays_silent(self) -> bool:
        """Whether nothing rings for several times the short limit."""
        try:
            await asyncio.wait_for(self.reasons.get(), SHORT * 6)
        except TimeoutError:
            return True
        return False


async def test_nobody_came_rings_from_creation_on() -> None:
    case = Case(absent=SHORT)
    case.clocks.start(restarted=False)
    assert await case.rings() == ABSENT


async def test_somebody_who_comes_stops_the_clock_of_absence_for_good() -> None:
    case = Case(absent=SHORT)
    case.clocks.start(restarted=False)
    case.come()
    case.go()
    assert await case.stays_silent()


async def test_the_last_who_leaves_starts_the_clock_and_whoever_comes_back_stops_it() -> None:
    case = Case(left=SHORT)
    case.clocks.start(restarted=False)
    case.come()
    case.come()
    case.go()
    assert await case.stays_silent()
    case.go()
    case.come()
    assert await case.stays_silent()
    case.go()
    assert await case.rings() == LEFT


async def test_the_longest_call_counts_from_creation_whoever_is_there() -> None:
    case = Case(longest=SHORT)
    case.room.conversation.created -= 10
    case.come()
    case.clocks.start(restarted=False)
    assert await case.rings() == MAX_DURATION


async def test_after_a_restart_people_have_a_while_to_come_back() -> None:
    case = Case(left=0, restart_grace=SHORT)
    case.room.conversation.people_came = True
    case.clocks.start(restarted=True)
    assert case.reasons.empty()
    assert await case.rings() == LEFT


async def test_after_a_restart_whoever_comes_back_stops_the_clock() -> None:
    case = Case(left=0, restart_grace=SHORT)
    case.room.conversation.people_came = True
    case.clocks.start(restarted=True)
    case.come()
    assert await case.stays_silent()


async def test_stopped_clocks_are_silent() -> None:
    case = Case(absent=SHORT, longest=SHORT)
    case.clocks.start(restarted=False)
    case.clocks.stop()
    assert await case.stays_silent()
