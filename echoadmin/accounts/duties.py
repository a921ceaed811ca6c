"""What the accounts app does again and again."""

from __future__ import annotations

from datetime import timedelta

from echoadmin.accounts import throttling
from echoadmin.accounts.sessions import SessionStore
from echoadmin.duties import duty
from echoadmin.idempotency import forget_old


@duty("forget_idempotency_keys", every=timedelta(hours=1))
def forget_idempotency_keys() -> str:
    """Answers are kept for 24 hours, no longer."""
    return f"{forget_old()} forgotten"


@duty("forget_sessions", every=timedelta(hours=1))
def forget_sessions() -> str:
    """Sessions that have ended by time are of no use to anybody."""
    SessionStore.clear_expired()
    return f"those that have ended, and {throttling.forget_old()} tries to sign in"
