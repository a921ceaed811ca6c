"""What the three witnesses say, side by side: the client's promises, the console's log and rows, the twin's record."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from tests import witnesses
from tests.acceptance.chaos.promises import Opening
from tests.acceptance.chaos.scene import Blow, Scene
from tests.witnesses import Record, Shown


@dataclass
class Story:
    """One conversation, by all three."""

    opening: Opening
    echoes: dict[str, dict[str, Any]]  # the console's rows, by inference id
    entries: Shown
    record: Record
    asked_at: float  # when the log was asked: what came shortly before may not be in it yet

    @property
    def name(self) -> str:
        """For people who look for it."""
        return f"{self.opening.name} ({self.opening.id}, {self.opening.upstream_id})"


@dataclass
class Evidence:
    """Everything that the checks look at."""

    stories: list[Story]
    openings: list[Opening]
    rows: list[dict[str, Any]]  # the console's conversations
    rooms: list[dict[str, Any]]  # the twin's
    bill: list[dict[str, Any]]  # the twin's
    blows: list[Blow]
    chain: dict[str, Any]  # what verify_log found
    troubles: list[str] = field(default_factory=list)  # of the client and of the rounds


def gather(scene: Scene, troubles: list[str]) -> Evidence:
    """Ask all of them, once everything has settled."""
    place, openings = scene.place, scene.traffic.openings
    return Evidence(
        stories=[_story(scene, opening) for opening in openings if opening.upstream_id],
        openings=openings,
        rows=place.api.all("conversations/"),
        rooms=place.twin.get("/twin/rooms"),
        bill=place.twin.get("/twin/bill")["conversations"],
        blows=scene.blows,
        chain=_chain(scene),
        troubles=troubles + [f"{talk.name}: {talk.trouble}" for talk in scene.traffic.talks if talk.trouble],
    )


def _story(scene: Scene, opening: Opening) -> Story:
    api = scene.place.api
    echoes = {echo["inference_id"]: echo for echo in api.all(f"conversations/{opening.id}/echoes/")}
    asked_at = time.time()
    entries = witnesses.shown(api.urls[0], api.key, str(opening.id))
    return Story(opening, echoes, entries, scene.place.twin.messages(opening.upstream_id), asked_at)


def _chain(scene: Scene) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(scene.place.first_console.manage("verify_log", "--json"))
    except RuntimeError as failure:
        return {"verified": False, "entries": 0, "streams": 0, "findings": [str(failure)]}
    return found
