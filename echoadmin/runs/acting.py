"""Who acts in a run: who asked for it, under the marks that they have now."""

from __future__ import annotations

from echoadmin.accounts.acting import reviewed_now
from echoadmin.actors import Actor
from echoadmin.runs.models import Run


def actor_of_run(run: Run, source: str) -> Actor:
    """The actor of what a run does; a run that is resumed asks again whether they are reviewed."""
    key = run.api_key_ref or None
    return Actor(
        name=run.actor,
        user_id=run.actor_user_id,
        api_key_ref=key,
        request_id=run.request_id or None,
        source=source,
        reviewed=reviewed_now(run.actor_user_id, key),
    )
