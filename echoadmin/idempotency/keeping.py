"""The rows of Idempotency-Keys: claimed by the first, waited for by its equals, taken over from the dead, forgotten."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from echoadmin.accounts.models import IdempotentRequest
from echoadmin.api.problems import ApiError, Problem, refused
from echoadmin.idempotency.asked import Asked
from echoadmin.processes import alive
from echoadmin.request_threads import let_go, pause
from echoadmin.sealed import Unreadable, seal, unseal

__all__ = ["KEPT", "Unreadable", "answer_of", "awaited", "check_same", "claim", "forget_old", "keep_answer"]

KEPT = timedelta(hours=24)
LONGEST_RUN = timedelta(minutes=2)
"""After this a request that never ended is taken for dead, wherever it ran; upstream answers within half a minute."""

WAIT = 30.0  # seconds that an equal request waits for the first
LOOK_EVERY = 0.1  # seconds
WAITERS = threading.BoundedSemaphore(50)
"""Each holds a thread, but no connection to the database. Who finds no place is told to ask again."""

_PROCESS = uuid.uuid4().hex


def claim(asked: Asked, new_ref: Callable[[], str]) -> tuple[IdempotentRequest, bool]:
    """The row of this key, and whether this request is the one to do the work."""
    for _ in range(3):
        try:
            with transaction.atomic():
                made = IdempotentRequest.objects.create(
                    **asked.place,
                    body_sha256=asked.fingerprint,
                    ref=new_ref(),
                    holder=_holder(),
                    created_at=timezone.now(),
                )
            return made, True
        except IntegrityError:
            found = IdempotentRequest.objects.filter(**asked.place).first()
            if found is not None and found.created_at > timezone.now() - KEPT:
                return found, False
            IdempotentRequest.objects.filter(**asked.place, created_at__lte=timezone.now() - KEPT).delete()
    raise _still_running()


def check_same(row: IdempotentRequest, asked: Asked) -> None:
    """Raises ApiError where the key was used for something else."""
    if row.body_sha256 != asked.fingerprint:
        words = (
            "This Idempotency-Key was used with another body or query in the last 24 hours. "
            "Use a new key for a new request."
        )
        raise refused(409, "idempotency_key_reused", words, **{"Idempotency-Key": words})


def awaited(row: IdempotentRequest) -> IdempotentRequest:
    """The row with the first request's answer; without one when that is known to be dead and this one has its place.

    Raises ApiError (409, with a Retry-After) when the first takes longer than WAIT, or too many wait already.
    """
    if row.status is not None:
        return row
    if not WAITERS.acquire(blocking=False):
        raise _still_running()
    try:
        until = time.monotonic() + WAIT
        while row.status is None:
            if _is_dead(row) and _take_over(row):
                return IdempotentRequest.objects.get(pk=row.pk)
            if time.monotonic() >= until:
                raise _still_running()
            let_go()
            with pause():
                time.sleep(LOOK_EVERY)
            fresh = IdempotentRequest.objects.filter(pk=row.pk).first()
            if fresh is None:  # the first made nothing, and may be tried again
                raise _still_running()
            row = fresh
        return row
    finally:
        WAITERS.release()


def keep_answer(row: IdempotentRequest, status: int, answer: str) -> None:
    """For the next 24 hours; sealed, since it may hold a secret that is shown once."""
    IdempotentRequest.objects.filter(pk=row.pk).update(status=status, answer=seal(answer))


def answer_of(row: IdempotentRequest) -> str:
    """The body as it was sent. Raises Unreadable when the secret key has changed since."""
    return unseal(row.answer)


def forget_old() -> int:
    """Deletes what is older than 24 hours; returns how many."""
    return IdempotentRequest.objects.filter(created_at__lt=timezone.now() - KEPT).delete()[0]


def _still_running() -> ApiError:
    words = "The first request with this Idempotency-Key is still under way. Send the same again in a moment."
    return ApiError(Problem(409, "idempotency_in_progress", words, retry_after=2))


def _holder() -> str:
    return f"{socket.gethostname()[:200]}|{os.getpid()}|{_PROCESS}"


def _is_dead(row: IdempotentRequest) -> bool:
    """Whether nobody works on it: its process is gone from this host, or it takes longer than anything can."""
    if row.created_at < timezone.now() - LONGEST_RUN:
        return True
    host, _, rest = row.holder.partition("|")
    pid, _, process = rest.partition("|")
    if host != socket.gethostname()[:200]:
        return False
    return process != _PROCESS if int(pid) == os.getpid() else not alive(int(pid))


def _take_over(row: IdempotentRequest) -> bool:
    mine = {"holder": _holder(), "created_at": timezone.now()}
    return bool(IdempotentRequest.objects.filter(pk=row.pk, holder=row.holder, status=None).update(**mine))
