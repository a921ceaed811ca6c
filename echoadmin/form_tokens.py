"""A form that makes something is obeyed once, however often it is sent.

Its hidden token is claimed before anything is paid for. The claims are the rows of the API's Idempotency-Key.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable
from typing import Any, Protocol

from django.db import IntegrityError, transaction
from django.forms import Form
from django.http import HttpRequest
from django.utils import timezone

from echoadmin.accounts.models import IdempotentRequest
from echoadmin.mirror.models import MirrorState, new_public_id
from echoadmin.pages import tell
from echoadmin.tavus.errors import TavusError

SENT_TWICE = (
    "This form was sent twice, and the first time is still being worked on, or was refused. "
    "Look at the list before you send it again."
)


class Blameable(Protocol):
    """A form that can show an error beside the field it is about."""

    cleaned_data: dict[str, Any]

    def blame(self, error: Exception) -> None:
        """Show it."""

    def add_error(self, field: str | None, error: Any) -> None:
        """Django's own."""


def new_token() -> str:
    """A token for a fresh form."""
    return secrets.token_urlsafe(24)


def make_once(request: HttpRequest, form: Blameable | Form, model: Any, make: Callable[[str], Any]) -> Any:
    """What the form makes, or has made already; None when it was refused, with the reasons in the form.

    model: has a PREFIX, and rows with a public id and a state. make: takes the public id that the new row is to have.
    An object whose answer was lost is given back too: its page says so, and the form must not be offered again.
    """
    ref = new_public_id(model.PREFIX)
    first = _claim(request, form.cleaned_data["token"], ref)
    if first is not None:
        made = model.objects.filter(public_id=first).first()
        if made is None:
            form.add_error(None, SENT_TWICE)
        return made
    try:
        made = make(ref)
    except (TavusError, ValueError) as error:
        lost = model.objects.filter(public_id=ref, state=MirrorState.UNKNOWN).first()
        if lost is None:
            form.blame(error)  # type: ignore[union-attr]
            return None
        tell(request, error)
        made = lost
    _settle(request, form.cleaned_data["token"], made.public_id)
    return made


def _claim(request: HttpRequest, token: str, ref: str) -> str | None:
    """None: the token is ours. Otherwise the `ref` of who was first."""
    key = _key(request, token)
    try:
        with transaction.atomic():
            IdempotentRequest.objects.create(
                **key,
                body_sha256="",
                ref=ref,
                holder=f"{socket.gethostname()}/{os.getpid()}",
                created_at=timezone.now(),
            )
    except IntegrityError:
        return IdempotentRequest.objects.get(**key).ref
    return None


def _settle(request: HttpRequest, token: str, ref: str) -> None:
    IdempotentRequest.objects.filter(**_key(request, token)).update(ref=ref, status=201)


def _key(request: HttpRequest, token: str) -> dict[str, str]:
    return {"who": f"user:{request.user.pk}", "method": "POST", "path": request.path[:500], "key": token[:255]}
