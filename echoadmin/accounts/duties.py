"""What the accounts app does again and again."""

from __future__ import annotations

from datetime import timedelta

from echoadmin.duties import duty
from echoadmin.idempotency import forget_old


@duty("forget_idempotency_keys", every=timedelta(hours=1))
def forget_idempotency_keys() -> str:
    """Answers are kept for 24 hours, no longer."""
    return f"{forget_old()} forgotten"
