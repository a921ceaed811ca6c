"""`Idempotency-Key`: a POST that is sent again is answered again, and makes nothing a second time.

The object that a POST makes gets its id here, before anything is made, and the id is kept with the key. So after a
crash in the middle the object itself, if it was reserved, says what became of it; and if it was not, nothing was made.
"""

from __future__ import annotations

import functools
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.response import Response

from echoadmin.accounts.models import ApiKey, IdempotentRequest
from echoadmin.api.problems import ApiError, Problem, refused
from echoadmin.processes import alive

KEPT = timedelta(hours=24)
LONGEST_RUN = timedelta(minutes=2)
"""After this a request that never ended is taken for dead, wherever it ran; upstream answers within half a minute."""

WAIT = 30.0  # seconds that an equal request waits for the first
LOOK_EVERY = 0.1  # seconds
WAITERS = threading.BoundedSemaphore(50)

_KEY = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,254}")
_PROCESS = uuid.uuid4().hex


def idempotent(new_ref: Callable[[], str]) -> Callable[[Callable[..., Response]], Callable[..., HttpResponseBase]]:
    """For a view's `post(self, request, ref, …)`: `ref` is the id to give to what is made, from `new_ref`.

    The view also has `answer_for(ref, **kwargs) -> Response | None`: that object as it is now, if there is one.
    """

    def decorate(post: Callable[..., Response]) -> Callable[..., HttpResponseBase]:
        @functools.wraps(post)
        def answered(view: Any, request: Any, **kwargs: Any) -> HttpResponseBase:
            key = request.headers.get("Idempotency-Key")
            if key is None:
                return post(view, request, ref=new_ref(), **kwargs)
            if not _KEY.fullmatch(key):
                words = "Is 1 to 255 printable ASCII characters, such as a UUID."
                raise refused(400, "invalid", f"Idempotency-Key: {words}", **{"Idempotency-Key": words})
            return _once(view, request, key, new_ref, lambda ref: post(view, request, ref=ref, **kwargs), kwargs)

        return answered

    return decorate


def forget_old() -> int:
    """Deletes what is older than 24 hours; returns how many."""
    return IdempotentRequest.objects.filter(created_at__lt=timezone.now() - KEPT).delete()[0]


def _once(
    view: Any,
    request: Any,
    key: str,
    new_ref: Callable[[], str],
    make: Callable[[str], Response],
    kwargs: dict[str, Any],
) -> HttpResponseBase:
    asked = _Asked(_who(request), request.method, request.path[:500], key, _fingerprint(request))
    row, fresh = _claim(asked, new_ref)
    if fresh:
        return _run(view, row, make, kwargs)
    _check_same(row, asked)
    row = _awaited(row)
    if row.status is not None:
        return _again(row)
    # A dead process may have reserved what the key is for: then its state is the answer, and nothing is made.
    there = view.answer_for(row.ref, **kwargs)
    return _settle(view, row, there, kwargs) if there is not None else _run(view, row, make, kwargs)


class _Asked:
    """What tells one request from another."""

    def __init__(self, who: str, method: str, path: str, key: str, body_sha256: str) -> None:
        self.place = {"who": who, "method": method, "path": path, "key": key}
        self.body_sha256 = body_sha256


def _claim(asked: _Asked, new_ref: Callable[[], str]) -> tuple[IdempotentRequest, bool]:
    """The row of this key, and whether this request is the one to do the work."""
    for _ in range(3):
        try:
            with transaction.atomic():
                made = IdempotentRequest.objects.create(
                    **asked.place,
                    body_sha256=asked.body_sha256,
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


def _check_same(row: IdempotentRequest, asked: _Asked) -> None:
    if row.body_sha256 != asked.body_sha256:
        words = "This Idempotency-Key was used with another body in the last 24 hours. Use a new key for a new request."
        raise refused(409, "idempotency_key_reused", words, **{"Idempotency-Key": words})


def _awaited(row: IdempotentRequest) -> IdempotentRequest:
    """The row with the first request's answer; without one when that is known to be dead and this one has its place."""
    if not WAITERS.acquire(blocking=False):
        raise _still_running()
    try:
        until = time.monotonic() + WAIT
        while row.status is None:
            if _is_dead(row) and _take_over(row):
                return IdempotentRequest.objects.get(pk=row.pk)
            if time.monotonic() >= until:
                raise _still_running()
            time.sleep(LOOK_EVERY)
            fresh = IdempotentRequest.objects.filter(pk=row.pk).first()
            if fresh is None:  # the first made nothing, and may be tried again
                raise _still_running()
            row = fresh
        return row
    finally:
        WAITERS.release()


def _run(
    view: Any, row: IdempotentRequest, make: Callable[[str], Response], kwargs: dict[str, Any]
) -> HttpResponseBase:
    try:
        response = make(row.ref)
    except Exception as error:  # noqa: BLE001 - the view's own handler answers it, as it would without a key
        try:
            response = view.handle_exception(error)
        except BaseException:
            row.delete()
            raise
    return _settle(view, row, response, kwargs)


def _settle(view: Any, row: IdempotentRequest, response: Response, kwargs: dict[str, Any]) -> HttpResponseBase:
    """Keep the answer; but where nothing was made, forget the key, so that a corrected request can use it."""
    response = view.finalize_response(view.request, response)
    response.render()
    if response.status_code < 400 or view.answer_for(row.ref, **kwargs) is not None:
        answer = response.content.decode()
        IdempotentRequest.objects.filter(pk=row.pk).update(status=response.status_code, answer=answer)
    else:
        row.delete()
    return HttpResponse(response.content, status=response.status_code, headers=dict(response.items()))


def _again(row: IdempotentRequest) -> HttpResponseBase:
    headers = {"Idempotent-Replayed": "true"}
    return HttpResponse(row.answer, status=row.status, content_type="application/json", headers=headers)


def _still_running() -> ApiError:
    words = "The first request with this Idempotency-Key is still under way. Send the same again in a moment."
    return ApiError(Problem(409, "idempotency_in_progress", words, retry_after=2))


def _who(request: Any) -> str:
    return f"key:{request.auth.prefix}" if isinstance(request.auth, ApiKey) else f"user:{request.user.pk}"


def _fingerprint(request: Any) -> str:
    """Of the body; of a multipart one, of what it holds, since its boundary differs each time."""
    if not request.content_type.startswith("multipart/"):
        return sha256(request.body).hexdigest()
    whole = sha256()
    for name, values in sorted(request.POST.lists()):
        whole.update(repr((name, values)).encode())
    for name, file in sorted(request.FILES.items()):
        content = sha256()
        for block in file.chunks():
            content.update(block)
        file.seek(0)
        whole.update(repr((name, content.hexdigest())).encode())
    return whole.hexdigest()


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
