"""`Idempotency-Key`: a POST that is sent again is answered again, and makes nothing a second time.

Every POST of the API honours it, each in one of three ways that differ in what a crash in the middle leaves:

* `idempotent`: makes an object, whose id is given here before anything is made and kept with the key. After a crash the
  object itself, if it was reserved, says what became of it; and if it was not, nothing was made.
* `act_once`: changes rows alone, and commits together with its answer: after a crash both are there, or neither.
* all others (`repeatable`, which every view's `post` is unless it says otherwise) can be done twice and come to the
  same: a join, an end, a sync. After a crash they are done again.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound
from rest_framework.response import Response

from echoadmin.accounts.models import IdempotentRequest
from echoadmin.api.problems import refused
from echoadmin.idempotency.asked import asked_by
from echoadmin.idempotency.keeping import (
    KEPT,
    Unreadable,
    answer_of,
    awaited,
    check_same,
    claim,
    forget_old,
    keep_answer,
)

__all__ = ["KEPT", "act_once", "forget_old", "handles_key", "idempotent", "repeatable", "told"]

REPLAYED = "Idempotent-Replayed"  # the header of an answer that was given before

Post = Callable[..., Any]


@dataclass(frozen=True)
class _Way:
    """How one POST is done."""

    make: Callable[[str], Any]  # takes the id for what it makes
    new_ref: Callable[[], str] = str
    together: bool = False  # in one transaction with its answer


def idempotent(new_ref: Callable[[], str]) -> Callable[[Post], Post]:
    """For a view's `post(self, request, ref, …)`: `ref` is the id to give to what is made, from `new_ref`.

    The view also has `answer_for(ref, **kwargs) -> Response | None`: that object as it is now, if there is one.
    """

    def decorate(post: Post) -> Post:
        @functools.wraps(post)
        def answered(view: Any, request: Any, **kwargs: Any) -> HttpResponseBase:
            def make(ref: str) -> Any:
                return post(view, request, ref=ref, **kwargs)

            return _answered(view, request, _Way(make, new_ref), kwargs)

        return handles_key(answered)

    return decorate


def act_once(post: Post) -> Post:
    """For a `post(self, request, …)` that changes rows and nothing else: it runs in a transaction, with its answer."""
    return _plain(post, together=True)


def repeatable(post: Post) -> Post:
    """For a `post(self, request, …)` that may be done twice: after a crash it is done again."""
    return _plain(post, together=False)


def handles_key(post: Post) -> Post:
    """Mark a `post` that sees to the key itself, such as by what it calls."""
    post.handles_key = True  # type: ignore[attr-defined]
    return post


def told(response: Any) -> tuple[Any, dict[str, str]]:
    """Of an answer that was just made, or given before: its data, and the header that says which."""
    headers = {REPLAYED: response[REPLAYED]} if REPLAYED in response else {}
    return (response.data if isinstance(response, Response) else json.loads(response.content)), headers


def _plain(post: Post, *, together: bool) -> Post:
    @functools.wraps(post)
    def answered(view: Any, request: Any, **kwargs: Any) -> HttpResponseBase:
        def make(_: str) -> Any:
            return post(view, request, **kwargs)

        return _answered(view, request, _Way(make, together=together), kwargs)

    return handles_key(answered)


def _answered(view: Any, request: Any, way: _Way, kwargs: dict[str, Any]) -> HttpResponseBase:
    asked = asked_by(request)
    if asked is None:
        made: HttpResponseBase = way.make(way.new_ref())
        return made
    row, fresh = claim(asked, way.new_ref)
    if fresh:
        return _run(view, row, way, kwargs)
    check_same(row, asked)
    row = awaited(row)
    if row.status is not None:
        return _again(view, row, kwargs)
    # A dead process may have reserved what the key is for: then its state is the answer, and nothing is made.
    there = _made(view, row, kwargs)
    return _settle(view, row, there, kwargs) if there is not None else _run(view, row, way, kwargs)


def _run(view: Any, row: IdempotentRequest, way: _Way, kwargs: dict[str, Any]) -> HttpResponseBase:
    together: AbstractContextManager[Any] = transaction.atomic() if way.together else nullcontext()
    try:
        with together:
            return _settle(view, row, way.make(row.ref), kwargs)
    except Exception as error:  # noqa: BLE001 - the view's own handler answers it, as it would without a key
        try:
            response = view.handle_exception(error)
        except BaseException:
            row.delete()
            raise
    return _settle(view, row, response, kwargs)


def _settle(view: Any, row: IdempotentRequest, response: Any, kwargs: dict[str, Any]) -> HttpResponseBase:
    """Keep the answer; but where nothing was made, forget the key, so that a corrected request can use it."""
    if isinstance(response, Response):
        response = view.finalize_response(view.request, response)
        response.render()
    if response.status_code < 400 or _made(view, row, kwargs) is not None:
        keep_answer(row, response.status_code, response.content.decode())
    else:
        row.delete()
    return HttpResponse(response.content, status=response.status_code, headers=dict(response.items()))


def _again(view: Any, row: IdempotentRequest, kwargs: dict[str, Any]) -> HttpResponseBase:
    headers = {REPLAYED: "true"}
    try:
        answer = answer_of(row)
    except Unreadable:
        there = _made(view, row, kwargs)
        if there is None:
            words = "Was answered, but under another ECHOADMIN_SECRET_KEY, so it can't be read. Look what there is."
            raise refused(409, "idempotency_key_reused", words, **{"Idempotency-Key": words}) from None
        there.headers.update(headers)
        return view.finalize_response(view.request, there)
    return HttpResponse(answer, status=row.status, content_type="application/json", headers=headers)


def _made(view: Any, row: IdempotentRequest, kwargs: dict[str, Any]) -> Any:
    """The object that the key is for, as it is now; None where it, or what it would belong to, is not there."""
    try:
        return view.answer_for(row.ref, **kwargs)
    except NotFound:
        return None
