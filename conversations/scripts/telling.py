"""What became of each line of a script's run: what the run's page and the live page show."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from conversations.models import Conversation, EchoState, Script
from conversations.models.echo import FINAL_STATES
from conversations.scripts.lines import Line, length, seconds_of, variables_in
from conversations.scripts.standing import SKIPPED, Place, Said, Standing, standing
from echoadmin.read_only import address
from echoadmin.runs import ENDED, Run
from echoadmin.shown import lasting

PAGE = 100  # lines on one page
OFFERED = 200  # scripts that the live page offers
TO_COME, NOT_SAID = "to come", "not said"  # of lines that have no echo yet, or never got one


@dataclass(frozen=True, slots=True)
class Told:
    """One line and what became of it."""

    number: int  # from 1
    words: str
    length: str
    pause: str
    waits: bool
    state: str
    why: str
    echo: int | None


def told_lines(run: Run, page: int) -> list[Told]:
    """A page of them; one query."""
    now, place = standing(run), Place.of(run.cursor)
    first = (page - 1) * PAGE
    lines = run.params["lines"][first : first + PAGE]
    return [_told(run, first + k + 1, line, now, place) for k, line in enumerate(lines)]


def counted(run: Run) -> list[tuple[str, int]]:
    """How many lines are in which state, those that were said first."""
    now, place = standing(run), Place.of(run.cursor)
    states = Counter(_state(run, number, now, place) for number in range(1, len(run.params["lines"]) + 1))
    order = ("spoken", "speaking", "sent", "sending", "queued", TO_COME)
    return sorted(states.items(), key=lambda one: (order.index(one[0]) if one[0] in order else len(order), one[0]))


def panel(conversation: Conversation, *, offers: bool = True) -> dict[str, Any]:
    """For the live page: the scripts that can be started, and the newest run here with where it is. `offers`: whether
    the scripts are wanted too; None else."""
    scripts = [offer(script) for script in Script.objects.order_by("name", "id")[:OFFERED]] if offers else None
    runs = Run.objects.filter(kind="script", conversation_ref=conversation.public_id)
    run = runs.exclude(state__in=ENDED).order_by("-id").first() or runs.order_by("-id").first()
    return {"scripts": scripts, "run": where(run) if run else None}


def offer(script: Script) -> dict[str, Any]:
    """A script, and what its start asks for."""
    variables = [{"name": name, "default": script.variables.get(name, "")} for name in variables_in(script.lines)]
    count, long = len(script.lines), lasting(round(seconds_of(script.lines)))
    about = f"{count} line{'s' if count != 1 else ''} · ≈ {long}"
    return {"id": script.public_id, "name": script.name, "about": about, "variables": variables}


def where(run: Run) -> dict[str, Any]:
    """Where a run is: `at` the line that is said or waits, else the next one."""
    now, place, lines = standing(run), Place.of(run.cursor), run.params["lines"]
    saying = now.under_way()
    at = saying or now.next(place, len(lines))
    after = next((n for n in range(at + 1, len(lines) + 1) if n not in place.skipped), None) if at else None
    return {
        "id": run.public_id,
        "name": run.params["name"],
        "state": run.state,
        "ended": run.is_ended,
        "error": run.error,
        "wish": run.wish,
        "done": now.ended(place),
        "total": len(lines),
        "at": at,
        "line": words_of(lines[at - 1]) if at else "",
        "line_state": now.said[saying].state if saying else "",
        "after": words_of(lines[after - 1]) if after else "",
        "address": address(run),
    }


def words_of(line: Line) -> str:
    """What it says, or the name of its samples."""
    return str(line["text"]) if "text" in line else str(line.get("name") or "Audio")


def _told(run: Run, number: int, line: Line, now: Standing, place: Place) -> Told:
    one = now.said.get(number)
    return Told(
        number=number,
        words=words_of(line),
        length=("" if "clip" in line else "≈ ") + lasting(round(length(line), 1)),
        pause=lasting(line["pause"]) if line["pause"] else "",
        waits=bool(line["wait"]),
        state=_state(run, number, now, place),
        why=_why(number, one, place),
        echo=one.pk if one else None,
    )


def _state(run: Run, number: int, now: Standing, place: Place) -> str:
    one = now.said.get(number)
    if number in place.skipped and (one is None or one.state in FINAL_STATES):
        return SKIPPED
    if number in place.failed:
        return str(EchoState.FAILED)
    return one.state if one else NOT_SAID if run.is_ended else TO_COME


def _why(number: int, one: Said | None, place: Place) -> str:
    if number in place.failed:
        return place.failed[number]
    return one.detail or one.reason if one and one.state != EchoState.SPOKEN else ""
