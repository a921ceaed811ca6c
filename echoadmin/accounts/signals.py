"""Sign-ins, failed ones and sign-outs become entries of the log."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from echoadmin.accounts.acting import actor, client_address
from echoadmin.accounts.recording import record
from echoadmin.actors import Actor


@receiver(user_logged_in)
def on_sign_in(sender: Any, request: HttpRequest | None, user: Any, **_: Any) -> None:
    """`request` is None where a program signs in, as test clients do."""
    if request is not None and user is not None:
        request.user = user
        record("sign_in", actor(request), {"address": client_address(request)})


@receiver(user_logged_out)
def on_sign_out(sender: Any, request: HttpRequest | None, user: Any, **_: Any) -> None:
    """Nobody signs out when there was no session."""
    if request is not None and user is not None:
        name = Actor(name=user.get_username(), user_id=user.pk, request_id=getattr(request, "request_id", None))
        record("sign_out", name, {"address": client_address(request)})


@receiver(user_login_failed)
def on_failed_sign_in(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Only names that exist are kept: people type passwords into the wrong field."""
    name = str(credentials.get("username", ""))
    known = get_user_model().objects.filter(username=name[:150]).exists()
    who = Actor(name=name if known else "unknown user", request_id=getattr(request, "request_id", None))
    address = client_address(request) if request is not None else None
    record("sign_in_failed", who, {"address": address, "known": known}, is_error=True)
