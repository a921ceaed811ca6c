"""What an act has to work with: the place, the client's traffic, chance; and how long something is waited for."""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass, field
from typing import Any

from tests.acceptance.chaos.place import Place, Slot
from tests.acceptance.chaos.traffic import Traffic
from tests.waiting import until
from tests.witnesses import OURS

RECOVERED_IN = 90.0  # s; on a machine with nothing else to do it is some five


@dataclass
class Blow:
    """One act: what was done, and when. Between its beginning and its end messages may have been missed."""

    what: str
    began: float  # just before the first signal; what is looked up before it takes its time
    ended: float = float("inf")
    load: float = 0.0  # of the machine then: processes that want to run, for each processor


@dataclass
class Scene:
    """Where the acts are played."""

    place: Place
    chance: random.Random
    blows: list[Blow] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.traffic = Traffic(self.place.api, self.chance)

    def strike(self) -> None:
        """Now it begins."""
        self.blows[-1].load = os.getloadavg()[0] / (os.cpu_count() or 1)
        self.blows[-1].began = time.time()

    def rooms(self) -> list[dict[str, Any]]:
        """Our view of each conversation that is to be joined, its room in `room`."""
        found = self.place.api.all("conversations/?status=active&state=live")
        return [row for row in found if row["room"]["wanted"] == "joined"]

    def held_by(self, slot: Slot) -> int:
        """How many rooms a worker holds; a console that is alone has all of them."""
        return sum(self.place.embedded or row["room"]["worker"] == slot.name for row in self.rooms())

    def victim(self) -> Slot:
        """A process that holds rooms; now and then one that may hold none."""
        if self.place.embedded or self.chance.random() < 0.2:
            return self.chance.choice(self.place.holders)
        held = {slot.name: self.held_by(slot) for slot in self.place.holders}
        return max(self.place.holders, key=lambda slot: (held[slot.name], slot.name))

    def go_on(self, echoes: int, limit: float = 20.0) -> None:
        """Let the client be promised so many more echoes; what is broken may keep it from that, for a while."""
        before, deadline = self.traffic.accepted, time.monotonic() + limit
        while self.traffic.accepted < before + echoes and time.monotonic() < deadline:
            time.sleep(0.05)

    def pass_time(self, least: float, most: float) -> None:
        """Something stays broken for a while: it is the length that matters, nothing is waited for."""
        time.sleep(self.chance.uniform(least, most))

    def until_recovered(self) -> None:
        """Every process runs, and every room is joined with its replica in it: to us and to the twin."""
        until(self._whole, "every room is joined again", RECOVERED_IN)

    def _whole(self) -> bool:
        ended = {slot.name: slot.ended() for slot in self.place.slots if slot.ended() is not None}
        assert not ended, f"processes ended by themselves: {ended}"
        rows, here = self.rooms(), self._rooms_with_us()
        told = all(row["room"]["state"] == "joined" and row["room"]["replica_present"] for row in rows)
        return told and all(row["conversation_id"] in here for row in rows)

    def _rooms_with_us(self) -> set[str]:
        """By the twin: a link can be dead for a while before anybody here can tell."""
        rooms = self.place.twin.get("/twin/rooms?status=active")
        return {room["conversation_id"] for room in rooms if any(map(_is_ours, room["participants"]))}


def _is_ours(participant: dict[str, Any]) -> bool:
    return bool(participant["connected"]) and participant["name"].startswith(OURS)
