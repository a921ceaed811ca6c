"""How a script's run stands: which lines were said, which are under way, which come next. Read from the echoes.

Line n is said under the id `<run>-n`; each time that it was taken back unsaid, it comes again as `<run>-n-1`, `-2`, …
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from conversations.models import Echo, EchoState
from conversations.models.echo import FINAL_STATES
from echoadmin.runs import Run

TAKEN_BACK = "script_stopped"  # by a stop or a pause, before it was said
SKIPPED = "skipped"
WAITING = (EchoState.QUEUED, EchoState.HELD)
BAD = (EchoState.INTERRUPTED, EchoState.FAILED, EchoState.REJECTED)  # after these somebody has to look
_COLUMNS = ("pk", "inference_id", "state", "reason", "detail", "queued_at", "ended_at")


class Said(NamedTuple):
    """One echo of the run."""

    pk: int
    inference_id: str
    state: str
    reason: str
    detail: str
    queued_at: datetime
    ended_at: datetime | None

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES

    @property
    def comes_again(self) -> bool:
        """It was cancelled unsaid: by a stop or a pause of the run, or by an interrupt of what was said before it."""
        return self.state == EchoState.CANCELLED and self.reason in (TAKEN_BACK, "interrupted")


@dataclass(slots=True)
class Place:
    """What the echoes don't tell; the run's cursor. Numbers of lines, and ids of echoes of which was told."""

    skipped: list[int] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)  # whose pause was cut short
    failed: dict[int, str] = field(default_factory=dict)  # could not be handed over, and why
    told: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, cursor: Any) -> Place:
        """From a run's cursor: JSON has texts for keys."""
        kept = cursor if isinstance(cursor, Mapping) else {}
        failed = {int(number): words for number, words in kept.get("failed", {}).items()}
        return cls(list(kept.get("skipped", [])), list(kept.get("cut", [])), failed, list(kept.get("told", [])))

    def cursor(self) -> dict[str, Any]:
        """As JSON."""
        failed = {str(number): words for number, words in self.failed.items()}
        return {"skipped": self.skipped, "cut": self.cut, "failed": failed, "told": self.told}


@dataclass(frozen=True, slots=True)
class Standing:
    """The run's echoes as they are at one moment, by the number of their line; of several the newest."""

    said: dict[int, Said]  # but for those that come again
    back: Counter[int]  # how often a line was taken back
    unsaid: list[Said]  # those

    def next(self, place: Place, total: int) -> int | None:
        """The first line that is not dealt with."""
        done = self.said.keys() | set(place.skipped) | place.failed.keys()
        return next((number for number in range(1, total + 1) if number not in done), None)

    def under_way(self) -> int | None:
        """The first line that waits or is being said."""
        return min((number for number, one in self.said.items() if not one.is_final), default=None)

    def ended(self, place: Place) -> int:
        """How many lines nothing more happens to."""
        final = {number for number, one in self.said.items() if one.is_final}
        return len(final | set(place.skipped) | place.failed.keys())


def echoes_of(run: Run) -> QuerySet[Echo]:
    """The echoes that this run made."""
    mine = f"{run.public_id}-"
    return Echo.objects.filter(conversation__public_id=run.params["to"], inference_id__startswith=mine)


def standing(run: Run) -> Standing:
    """One query."""
    said: dict[int, Said] = {}
    back: Counter[int] = Counter()
    unsaid: list[Said] = []
    for one in map(Said._make, echoes_of(run).order_by("id").values_list(*_COLUMNS)):
        number = number_of(run, one.inference_id)
        if number and one.comes_again:
            back[number] += 1
            unsaid.append(one)
        elif number:
            said[number] = one
    return Standing(said, back, unsaid)


def number_of(run: Run, inference_id: str) -> int:
    """Of the line that an echo says; 0 for an id of somebody else's."""
    number = inference_id.removeprefix(f"{run.public_id}-").split("-")[0]
    return int(number) if number.isdecimal() and len(number) < 9 else 0
