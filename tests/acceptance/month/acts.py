"""What people do in the month, drawn by chance: each act makes one conversation and leaves it to its fate."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from tests.acceptance.month.world import World
from tests.killed_console import doomed_console
from tests.waiting import until

BODY = {"replica_id": "re8e740a42", "persona_id": "pipecat0"}
PATIENT = {"participant_absent_timeout": 7200}  # the vendor does not end it because nobody came
KINDS = ("ended", "ended_through_errors", "forgotten", "longest", "absent", "lost", "killed", "elsewhere", "overdue")
Later = Callable[[], None]


class Acts:
    """What is done now, and what is to be done later, by the driven clock."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world, self.chance = world, chance
        self.later: list[tuple[datetime, Later]] = []

    def begin(self, kind: str) -> None:
        """One conversation of this kind."""
        getattr(self, f"_{kind}")()

    def _create(self, **properties: Any) -> Any:
        return self.world.api.post("/api/v1/conversations/", {**BODY, "properties": {**PATIENT, **properties}})

    def _ended(self) -> None:
        """Its maker ends it after a while."""
        made = self._create()
        assert made.status_code == 201, made.content
        self._in(self.chance.uniform(20, 900), lambda: self._end(made.json()["id"]))

    def _ended_through_errors(self) -> None:
        """The same, and Tavus answers the call to end it with an error, twice, the second time having done it."""
        made = self._create()
        upstream = made.json()["conversation_id"]

        def end() -> None:
            path = f"/v2/conversations/{upstream}/end"
            self.world.twin.fault("status", method="POST", path=path, status=500, when="before")
            self._end(made.json()["id"])
            self.world.twin.fault("status", method="POST", path=path, status=502, when="after")
            self._end(made.json()["id"])

        self._in(self.chance.uniform(20, 500), end)

    def _end(self, ref: str) -> None:
        self.world.api.post(f"/api/v1/conversations/{ref}/end/")

    def _forgotten(self) -> None:
        """Nobody goes in, nobody ends it."""
        assert self._create().status_code == 201

    def _longest(self) -> None:
        """Tavus ends it at its longest time."""
        assert self._create(max_call_duration=self.chance.randint(30, 700)).status_code == 201

    def _absent(self) -> None:
        """Tavus ends it because nobody came."""
        assert self._create(participant_absent_timeout=self.chance.randint(30, 400)).status_code == 201

    def _lost(self) -> None:
        """The answer to the create is lost, which costs all the same."""
        self.world.twin.fault("cut", method="POST", path="/v2/conversations", when="after")
        assert self._create().status_code == 504

    def _elsewhere(self) -> None:
        """Somebody makes one past this console."""
        self.world.twin.post("/v2/conversations", {**BODY, "properties": PATIENT})

    def _overdue(self) -> None:
        """Tavus's own clock for it stands still, and somebody here wants to be in its room."""
        self.world.twin.fault("overrun")
        properties = {**PATIENT, "max_call_duration": self.chance.randint(30, 300)}
        made = self.world.api.post("/api/v1/conversations/", {**BODY, "properties": properties, "join": True})
        assert made.status_code == 201

    def _killed(self) -> None:
        """The console dies (kill -9) after the create has left, and before its answer."""
        fault = self.world.twin.fault("delay", method="POST", path="/v2/conversations", seconds=20)
        with doomed_console(str(connection.settings_dict["NAME"]), {**BODY, "properties": PATIENT}):
            until(lambda: self._is_used(fault), "the create reaches Tavus", 60)

    def _is_used(self, fault: str) -> bool:
        return fault not in [one["id"] for one in self.world.twin.get("/twin/faults")]

    def _in(self, seconds: float, do: Later) -> None:
        self.later.append((timezone.now() + timedelta(seconds=seconds), do))

    def live_until(self, moment: datetime) -> None:
        """Time passes; what was left for later is done in its time."""
        while due := min((one for one in self.later if one[0] <= moment), key=lambda one: one[0], default=None):
            self.later.remove(due)
            self.world.wait_until(due[0])
            due[1]()
        self.world.wait_until(moment)
