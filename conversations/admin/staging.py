"""The stage of a conversation's page: what is drawn there, and the room itself in a frame."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from conversations.admin.page_parts import ONE, PagePart
from conversations.models import Conversation
from conversations.services import watching
from echoadmin.accounts.acting import actor
from echoadmin.pages import button, told, wants_json
from echoadmin.security_headers import content_security_policy, permissions_policy


class StagingPart(PagePart):
    """The stage that the settings name, and the room's address for its frame."""

    def page_paths(self) -> list[Any]:
        """The button's."""
        return [*super().page_paths(), (ONE + "room-address/", "room_address", self.room_address)]

    def page_context(self, request: HttpRequest, row: Conversation) -> dict[str, Any]:
        """The stage's template, and where an echo's sound is."""
        sounds = f"/api/v1/conversations/{row.public_id}/echoes/"
        return super().page_context(request, row) | {"stage_template": settings.STAGE_TEMPLATE, "sounds": sounds}

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The live page, the only one that may listen to a microphone (what is said into it, the replica says) and
        frame a Daily room, which then asks for a camera and a microphone of its own."""
        response: HttpResponse = super().change_view(request, object_id, form_url, extra_context)  # type: ignore[misc]
        response.headers["Content-Security-Policy"] = content_security_policy(settings.FRAME_SOURCES)
        response.headers["Permissions-Policy"] = permissions_policy(settings.FRAME_SOURCES, microphone=True)
        return response

    @button("operator", "watch a room")
    def room_address(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The address of the room for the page's frame, as JSON; kept by nobody."""
        row = self.find(request, object_id)
        if not wants_json(request):
            return told(request, 406, "This address is for the page's own script.", "Press Watch the room on the page.")

        def do() -> dict[str, Any]:
            return {"address": watching.room_address(actor=actor(request), conversation=row)}

        return self.answer(request, row, do)  # with the admin's own no-store
