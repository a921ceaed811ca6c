"""What a concern of a conversation's page brings: one file each, mixed into the conversations' admin.

A new one is a subclass of `PagePart` in a file of its own, with `page_paths` and, where the page needs it,
`page_context`, each of which begins with what `super()` has; and one line in `ConversationAdmin`'s bases.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import redirect

from conversations.models import Conversation, Echo
from echoadmin.pages import tell, wants_json, words_of
from echoadmin.read_only import address
from echoadmin.tavus.errors import TavusError

ONE = "<str:object_id>/change/"
"""The path of a conversation, beneath which its buttons' are."""


class PagePart:
    """A concern of a conversation's page."""

    find: Callable[[HttpRequest, str], Conversation]

    def page_paths(self) -> list[Any]:
        """Pages and buttons: (path, name, view); names get the model's prefix."""
        return []

    def page_context(self, request: HttpRequest, row: Conversation) -> dict[str, Any]:
        """What the page's template needs for it."""
        return {}

    def echo(self, request: HttpRequest, object_id: str, inference_id: str) -> tuple[Conversation, Echo]:
        """A conversation and its echo. Raises Http404."""
        row = self.find(request, object_id)
        echo = row.echoes.filter(inference_id=inference_id).first()
        if echo is None:
            raise Http404(f"This conversation has no echo with the inference_id {inference_id[:80]!r}.")
        return row, echo

    def answer(
        self, request: HttpRequest, row: Conversation, do: Callable[[], dict[str, Any]], status: int = 200
    ) -> HttpResponseBase:
        """Do it, and answer a script with JSON, a form with the page; a refusal with its words and the way out."""
        try:
            done = do()
        except (TavusError, ValueError) as error:
            if not wants_json(request):
                tell(request, error)
                return redirect(address(row))
            message, way_out = words_of(error)
            code, refused = getattr(error, "code", "refused"), int(getattr(error, "status", None) or 400)
            return JsonResponse({"error": {"code": code, "message": message, "way_out": way_out}}, status=refused)
        if wants_json(request):
            return JsonResponse(done, status=status)
        messages.success(request, "Done.")
        return redirect(address(row))
