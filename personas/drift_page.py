"""The drift page of a persona: what differs, and exactly what a push or a pull would do, before it is done."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from echoadmin.accounts.acting import actor
from echoadmin.accounts.roles import may
from echoadmin.mirror.admin import CreatedAdmin
from echoadmin.mirror.drift import Comparison
from echoadmin.pages import button, pretty, words_of
from echoadmin.read_only import address
from echoadmin.tavus.errors import Conflict, TavusError
from personas import drift
from personas.models import Persona
from personas.services import WHAT_FORCE_LOSES


class DriftPages(CreatedAdmin):
    """Push and pull; each button carries the digest of what was shown above it."""

    drift_template = "personas/drift.html"

    def custom_paths(self) -> list[Any]:
        return [
            *super().custom_paths(),
            ("<str:object_id>/change/push/", "push", self.push),
            ("<str:object_id>/change/pull/", "pull", self.pull),
        ]

    def drift_context(self, request: HttpRequest, row: Persona, found: Comparison) -> dict[str, Any]:
        return {
            "push": pretty(found.push),
            "pull": pretty(found.pull),
            "may_change": may(request.user, "manager"),
            "may_push": row.persona_type != "system",
        }

    @button("manager", "change a persona")
    def push(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Send the patch that was shown; told again, with what is in the way, when that can't be."""
        row, given = self.find(request, object_id), request.POST
        try:
            done = drift.push(
                actor=actor(request), persona=row, patch_sha256=given.get("patch_sha256", ""),
                force=given.get("force") == "1", discards=given.get("discards", ""),
            )  # fmt: skip
        except (TavusError, ValueError) as error:
            return self._refused(request, object_id, error)
        messages.success(request, f"{row} is changed at Tavus: {_fields(done.push)}.")
        return redirect(address(row))

    @button("manager", "change a persona")
    def pull(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Take over what was shown."""
        row = self.find(request, object_id)
        try:
            done = drift.pull(actor=actor(request), persona=row, patch_sha256=request.POST.get("patch_sha256", ""))
        except (TavusError, ValueError) as error:
            return self._refused(request, object_id, error)
        messages.success(request, f"{row} is here what it is at Tavus: {_fields(done.pull)}.")
        return redirect(address(row))

    def _refused(self, request: HttpRequest, object_id: str, error: Exception) -> HttpResponseBase:
        unpublished = isinstance(error, Conflict) and error.maker_changes
        more = {"refusal": " ".join(words_of(error)), "unpublished": WHAT_FORCE_LOSES if unpublished else ""}
        status = 409 if unpublished else getattr(error, "status", None)
        return self.drift_view(request, object_id, more=more, status=status if status and status >= 400 else 502)


def addressed(uses: list[drift.Use]) -> list[dict[str, str]]:
    """Each with the address of its page."""
    pages = {"conversation": "admin:conversations_conversation_change", "persona": "admin:personas_persona_change"}
    return [{**use, "address": reverse(pages[use["kind"]], args=[use["id"]])} for use in uses]


def _fields(patch: list[dict[str, Any]]) -> str:
    return ", ".join(one["path"] for one in patch) or "nothing"
