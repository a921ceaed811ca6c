"""The twin's faults, by its own control API: what can be rehearsed, what is armed, arm one, remove one or all.

Each function is one short HTTP call: none may be called in a database transaction. Every change is recorded.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx
from django.conf import settings

from echoadmin.accounts.recording import record
from echoadmin.actors import Actor

PATIENCE = 5.0  # s; the twin runs on this machine
MOST_TIMES, LONGEST = 1000, 86_400.0


class TwinAway(RuntimeError):
    """The twin does not answer, or what answers is none."""


class NoFault(ValueError):
    """A fault that can't be armed as it was asked for; the message says why."""


def rehearsals() -> list[dict[str, Any]]:
    """Faults that are worth rehearsing, each with what happens and what to expect. Raises TwinAway."""
    return _rows(_ask("GET", "/twin/faults/rehearsals"))


def armed() -> list[dict[str, Any]]:
    """What goes wrong next, the oldest first. Raises TwinAway."""
    return _rows(_ask("GET", "/twin/faults"))


def arm(
    *, actor: Actor, name: str, times: int | None = 1, seconds: float | None = None, conversation_id: str = ""
) -> dict[str, Any]:
    """Arm the rehearsal of this name: `times` (None: until it is removed), for `seconds` where it takes any, in one
    conversation alone by Tavus's id. Returns the rehearsal. Raises NoFault and TwinAway.
    """
    known = next((one for one in rehearsals() if one["name"] == name), None)
    if known is None:
        raise NoFault("Choose what is to go wrong.")
    fault = {**known["fault"], "count": times}
    if known["seconds"] is not None:
        fault["seconds"] = known["seconds"] if seconds is None else seconds
    if conversation_id and not _meets_one(known["fault"]):
        raise NoFault("Where: this meets no conversation that runs already. Choose Everywhere.")
    if conversation_id:
        fault["conversation_id"] = conversation_id
    answer = _ask("POST", "/twin/faults", fault)
    if answer.status_code != 201:
        raise NoFault(f"The twin refused it: {_error(answer)}")
    record("fault.armed", actor, {"id": answer.json()["id"], "rehearsal": name, "fault": fault, "source": actor.source})
    return known


def _meets_one(fault: dict[str, Any]) -> bool:
    """Whether it can meet one conversation that is there: not so what strikes a persona, or the next to be made."""
    of_the_next = fault["kind"] in ("replica_absent", "replica_late", "overrun", "maker_changes")
    return not of_the_next and fault.get("path") in (None, "/v2/conversations/")


def remove(*, actor: Actor, fault_id: str = "") -> int:
    """Remove one fault, or all; how many there were. Twice is once. Raises TwinAway."""
    if fault_id and not fault_id.isalnum():
        return 0
    answer = _ask("DELETE", f"/twin/faults/{fault_id}" if fault_id else "/twin/faults")
    cleared = int(answer.json()["cleared"])
    if cleared:
        record("fault.removed", actor, {"id": fault_id or None, "count": cleared, "source": actor.source})
    return cleared


def _ask(method: str, path: str, body: Any = None) -> httpx.Response:
    upstream = urlsplit(settings.TAVUS_API_URL)
    try:
        answer = httpx.request(
            method, f"{upstream.scheme}://{upstream.netloc}{path}", json=body, timeout=PATIENCE, trust_env=False
        )
        answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise TwinAway(f"The twin at {upstream.netloc} does not answer as one: {error}") from error
    return answer


def _rows(answer: httpx.Response) -> list[dict[str, Any]]:
    rows = answer.json()
    if not isinstance(rows, list):
        raise TwinAway(f"The twin answered with something else: {_error(answer)} Is it of this version?")
    return rows


def _error(answer: httpx.Response) -> str:
    told = answer.json()
    return str(told.get("error", told) if isinstance(told, dict) else told)[:300]
