"""What the log has done by itself: checkpoints, and pruning where ages are set."""

from __future__ import annotations

from datetime import timedelta

from echoadmin.actors import SYSTEM
from echoadmin.duties import duty
from echoadmin.log.keeping.pruning import anything_to_prune
from echoadmin.log.keeping.runs import PRUNE
from echoadmin.log.proof import checkpoints
from echoadmin.runs import ENDED, Run, start_run


@duty("checkpoint_log", every=timedelta(minutes=1), at_rest=True)
def checkpoint_log() -> str | None:
    """Signs where the streams end, hourly or when many entries have come."""
    if not checkpoints.is_due():
        return None
    made = checkpoints.make_checkpoints()
    return f"checkpoint {made[-1].number}, {sum(row.heads for row in made)} streams" if made else None


@duty("prune_log", every=timedelta(hours=1))
def prune_log() -> str | None:
    """Begins such a run where ages are set and entries are older; it works in a thread of its own."""
    if Run.objects.filter(kind=PRUNE).exclude(state__in=ENDED).exists():
        return "the last one is still at work"
    if not anything_to_prune():
        return None
    return f"began {start_run(actor=SYSTEM, kind=PRUNE, params={}, label='Entries past their age').public_id}"
