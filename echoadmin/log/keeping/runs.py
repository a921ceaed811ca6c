"""Pruning as a run: seen on a page, and stopped there."""

from __future__ import annotations

from typing import Any

from echoadmin.actors import Actor
from echoadmin.log.keeping.pruning import prune
from echoadmin.runs import Held, run_kind

PRUNE = "prune"


@run_kind(PRUNE)
def prune_run(held: Held) -> dict[str, Any]:
    """Prunes what the settings say."""
    run = held.run
    actor = Actor(name=run.actor, user_id=run.actor_user_id, api_key_ref=run.api_key_ref or None)
    outcomes = prune(actor=actor, progress=held.progress)
    return {
        "pruned": [{"rule": str(done.rule), "entries": done.entries, "streams": len(done.streams)} for done in outcomes]
    }
