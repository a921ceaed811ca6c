"""Verification as a run: with progress on a page, taken up again by another process where one has died."""

from __future__ import annotations

from typing import Any

from echoadmin.log.proof.verifying import Scope, State, Verification
from echoadmin.runs import Held, run_kind

EVERY = 5  # steps (of a thousand entries) between two writes of the place


@run_kind("verify")
def verify_run(held: Held) -> dict[str, Any]:
    """Verifies what `params` say: {} everything, {"stream": "cv_…"}, and `first` and `last` numbers of it."""
    params = held.params
    scope = Scope(params.get("stream"), params.get("first"), params.get("last"))
    verification = Verification(scope, State.from_dict(held.cursor) if held.cursor else None)
    for step, state in enumerate(verification.steps()):
        if step % EVERY == 0 or state.complete:
            held.progress(state.checked, total=verification.total, cursor=state.as_dict())
    state = verification.state
    return {
        "verified": not state.findings,
        "entries": state.checked,
        "streams": state.streams,
        "findings": [finding.as_dict() for finding in state.findings],
    }
