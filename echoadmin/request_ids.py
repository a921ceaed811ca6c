"""Every request has an id: the caller's own X-Request-Id when it is sane, else one made here; the answer has it."""

from __future__ import annotations

import re
import uuid

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

_SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@sync_and_async_middleware
def request_ids(get_response):  # type: ignore[no-untyped-def]  # Django's own shape: sync in, sync out; async likewise
    """Sets `request.request_id`, and the X-Request-Id header of the answer."""
    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> HttpResponseBase:
            request_id = _give(request)
            return _told(await get_response(request), request_id)

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponseBase:
        request_id = _give(request)
        return _told(get_response(request), request_id)

    return synchronous


def _give(request: HttpRequest) -> str:
    given = request.headers.get("X-Request-Id", "")
    request_id = given if _SANE.fullmatch(given) else uuid.uuid4().hex
    request.request_id = request_id  # type: ignore[attr-defined]
    return request_id


def _told(response: HttpResponseBase, request_id: str) -> HttpResponseBase:
    response.headers["X-Request-Id"] = request_id
    return response
