"""The transcript of a conversation's page: its newest lines, further ones, and what is behind a line."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse

from conversations.admin.page_parts import ONE, PagePart
from conversations.models import Conversation
from conversations.transcript import SHOWS, behind, transcript_page
from echoadmin.log import reader
from echoadmin.log.models import Entry
from echoadmin.log.pages.lines import lines
from echoadmin.pages import draw, log_address, require_role

DIGITS = 18  # of the largest number of an entry that is worth asking for


def number(text: str | None) -> int | None:
    """A number of the address; None for what is none."""
    if not text or not text.isascii() or not text.isdecimal():
        return None
    return int(text) if len(text) <= DIGITS else reader.HIGHEST


def asked(query: Any) -> dict[str, Any]:
    """What the page's address says to show."""
    noise = query.get("noise") == "1"
    return {
        "show": query.get("show", "")[:20],
        "find": query.get("find", "").replace("\0", "")[:200],
        "noise": noise,
        "every": noise and query.get("view") == "log",
    }


class TranscriptPart(PagePart):
    """What was said, and the log as another view of it."""

    def page_paths(self) -> list[Any]:
        """What the page's script reads."""
        return [
            *super().page_paths(),
            (ONE + "transcript/", "transcript", self.transcript_view),
            (ONE + "behind/<int:n>/", "behind", self.behind_view),
        ]

    def page_context(self, request: HttpRequest, row: Conversation) -> dict[str, Any]:
        """The newest lines come with the page; what comes after `after` is read over the WebSocket."""
        after = reader.last_n(row.public_id)
        wanted = asked(request.GET)
        try:
            page = transcript_page(row, **wanted, before=after + 1)
        except reader.FilterError as error:
            page = {"entries": [], "echoes": [], "more": False, "refused": str(error)}
        return super().page_context(request, row) | {
            "after": after,
            "transcript": page,
            "view": "log" if request.GET.get("view") == "log" else "",
            "wanted": wanted,
            "shows": [(name, words) for name, (words, _) in SHOWS.items()],
            "log": log_address(conversation=row.public_id),
            "entry_address": reverse("admin:log_entry_change", args=[0]),
        }

    def transcript_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A page of it: `?after=&before=` are numbers of entries, the rest is as in the page's own address."""
        require_role(request, "auditor", "read what was said")
        row = self.find(request, object_id)
        after, before = number(request.GET.get("after")) or 0, number(request.GET.get("before"))
        try:
            return JsonResponse(transcript_page(row, **asked(request.GET), after=after, before=before))
        except reader.FilterError as error:
            return JsonResponse({"refused": str(error)}, status=400)

    def behind_view(self, request: HttpRequest, object_id: str, n: int) -> HttpResponse:
        """The entries behind the line of entry `n`, as rows of the log."""
        require_role(request, "auditor", "read what was said")
        row = self.find(request, object_id)
        entry = Entry.objects.filter(stream__public_id=row.public_id, n=min(n, reader.HIGHEST)).first()
        if entry is None:
            raise Http404(f"This conversation has no entry {n}: it was pruned by age, or never was.")
        return draw(request, "conversations/behind.html", {"entries": lines(behind(entry))})
