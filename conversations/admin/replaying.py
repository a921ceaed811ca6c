"""Replay by page: which echoes, into which conversation, how fast; or only a look at what would be sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase

from conversations.models import Conversation
from echoadmin.pages import draw, require_role
from echoadmin.read_only import address
from echoadmin.runs.admin import start_by_page

MOST = 200  # echoes and conversations that the form offers
SPEEDS = (("1", "as it was"), ("2", "twice as fast"), ("4", "four times as fast"))


class ReplayingPaths:
    """Mixed into the conversations' admin."""

    find: Callable[[HttpRequest, str], Conversation]

    def replay_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The form, and what it starts: a run."""
        require_role(request, "operator", "make a replica speak")
        row = self.find(request, object_id)
        if request.method == "POST":
            return start_by_page(request, "replay", _asked(request, row))
        live = Conversation.objects.filter(state="live", status="active").order_by("-id")[:MOST]
        context: dict[str, Any] = {
            "title": "Replay",
            "crumb": (str(row), address(row)),
            "row": row,
            "echoes": row.echoes.order_by("position")[:MOST],
            "targets": live,
            "speeds": SPEEDS,
        }
        return draw(request, "conversations/replay.html", context)


def _asked(request: HttpRequest, row: Conversation) -> dict[str, Any]:
    picked = [int(one) for one in request.POST.getlist("echoes") if one.isdigit() and len(one) < 19]
    asked: dict[str, Any] = {"to": request.POST.get("to", ""), "dry": "dry" in request.POST}
    asked |= {"echoes": picked} if picked else {"from": row.public_id}
    speed = request.POST.get("speed", "1")
    return asked | {"speed": float(speed) if speed in dict(SPEEDS) else 1.0}
