"""What the log has done by itself: checkpoints, and pruning where ages are set."""

from __future__ import annotations

from datetime import timedelta

from echoadmin.duties import duty
from echoadmin.log.proof import checkpoints


@duty("checkpoint_log", every=timedelta(minutes=1))
def checkpoint_log() -> str | None:
    """Signs where the streams end, hourly or when many entries have come."""
    if not checkpoints.is_due():
        return None
    made = checkpoints.make_checkpoints()
    return f"checkpoint {made[-1].number}, {sum(row.heads for row in made)} streams" if made else None
