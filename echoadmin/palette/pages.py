"""What the palette's script asks, and the pages that everybody can go to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import path
from django.utils.module_loading import import_string

from echoadmin.accounts.roles import may
from echoadmin.admin_site import NAVIGATION
from echoadmin.pages import require_role
from echoadmin.palette import LONGEST, Asked, Hit, by_ids, finds, offers, search
from echoadmin.runs.models import Run

SHOWN = 40


def look(request: HttpRequest) -> HttpResponseBase:
    """What fits `q`: ids as they were typed, but for the space around them. Never kept by a browser."""
    require_role(request, "auditor", "look anything up")
    text = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST]
    hits = search(Asked(text, request.user), may)[:SHOWN]
    shown = [
        {"kind": hit.kind, "words": hit.words, "detail": hit.detail, "address": hit.address, "post": hit.post}
        for hit in hits
    ]
    answer = JsonResponse({"q": text, "hits": shown})
    answer.headers["Cache-Control"] = "no-store"
    return answer


@offers()
def _pages(asked: Asked) -> Iterator[Hit]:
    """Every page of the menu that the user is shown."""
    for item in _items():
        allowed = item.get("permission")  # as the settings name it, or as unfold has made it since
        allowed = import_string(allowed) if isinstance(allowed, str) else allowed
        if allowed is None or allowed(_Asking(asked.user)):
            yield Hit("page", item["title"], str(item["link"]), order=2)


@finds()
def _runs(asked: Asked) -> Iterator[Hit]:
    if re.fullmatch(r"rn_\w+", asked.text):
        yield from by_ids(Run, asked, "public_id")


class _Asking:
    """What the menu's permissions look at of a request."""

    def __init__(self, user: Any) -> None:
        self.user = user


def _items() -> Iterator[dict[str, Any]]:
    for group in NAVIGATION:
        yield from group["items"]


app_name = "palette"

urlpatterns = [path("palette/", admin.site.admin_view(look), name="look")]
