"""The pre-flight of the page that makes a conversation: asked for by its script, whenever persona or replica change."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase, JsonResponse

from conversations.admin.page_parts import PagePart
from conversations.preflight import before_creating
from echoadmin.accounts.acting import actor
from echoadmin.pages import require_role

LIMITS = {"minutes": ("max_call_duration", 60), "left_timeout": ("participant_left_timeout", 1)}


class PreflightPart(PagePart):
    """What would fail, before it is paid for."""

    def page_paths(self) -> list[Any]:
        """Of no conversation: there is none yet."""
        return [*super().page_paths(), ("preflight/", "preflight", self.preflight_view)]

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
