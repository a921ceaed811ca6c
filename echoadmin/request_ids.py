"""Every request has an id: the caller's own X-Request-Id when it is sane, else one made here; the answer has it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from echoadmin.log_lines import about

_SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def request_id_of(given: str) -> str:
    """The caller's own id when it is sane, else a new one."""
    return given if _SANE.fullmatch(given) else uuid.uuid4().hex


def request_ids(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: sets `request.request_id`, and the X-Request-Id header of the answer."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        request_id = request_id_of(request.headers.get("X-Request-Id", ""))
        request.request_id = request_id  # type: ignore[attr-defined]
        with about(request_id=request_id):
            response = get_response(request)
        response.headers["X-Request-Id"] = request_id
        return response

    return answer
