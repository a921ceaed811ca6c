"""What the alerts app does again and again."""

from __future__ import annotations

from datetime import timedelta

from echoadmin.alerts.evaluating import evaluate_all
from echoadmin.duties import duty


@duty("evaluate_rules", every=timedelta(seconds=5))
def evaluate_rules() -> str | None:
    """Raises alerts for entries that rules are about."""
    raised = evaluate_all(seconds=3.0)
    return f"{raised} alerts raised" if raised else None
