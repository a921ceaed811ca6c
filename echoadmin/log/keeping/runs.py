"""Pruning and erasure as runs: asked for over REST by an admin, seen on a page, stopped there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from django.core.exceptions import ValidationError

from echoadmin.actors import Actor
from echoadmin.log.keeping.erasing import Erased, EraseRefused, Of, Target, erase, would_erase
from echoadmin.log.keeping.holds import OnHold
from echoadmin.log.keeping.leases import LENGTH, Busy, Lost
from echoadmin.log.keeping.pruning import prune
from echoadmin.log.proof.signing import BadSigningKey
from echoadmin.runs import Asked, Broken, Held, run_kind

PRUNE, ERASE = "prune", "erase"
EVERY = 1.0  # seconds between two reports
TARGETS: tuple[Of, ...] = ("sender", "echo", "conversation")


def check_prune(params: Mapping[str, Any]) -> Asked:
    """Takes nothing: ages are settings. Raises ValidationError."""
    if params:
        raise ValidationError({sorted(params)[0]: ["Pruning takes nothing here: LOG_KEEP_DAYS… say what goes."]})
    return Asked({}, "Entries past their age")


@run_kind(PRUNE, role="admin", check=check_prune)
def prune_run(held: Held) -> dict[str, Any]:
    """Prunes what the settings say. One that was broken off begins again, and finds what is left."""
    report = _reporting(held)
    until = monotonic() + LENGTH.total_seconds() + 5  # so long a process that died may seem to be at work
    while True:
        try:
            outcomes = prune(actor=_actor(held), progress=report)
            break
        except Busy as reason:
            if monotonic() > until:
                raise Broken(str(reason)) from reason
            held.wait(5)
        except (Lost, BadSigningKey) as reason:
            raise Broken(str(reason)) from reason
    return {
        "pruned": [{"rule": str(done.rule), "entries": done.entries, "streams": len(done.streams)} for done in outcomes]
    }


def check_erase(params: Mapping[str, Any]) -> Asked:
    """{"reason": "…"} with one of sender, echo, conversation. Raises ValidationError."""
    if strangers := sorted(set(params) - {*TARGETS, "reason"}):
        raise ValidationError({strangers[0]: [f"An erasure takes a reason, and one of {', '.join(TARGETS)}."]})
    given = [name for name in TARGETS if params.get(name) not in (None, "")]
    if len(given) != 1:
        raise ValidationError({(given or TARGETS)[-1]: [f"Give one of {', '.join(TARGETS)}."]})
    reason = params.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise ValidationError({"reason": ["Say why: it is kept in the log."]})
    [of] = given
    value = str(params[of])[:200]
    try:
        would_erase(Target(of, value))
    except EraseRefused as refused:
        raise ValidationError({of: [f"{refused}."]}) from None
    return Asked({of: value, "reason": reason.strip()}, f"erase {of} {value}", value if of == "conversation" else "")


@run_kind(ERASE, role="admin", check=check_erase)
def erase_run(held: Held) -> dict[str, Any]:
    """Erases; one that was broken off goes on with what is left."""
    of = next(name for name in TARGETS if name in held.params)
    report = _reporting(held)
    target = Target(of, held.params[of])
    try:
        done = erase(
            target=target,
            actor=_actor(held),
            reason=held.params["reason"],
            progress=lambda erased: report(erased.entries),
        )
    except (EraseRefused, OnHold) as reason:
        raise Broken(str(reason)) from reason
    return _told(done)


def _told(done: Erased) -> dict[str, Any]:
    return {"entries": done.entries, "streams": len(done.streams), "sample_bytes": done.sample_bytes}


def _reporting(held: Held) -> Callable[[int], None]:
    """Tells the run how far it is, once a second: each report is a write of its own."""
    told = monotonic()

    def report(done: int) -> None:
        nonlocal told
        if monotonic() - told >= EVERY:
            told = monotonic()
            held.progress(done)

    return report


def _actor(held: Held) -> Actor:
    run = held.run
    return Actor(run.actor, run.actor_user_id, run.api_key_ref or None, request_id=run.request_id or None)
