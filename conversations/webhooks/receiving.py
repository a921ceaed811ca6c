"""`POST /webhooks/tavus/<secret>/`: stored, then answered; what it says is looked into afterwards."""

from __future__ import annotations

import json
import logging
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST

from conversations import bells
from conversations.models import WebhookReceived
from conversations.webhooks import secrets
from conversations.webhooks.processing import process_soon
from conversations.webhooks.storing import store

logger = logging.getLogger(__name__)

LARGEST = 8 * 1024 * 1024  # bytes; a transcript of an hour is far smaller
AGAIN_IN = 30  # seconds


@csrf_exempt
@require_POST
@sensitive_variables("secret")
def receive(request: HttpRequest, secret: str) -> HttpResponse:
    """200 for everything readable, known or not, once it is stored; 404 for a wrong secret, 413 and 400 for what can't
    be kept, 503 while the database is away: Tavus documents no second try, and whoever makes one is welcome."""
    try:
        row = _received(request, secret)
    except (OperationalError, InterfaceError) as error:
        logger.warning("a webhook could not be stored, the database did not answer: %s", error)
        refusal = _refused(request, 503, "database_unavailable", "It could not be stored. Send it again.")
        refusal.headers["Retry-After"] = str(AGAIN_IN)
        refusal._has_been_logged = True  # type: ignore[attr-defined]  # Django would log the path, which has the secret
        return refusal
    return row if isinstance(row, HttpResponse) else JsonResponse({"received": True, "id": row.public_id})


receive.largest_body = lambda content_type: LARGEST  # type: ignore[attr-defined]


def _received(request: HttpRequest, secret: str) -> WebhookReceived | HttpResponse:
    known = secrets.known(secret)
    if known is None:
        return _refused(request, 404, "not_found", "There is nothing at this address.")
    length = request.headers.get("Content-Length") or "0"
    if not length.isdecimal() or int(length) > LARGEST or len(request.body) > LARGEST:  # one that comes in chunks too
        return _refused(request, 413, "too_large", "A webhook has at most 8 MB.")
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return _refused(request, 400, "invalid", "The body is no JSON.")
    if not isinstance(body, dict):
        return _refused(request, 400, "invalid", "The body is to be a JSON object.")
    request_id = getattr(request, "request_id", None)
    row = store(body, reference=request.GET.get("ref", ""), old=known.old, request_id=request_id)
    if row.conversation is not None:
        bells.ring_tail(row.conversation.public_id)
    process_soon(row)
    return row


def _refused(request: HttpRequest, status: int, code: str, message: str) -> JsonResponse:
    request_id = getattr(request, "request_id", None)
    error: dict[str, Any] = {"code": code, "message": message, "fields": {}, "upstream": None, "request_id": request_id}
    return JsonResponse({"error": error}, status=status)
