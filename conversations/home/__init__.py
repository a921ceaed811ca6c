"""The home page: what needs somebody now, what is live, the last 24 hours, and the first steps of an empty console.

A fixed number of queries, each of them bounded, however much there is; the page asks again every few seconds.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.template.loader import render_to_string

from conversations.admin.stopping import stop_context
from conversations.home.live import live_now, people_and_worker
from conversations.home.needs import what_needs_somebody
from conversations.home.numbers import last_day
from conversations.home.steps import first_steps
from conversations.money.words import price_on_button, price_words
from echoadmin.accounts.roles import may
from echoadmin.form_tokens import new_token
from echoadmin.pages import require_role

PARTS = ("needs", "live", "today")
"""What the page's script asks for again: each is a template of its own."""


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The home page's context."""
    standing = _standing(request)
    return (
        context
        | standing
        | {
            "title": "Home",
            "steps": first_steps(),
            "may_start": may(request.user, "manager"),
            "start_token": new_token(),
            "price_on_button": price_on_button(),
            "price": price_words(settings.MAX_CALL_DURATION / 60),
            **stop_context(request),
        }
    )


def state_view(request: HttpRequest) -> HttpResponseBase:
    """The page's parts as they are now, as HTML in JSON, for the page's own script."""
    require_role(request, "auditor", "see the home page")
    standing = _standing(request)
    parts = {name: render_to_string(f"conversations/home/{name}.html", standing) for name in PARTS}
    return JsonResponse({"parts": parts, "needs": len(standing["needs"]), "live": standing["taken"]})


def _standing(request: HttpRequest) -> dict[str, Any]:
    workers = people_and_worker()
    return {**live_now(), **last_day(), "workers": workers, "needs": what_needs_somebody(request.user, workers)}
