"""What the console's own admin pages share: who may open them, how they are drawn, and how a refusal is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from echoadmin.accounts.roles import may, role_of
from echoadmin.tavus.errors import TavusError

View = Callable[..., HttpResponseBase]


def require_role(request: HttpRequest, role: str, to_do: str) -> None:
    """Raise PermissionDenied, with the way out in its words, unless the visitor has `role` or a higher one.

    to_do: what it is for, after "may": "end a conversation".
    """
    if not may(request.user, role):
        own = role_of(request.user) or "no role"
        raise PermissionDenied(
            f"Only a user with the role {role} or higher may {to_do}; you have {own}. "
            "An admin can change that under Users."
        )


def button(role: str, to_do: str) -> Callable[[View], View]:
    """Make a method of a ModelAdmin the view behind a button: POST only, for `role` and above."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(model_admin: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method != "POST":
                return told(request, 405, "This address is for a button.", "Go back and press the button on the page.")
            require_role(request, role, to_do)
            return view(model_admin, request, *args, **kwargs)

        return guarded

    return decorate


def draw(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> TemplateResponse:
    """A page in the console's frame."""
    request.current_app = admin.site.name
    return TemplateResponse(request, template, admin.site.each_context(request) | context, status=status)


def told(request: HttpRequest, status: int, message: str, way_out: str = "", code: str = "refused") -> HttpResponse:
    """A page (or JSON, for a script of ours) that says what did not happen and what to do."""
    if wants_json(request):
        return JsonResponse({"error": {"code": code, "message": message, "way_out": way_out}}, status=status)
    context = {"title": "Not done", "message": message, "way_out": way_out, "status": status}
    if not request.user.is_authenticated:  # the console's frame shows who is signed in
        return TemplateResponse(request, "echoadmin/told_to_strangers.html", context, status=status).render()
    return draw(request, "echoadmin/told.html", context, status).render()


def wants_json(request: HttpRequest) -> bool:
    """Whether one of the console's own scripts asks, rather than a person's browser."""
    return "application/json" in request.headers.get("Accept", "")


def words_of(error: Exception) -> tuple[str, str]:
    """What went wrong, and the way out, of a refusal of ours or an error of upstream's."""
    message = str(getattr(error, "message", "") or error)
    way_out = str(getattr(error, "way_out", ""))
    if isinstance(error, TavusError) and error.upstream and error.upstream not in message:
        message = f"{message} Tavus said: {error.upstream[:300]}"
    return message, way_out


def tell(request: HttpRequest, error: Exception) -> None:
    """Put an error's words, and the way out, at the top of the next page."""
    messages.error(request, " ".join(part for part in words_of(error) if part))


def back_to(request: HttpRequest, fallback: str) -> HttpResponse:
    """Redirect to where the button was; `next` is honoured only within the admin."""
    target = request.POST.get("next", "")
    inside = target.startswith(reverse("admin:index")) and "//" not in target and "\\" not in target
    return redirect(target if inside else fallback)


def pretty(value: Any) -> str:
    """JSON for people; long base64 never printed (its length is told instead)."""
    return json.dumps(without_samples(value), indent=2, ensure_ascii=False, default=str)


SAMPLES = 400  # characters; no id, token or key of the vendors' is that long without a space


def without_samples(value: Any) -> Any:
    """The same JSON with every long run of base64 replaced by what it was."""
    if isinstance(value, dict):
        return {key: without_samples(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_samples(item) for item in value]
    if isinstance(value, str) and len(value) > SAMPLES and not any(letter.isspace() for letter in value[:SAMPLES]):
        return f"<{len(value):,} characters of base64, about {len(value) * 3 // 4:,} bytes>"
    return value


def log_address(**filters: str) -> str:
    """The log page, filtered."""
    return f"{reverse('admin:log_entry_changelist')}?{urlencode(filters)}"
