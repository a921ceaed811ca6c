"""What became of each line of a replay: what the run's page shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from conversations.models import Echo
from conversations.replay.asking import Line, Replay
from conversations.replay.dry import SHOWN
from conversations.replay.run import TAKEN_BACK
from echoadmin.runs import Run
from echoadmin.shown import after, lasting

PAGE = 100  # lines on one page
TO_COME, NOT_SAID = "to come", "not said"  # of lines that have no echo yet, or never got one


@dataclass(frozen=True, slots=True)
class Told:
    """One line: when it is due, its words, the echo it comes from, and the one that was made of it."""

    number: int  # from 1
    at: float  # seconds after the start
    words: str
    edited: bool
    state: str
    why: str
    origin: Echo | None
    made: Echo | None

    @property
    def after(self) -> str:
        """When it is due, in words."""
        return after(self.at)

    @property
    def length(self) -> str:
        """How long its sound lasts."""
        return lasting(round(self.origin.seconds, 1)) if self.origin else ""


def echoes_of(run: Run) -> QuerySet[Echo]:
    """The echoes that this run made: they lie in the conversation that it speaks into, and their ids begin with its."""
    mine = f"{run.public_id}-"
    return Echo.objects.filter(conversation__public_id=run.params["to"], inference_id__startswith=mine)


def told_lines(run: Run, page: int) -> list[Told]:
    """A page of them; three queries for all."""
    replay = Replay.of(run.params)
    first = (page - 1) * PAGE
    lines = replay.lines[first : first + PAGE]
    times = replay.times()[first : first + PAGE]
    origins = Echo.objects.select_related("conversation").in_bulk([line.origin for line in lines])
    made = _made(run, [line.origin for line in lines])
    failed = {one["echo"]: one["fails"] for one in _failed(run)}
    return [
        _told(run, first + k + 1, times[k], line, origins.get(line.origin), made.get(first + k + 1), failed)
        for k, line in enumerate(lines)
    ]


def looked(run: Run) -> dict[str, Any]:
    """What a dry replay found over all; `kept`: how many of its lines are in the run itself."""
    result = run.result
    if not isinstance(result, Mapping) or "lines" not in result:
        return {"result": None, "kept": 0}
    said = len(run.params["lines"]) - result["fails"]
    told = {"sayable": said, "lasting": lasting(round(result["seconds"]))}
    return {"result": {**result, **told}, "kept": len(result["lines"])}


def looked_lines(run: Run, page: int) -> list[dict[str, Any]]:
    """A page of what a dry replay found."""
    first = (page - 1) * PAGE
    found = run.result["lines"][first : first + PAGE] if isinstance(run.result, Mapping) else []
    return [
        one
        | {
            "number": first + k + 1,
            "after": after(one["at"]),
            "words": one.get("text", "") + ("…" if len(one.get("text", "")) == SHOWN else ""),
            "length": ("" if one.get("modality") == "audio" else "≈ ") + lasting(round(one["seconds"], 1)),
        }
        for k, one in enumerate(found)
    ]


def counted(run: Run) -> list[tuple[str, int]]:
    """How many lines are in which state, those that were said first; two queries."""
    total = len(run.params["lines"])
    states = Counter(echoes_of(run).exclude(reason=TAKEN_BACK).values_list("state", flat=True))
    states["failed"] += len(_failed(run))
    states[NOT_SAID if run.is_ended else TO_COME] += max(0, total - states.total())
    order = ("spoken", "speaking", "sent", "sending", "queued", TO_COME)
    return sorted(
        ((state, count) for state, count in states.items() if count),
        key=lambda one: (order.index(one[0]) if one[0] in order else len(order), one[0]),
    )


def _made(run: Run, origins: Iterable[int]) -> dict[int, Echo]:
    """The echoes that were made, by the number of their line: of one that was taken back and came again, the newest."""
    found: dict[int, Echo] = {}
    for echo in echoes_of(run).filter(replay_of__in=list(origins)).defer("body_sha256").order_by("id"):
        number = echo.inference_id.removeprefix(f"{run.public_id}-").split("-")[0]
        if number.isdecimal():
            found[int(number)] = echo
    return found


def _failed(run: Run) -> list[dict[str, Any]]:
    """The lines that could not be handed over, and why."""
    kept = run.result if isinstance(run.result, Mapping) and "failed" in run.result else run.cursor
    return list(kept["failed"]) if isinstance(kept, Mapping) else []


def _told(
    run: Run, number: int, at: float, line: Line, origin: Echo | None, made: Echo | None, failed: dict[int, str]
) -> Told:
    words = line.text if line.text is not None else origin.text if origin else ""
    state, why = NOT_SAID if run.is_ended else TO_COME, ""
    if made is not None and made.reason != TAKEN_BACK:
        state, why = made.state, made.detail or made.reason
    elif made is not None:
        why = made.detail if run.is_ended else ""
    elif line.origin in failed:
        state, why = "failed", failed[line.origin]
    return Told(number, at, words, line.text is not None, state, why, origin, made)
