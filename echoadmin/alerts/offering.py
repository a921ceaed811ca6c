"""What the log's page offers of saved views: a menu of them, and a form that saves the filters which are set now."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from echoadmin.alerts import keeping
from echoadmin.log.pages.asked import Asked
from echoadmin.log.pages.beside import use_beside
from echoadmin.pages import log_address

SHOWN = 200  # in the menu, which scrolls


def offer(request: HttpRequest, asked: Asked) -> dict[str, Any]:
    """The context of alerts/parts/on_log.html; one query."""
    views = [
        {
            "name": view.name,
            "address": log_address(**view.filters),
            "owner": "" if view.owner_id == request.user.pk else view.owner,
            "now": bool(view.filters) and view.filters == asked.given,
        }
        for view in keeping.visible_views(request.user.pk)[:SHOWN]
    ]
    now = next((view["name"] for view in views if view["now"]), "")
    return {"beside": "alerts/parts/on_log.html", "views": views, "view_now": now}


use_beside(offer)
