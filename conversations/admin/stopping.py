"""Stop everything, by page: one button, which asks once, and what came of it."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from conversations.admin.page_parts import PagePart
from conversations.services import stopping
from echoadmin.accounts.acting import actor
from echoadmin.accounts.roles import may
from echoadmin.log import reader
from echoadmin.log.models import Entry, Stream
from echoadmin.pages import button, draw, log_address, require_role, told
from echoadmin.shown import when


def stop_context(request: HttpRequest) -> dict[str, Any]:
    """What the button and its dialog need; nothing for those who may not press it."""
    if not may(request.user, "operator"):
        return {}
    stop_address = reverse("admin:conversations_conversation_stop")
    return {"stop_address": stop_address, "may_end": may(request.user, "manager")}


class StoppingPart(PagePart):
    """The button above the list, and the page that it leads to."""

    def page_paths(self) -> list[Any]:
        """Of the list, not of one conversation."""
        return [
            *super().page_paths(),
            ("stop/", "stop", self.stop_view),
            ("stopped/<int:n>/", "stopped", self.stopped_view),
        ]

    @button("operator", "stop everything")
    def stop_view(self, request: HttpRequest) -> HttpResponseBase:
        """Interrupt every room, and more if asked; then say what was done in each."""
        then, reason = request.POST.get("then", stopping.NOTHING), request.POST.get("reason", "").strip()
        if then == stopping.END:
            require_role(request, "manager", "end conversations")
        try:
            done = stopping.stop_everything(actor=actor(request), then=then, reason=reason)
        except ValueError as refusal:
            return told(request, 400, str(refusal), "Go back and choose again; nothing was stopped.")
        return redirect("admin:conversations_conversation_stopped", done.n)

    def stopped_view(self, request: HttpRequest, n: int) -> HttpResponseBase:
        """What was done, by the entry that tells it: a page of its own, so that going back presses no button."""
        require_role(request, "auditor", "see what was stopped")
        entry = Entry.objects.filter(stream__public_id=Stream.ACCOUNT, n=n, event_type=stopping.STOPPED).first()
        if entry is None or entry.body is None:
            raise Http404("The log has no such stop; it may have been pruned or erased.")
        [done] = reader.messages([entry])
        context = {
            "title": "Stopped" if done["complete"] else "Stopped, but not everything",
            "crumb": ("Conversations", reverse("admin:conversations_conversation_changelist")),
            "done": done,
            "by": entry.actor,
            "at": when(entry.at),
            "failed": sum(1 for one in done["conversations"] if one["problems"]),
            "log": log_address(event_type=stopping.STOPPED),
        }
        return draw(request, "conversations/stopped.html", context | stop_context(request))
