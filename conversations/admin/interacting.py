"""Every other interaction by page: by a form made from the catalogue, or as raw JSON; and the last ones once more."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponseBase, JsonResponse

from conversations import interactions
from conversations.admin.page_parts import ONE, PagePart
from conversations.admin.speaking import parsed_message
from conversations.interactions.catalogue import LIMIT, built, catalogue
from conversations.models import Conversation
from conversations.refusals import Refusal
from conversations.services import speaking
from echoadmin.accounts.acting import actor
from echoadmin.pages import button, require_role

LAST = 5  # that are offered to be sent once more
_LOOKED_AT = 40  # of a conversation, for the last different ones
LONGEST = 200_000  # characters of a message that is looked at while it is typed


class InteractingPart(PagePart):
    """All answers are JSON, for the page's own script."""

    def page_paths(self) -> list[Any]:
        return [
            *super().page_paths(),
            (ONE + "interactions/", "interactions", self.last_view),
            (ONE + "interactions/send/", "interactions_send", self.interact),
            (ONE + "interactions/check/", "interactions_check", self.check_view),
        ]

    def page_context(self, request: HttpRequest, row: Conversation) -> dict[str, Any]:
        persona = row.persona
        own = {
            "catalogue": catalogue(),
            "interaction_limit": LIMIT,
            "last_interactions": last_of(row),
            "echo_mode": persona is None or not persona.pipeline_mode or persona.is_echo,
            "example": json.dumps(interactions.sensitivity(row.upstream_id or "", pause="low"), indent=2),
        }
        return super().page_context(request, row) | own

    def last_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The last different ones that were sent here."""
        require_role(request, "auditor", "see interactions")
        return JsonResponse({"last": last_of(self.find(request, object_id))})

    @button("operator", "send an interaction")
    def interact(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """`event_type` and its fields as `field-…`, or a whole `message`."""
        row = self.find(request, object_id)
        try:
            sent = speaking.send_interaction(actor=actor(request), conversation=row, message=_message(request, row))
        except Refusal as refusal:
            return _refused(refusal, refusal.status)
        return JsonResponse({"interaction": sent.pk, "event_type": sent.event_type, "last": last_of(row)}, status=202)

    @button("operator", "send an interaction")
    def check_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """What would be sent, and its size; nothing is. 200 also for what can't be: it is being typed."""
        row = self.find(request, object_id)
        if sum(len(value) for value in request.POST.values()) > LONGEST:
            return _refused(Refusal("message", f"Is far too long: Daily carries {LIMIT:,} bytes in a message."), 200)
        try:
            message = speaking.check_message(_message(request, row))
        except Refusal as refusal:
            return _refused(refusal, 200)
        size = interactions.wire_size(message)
        return JsonResponse(
            {"message": message, "bytes": size, "limit": LIMIT, "event_type": message.get("event_type")}
        )


def last_of(row: Conversation) -> list[dict[str, Any]]:
    """The last different messages that people sent here, newest first: what one key sends once more."""
    found: list[dict[str, Any]] = []
    sent = row.interactions.exclude(source__in=("system", "script")).order_by("-id")[:_LOOKED_AT]
    for event_type, message in sent.values_list("event_type", "message"):
        if message and all(one["message"] != message for one in found):
            found.append({"event_type": event_type, "words": _words(message), "message": message})
        if len(found) == LAST:
            break
    return found


def _message(request: HttpRequest, row: Conversation) -> Any:
    if "message" in request.POST:
        return parsed_message(request.POST["message"])
    prefix = "field-"
    given = {name.removeprefix(prefix): value for name, value in request.POST.items() if name.startswith(prefix)}
    return built(request.POST.get("event_type", ""), str(row.upstream_id), given)


def _words(message: Any) -> str:
    properties = message.get("properties") if isinstance(message, dict) else None
    values = properties.values() if isinstance(properties, dict) else ()
    words = " · ".join(value if isinstance(value, str) else json.dumps(value) for value in values)
    return words[:120]


def _refused(refusal: Refusal, status: int) -> JsonResponse:
    return JsonResponse(
        {"error": {"code": refusal.code, "field": refusal.field, "message": refusal.message}}, status=status
    )
