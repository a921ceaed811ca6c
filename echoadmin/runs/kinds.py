"""What kinds of runs there are: who may ask for one, how the wish is checked, and what does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from echoadmin.runs.doing import Held

Doing = Callable[["Held"], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Asked:
    """A wish that was checked: what the run is started with. `params` is JSON."""

    params: dict[str, Any]
    label: str = ""
    conversation_ref: str = ""


Checking = Callable[[Mapping[str, Any]], Asked]


@dataclass(frozen=True, slots=True)
class RunKind:
    """`check` raises what the API answers with 400 or 409; `role` None: nobody can ask for it over the API; `skips`:
    it obeys the wish to leave out what it is at."""

    do: Doing
    role: str | None = None
    check: Checking | None = None
    skips: bool = False


KINDS: dict[str, RunKind] = {}


def run_kind(
    name: str, *, role: str | None = None, check: Checking | None = None, skips: bool = False
) -> Callable[[Doing], Doing]:
    """Register what does runs of this kind; it returns the result, raises Stopped, Paused, Broken, or any error, which
    is kept.

    It may be called again after a restart, with what it told `Held.progress` last, and must go on from there.
    """

    def register(function: Doing) -> Doing:
        KINDS[name] = RunKind(function, role, check, skips)
        return function

    return register
