"""`POST /webhooks/tavus/<secret>/`: what Tavus reports. It is kept as it came, and believed only after a look upstream.

Tavus signs nothing, repeats as it likes and keeps no order (docs.tavus.io, Webhooks and Callbacks): so the address
holds a secret, everything is logged, and the only thing that a webhook changes is that a duty soon asks Tavus itself.
"""

from __future__ import annotations

import hmac
import json
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from conversations import bells, interactions
from conversations.models import Conversation
from conversations.services.mirroring import ask_for_look
from echoadmin.installation import Installation
from echoadmin.log.models import Kind, Stream
from echoadmin.log.writer import Draft, append
from echoadmin.tavus.wire import redact, storable

LARGEST = 8 * 1024 * 1024  # bytes; a transcript of an hour is far smaller


@csrf_exempt
@require_POST
def receive(request: HttpRequest, secret: str) -> HttpResponse:
    """200 for everything readable, known or not; 404 for a wrong secret, 413 and 400 for what can't be kept."""
    installation = Installation.objects.first()
    if installation is None or not hmac.compare_digest(secret.encode(), installation.webhook_secret.encode()):
        return _refused(request, 404, "not_found", "There is nothing at this address.")
    if int(request.headers.get("Content-Length") or 0) > LARGEST:
        return _refused(request, 413, "too_large", "A webhook has at most 8 MB.")
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return _refused(request, 400, "invalid", "The body is no JSON.")
    if not isinstance(body, dict):
        return _refused(request, 400, "invalid", "The body is to be a JSON object.")
    _keep(request, body)
    return JsonResponse({"received": True})


def _keep(request: HttpRequest, body: dict[str, Any]) -> None:
    conversation = _conversation(body, request.GET.get("ref", ""))
    event_type = body.get("event_type")
    message = storable(redact(body))
    entry = Draft(
        stream=conversation.public_id if conversation else Stream.ACCOUNT,
        kind=Kind.WEBHOOK,
        event_type=event_type if isinstance(event_type, str) and event_type else "webhook",
        direction="in",
        family=interactions.family(event_type) if isinstance(event_type, str) else "other",
        sender_name="Tavus",
        conversation_ref=conversation.public_id if conversation else None,
        persona_ref=conversation.persona.public_id if conversation and conversation.persona else None,
        request_id=getattr(request, "request_id", None),
        message=message,
    )
    append([entry])
    if conversation is not None:
        ask_for_look(conversation)
        bells.ring_tail(conversation.public_id)


def _conversation(body: dict[str, Any], ref: str) -> Conversation | None:
    """By Tavus's id; by the reference in the address while that id is not known yet."""
    rows = Conversation.objects.select_related("persona")
    given = body.get("conversation_id")
    if isinstance(given, str) and "\0" not in given and (found := rows.filter(upstream_id=given[:128]).first()):
        return found
    ref = ref.replace("\0", "")[:32]
    found = rows.filter(public_id=ref).first() if ref else None
    return found if found and (found.upstream_id is None or found.upstream_id == given or given is None) else None


def _refused(request: HttpRequest, status: int, code: str, message: str) -> JsonResponse:
    request_id = getattr(request, "request_id", None)
    error: dict[str, Any] = {"code": code, "message": message, "fields": {}, "upstream": None, "request_id": request_id}
    return JsonResponse({"error": error}, status=status)
