"""The pre-flights of the pages: of the one that makes a conversation, whenever persona or replica change, and of a
conversation's own, before its first line."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase, JsonResponse

from conversations.admin.page_parts import ONE, PagePart
from conversations.preflight import before_creating, before_speaking
from conversations.standing import room_of
from echoadmin.accounts.acting import actor
from echoadmin.pages import require_role

LIMITS = {"minutes": ("max_call_duration", 60), "left_timeout": ("participant_left_timeout", 1)}


class PreflightPart(PagePart):
    """What would fail, before it is paid for."""

    def page_paths(self) -> list[Any]:
        """One of no conversation (there is none yet), one of each."""
        return [
            *super().page_paths(),
            ("preflight/", "preflight", self.preflight_view),
            (ONE + "ready/", "ready", self.ready_view),
        ]

    def ready_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The checks before a line as JSON, by what this console knows: nobody is asked."""
        require_role(request, "auditor", "see conversations")
        row = self.find(request, object_id)
        return JsonResponse({"checks": [check.facts() for check in before_speaking(row, room_of(row))]})

    def preflight_view(self, request: HttpRequest) -> HttpResponseBase:
        """The checks as JSON. Nothing is made: Tavus is asked by GET alone."""
        require_role(request, "manager", "start a conversation: it costs money")
        given = request.GET
        properties = {
            name: int(given[field]) * unit
            for field, (name, unit) in LIMITS.items()
            if given.get(field, "").isascii() and given.get(field, "").isdigit() and len(given[field]) < 7
        }
        body: dict[str, Any] = {"properties": properties}
        for field, name in (("persona", "persona_id"), ("replica", "replica_id")):
            if value := given.get(field, "").replace("\0", "").strip()[:128]:
                body[name] = value
        checks = before_creating(actor=actor(request), body=body)
        return JsonResponse(
            {"checks": [check.facts() for check in checks], "blocks": sum(check.blocks for check in checks)}
        )
