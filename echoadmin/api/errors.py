"""From any exception to a problem. Nothing is swallowed: what is not known here is logged and answered with 500."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions as drf
from rest_framework.response import Response

from echoadmin.api.problems import ApiError, Fields, Problem
from echoadmin.tavus import errors as tavus

logger = logging.getLogger(__name__)

UPSTREAM_STATUS: dict[type[tavus.TavusError], int] = {
    tavus.InvalidRequest: 400,
    tavus.OutOfCredits: 402,
    tavus.NotFound: 404,
    tavus.ConcurrencyReached: 409,
    tavus.Conflict: 409,
    tavus.RateLimited: 429,
    tavus.Unauthorised: 502,
    tavus.BadReply: 502,
    tavus.Unavailable: 503,
    tavus.AnswerLost: 504,
}
_CODES = {
    400: "invalid",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
}


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's hook: an answer for every exception that a view lets out."""
    request = context.get("request")
    request_id = getattr(request, "request_id", None) or getattr(getattr(request, "_request", None), "request_id", None)
    problem = problem_of(error)
    if problem is None:
        logger.error("request %s failed", request_id, exc_info=error)
        words = "Something here is broken, not your request. Tell whoever runs this console the request_id."
        problem = Problem(500, "internal", words)
    headers = problem.headers()
    if isinstance(error, drf.APIException) and getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = str(error.auth_header)  # type: ignore[attr-defined]
    return Response(problem.body(request_id), status=problem.status, headers=headers)


def problem_of(error: Exception) -> Problem | None:
    """The problem that an exception is; None when it is a fault of ours."""
    if isinstance(error, ApiError):
        return error.problem
    if isinstance(error, tavus.TavusError):
        return _of_upstream(error)
    if isinstance(error, drf.APIException):
        return _of_drf(error)
    if isinstance(error, DjangoValidationError):
        return _invalid(getattr(error, "message_dict", None) or {"": error.messages})
    return _of_services(error) or _of_django(error)


def _of_upstream(error: tavus.TavusError) -> Problem:
    if isinstance(error, tavus.InvalidRequest) and error.status is None and not error.upstream:  # refused here
        return Problem(400, "invalid", error.message, fields=error.fields)
    status = next((code for kind, code in UPSTREAM_STATUS.items() if isinstance(error, kind)), 502)
    retry_after = getattr(error, "retry_after", None)
    return Problem(
        status,
        error.code,
        f"{error.message} {error.way_out}",
        fields=getattr(error, "fields", None) or {},
        upstream={"status": error.status, "body": error.upstream},
        retry_after=None if retry_after is None else max(1, round(retry_after)),
        reference=getattr(error, "reference", None),
    )


def _of_drf(error: drf.APIException) -> Problem:
    if isinstance(error, drf.ValidationError):
        return _invalid(_flat(error.detail))
    code = _CODES.get(error.status_code, str(error.default_code))
    wait = getattr(error, "wait", None)
    return Problem(error.status_code, code, _words(error), retry_after=None if wait is None else int(wait) + 1)


def _words(error: drf.APIException) -> str:
    words = str(error.detail)
    if isinstance(error, drf.NotAuthenticated):
        return "Who are you? Send `Authorization: Bearer <key>`, or sign in."
    if isinstance(error, drf.UnsupportedMediaType):
        return f"{words} Send JSON, with `Content-Type: application/json`."
    if isinstance(error, drf.MethodNotAllowed):
        return f"{words} The Allow header says which are."
    return words


def _of_services(error: Exception) -> Problem | None:
    """What the services refuse: an exception that brings its own code, status, message and field."""
    code, status, message = (getattr(error, name, None) for name in ("code", "status", "message"))
    if not (isinstance(code, str) and isinstance(status, int) and isinstance(message, str)):
        return None
    field, fields = getattr(error, "field", None), getattr(error, "fields", None)
    told: Fields = fields if isinstance(fields, dict) else {field: [message]} if field else {}
    retry_after = getattr(error, "retry_after", None)
    named = f"{field}: {message}" if field else message
    return Problem(status, code, named, told, retry_after=retry_after, reference=getattr(error, "reference", None))


def _of_django(error: Exception) -> Problem | None:
    if isinstance(error, RequestDataTooBig):
        return Problem(413, "too_large", "The request's body is larger than this console takes. Send it in pieces.")
    if isinstance(error, SuspiciousOperation):
        return Problem(400, "invalid", "The request can't be read.")
    if isinstance(error, Http404 | ObjectDoesNotExist):
        return Problem(
            404, "not_found", "There is nothing at this address. Check the id; a list shows those there are."
        )
    if isinstance(error, PermissionDenied):
        return Problem(403, "forbidden", str(error) or "You may not do this.")
    if isinstance(error, OperationalError | InterfaceError):
        logger.error("the database did not answer: %s", error)
        return Problem(503, "database_unavailable", "The database does not answer. Try again shortly.", retry_after=2)
    return None


def _invalid(fields: Fields) -> Problem:
    first = next(iter(fields.items()), ("", ["The request is not valid."]))
    message = f"{first[0]}: {first[1][0]}" if first[0] else first[1][0]
    return Problem(400, "invalid", message, {name: words for name, words in fields.items() if name})


def _flat(detail: Any, path: str = "") -> Fields:
    """DRF's nested details as dotted names: {"properties": {"language": ["…"]}} → {"properties.language": ["…"]}."""
    if isinstance(detail, Mapping):
        told: Fields = {}
        for name, inner in detail.items():
            told.update(_flat(inner, path if name in ("non_field_errors", "__all__") else f"{path}.{name}".lstrip(".")))
        return told
    if isinstance(detail, list) and any(isinstance(item, Mapping) for item in detail):
        told = {}
        for place, item in enumerate(detail):
            told.update(_flat(item, f"{path}.{place}".lstrip(".")))
        return told
    return {path: [str(words) for words in (detail if isinstance(detail, list) else [detail])]}
