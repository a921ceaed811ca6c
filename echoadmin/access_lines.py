"""One line and one measure for each request: its method, its route, its status, how long it took, and who asked.

The route is the pattern that matched (`webhooks/tavus/<str:secret>/`), never the path itself nor its query: either may
hold a secret.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from prometheus_client import Histogram

from echoadmin import tracing
from echoadmin.log_lines import FACTS, about, set_about

logger = logging.getLogger("echoadmin.access")

_CONVERSATION = re.compile(r"conversations/(?:conversation/)?<\w+:(\w+)>")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
TOOK = Histogram(
    "echoadmin_http_seconds", "Requests that this process answered, until their answer began.",
    ["method", "route", "status"], buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)  # fmt: skip


def access_lines(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: after `request_ids`, around all that answers people and programs."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        started: float = getattr(request, "asked_at", time.monotonic())  # its wait for a turn is part of it
        with about(), tracing.request_span(request.headers) as span:  # what `process_view` says is said to here
            response = get_response(request)
            seconds = time.monotonic() - started
            method = request.method if request.method in METHODS else "other"
            tracing.answered(span, method, route(request), response.status_code)
            TOOK.labels(method, group(request), f"{response.status_code // 100}xx").observe(seconds)
            _write(request, response, seconds)
        return response

    def process_view(request: HttpRequest, view: Any, args: Any, kwargs: dict[str, Any]) -> None:
        """All lines of this request are about the conversation that its address names, by whichever of its ids."""
        named = _CONVERSATION.search(route(request))
        if named is not None:
            set_about(conversation=str(kwargs.get(named[1], ""))[:64])

    answer.process_view = process_view  # type: ignore[attr-defined]
    return answer


def route(request: HttpRequest) -> str:
    """The pattern of the address; "" where none matched."""
    match = request.resolver_match
    return match.route if match else ""


def group(request: HttpRequest) -> str:
    """The route of an address of the API, "admin" for all pages, the first segment of others: a set that is closed."""
    found = route(request)
    return found if found.startswith("api/") else found.split("/", 1)[0] or "none"


def actor_kind(request: HttpRequest) -> str:
    """key, user or nobody."""
    if getattr(request, "auth", None) is not None:
        return "key"
    user = getattr(request, "user", None)
    return "user" if user is not None and user.is_authenticated else "nobody"


def _write(request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
    facts: dict[str, Any] = {
        "method": request.method,
        "route": route(request),
        "status": response.status_code,
        "ms": round(seconds * 1000, 1),
        "actor_kind": actor_kind(request),
    }
    logger.info("%(method)s %(route)s %(status)d %(ms).1f ms %(actor_kind)s", facts, extra={FACTS: facts})
