"""The buttons of a conversation's page that change what waits, decide on what is held, and pass the floor on."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase

from conversations.admin.page_parts import ONE, PagePart
from conversations.models import Conversation
from conversations.refusals import Refusal
from conversations.serializers import echo_dict
from conversations.services import speaking
from conversations.standing import floor_of
from echoadmin.accounts.acting import actor
from echoadmin.accounts.roles import is_reviewed
from echoadmin.pages import button


def whole(request: HttpRequest, name: str) -> int | None:
    """A number of the form, None where it was left empty. Raises Refusal."""
    text = request.POST.get(name, "")
    if not text:
        return None
    if not text.isdecimal() or len(text) > 9:
        raise Refusal(name, "Is a whole number.")
    return int(text)


class QueueingPart(PagePart):
    """Edit, move, approve, reject; the floor; the latencies."""

    def page_paths(self) -> list[Any]:
        """Their buttons."""
        echo = ONE + "echoes/<str:inference_id>/"
        return [
            *super().page_paths(),
            (echo + "change/", "change_echo", self.change_echo),
            (echo + "approve/", "approve", self.approve),
            (echo + "reject/", "reject", self.reject),
            (ONE + "floor/", "floor", self.floor),
        ]

    def page_context(self, request: HttpRequest, row: Conversation) -> dict[str, Any]:
        """What the part's template shows."""
        return super().page_context(request, row) | {"lines_wait": is_reviewed(request.user)}

    @button("operator", "change what waits")
    def change_echo(self, request: HttpRequest, object_id: str, inference_id: str) -> HttpResponseBase:
        """Other words, or another place."""
        row, echo = self.echo(request, object_id, inference_id)

        def do() -> dict[str, Any]:
            changed = speaking.change(
                actor=actor(request),
                echo=echo,
                text=request.POST.get("text"),
                before=request.POST.get("before"),
                after=request.POST.get("after"),
                position=whole(request, "position"),
                revision=whole(request, "revision"),
            )
            return echo_dict(changed)

        return self.answer(request, row, do)

    @button("operator", "approve what is held")
    def approve(self, request: HttpRequest, object_id: str, inference_id: str) -> HttpResponseBase:
        """Let a held line be said."""
        row, echo = self.echo(request, object_id, inference_id)

        def do() -> dict[str, Any]:
            text, revision = request.POST.get("text"), whole(request, "revision")
            return echo_dict(speaking.approve(actor=actor(request), echo=echo, text=text, revision=revision))

        return self.answer(request, row, do)

    @button("operator", "reject what is held")
    def reject(self, request: HttpRequest, object_id: str, inference_id: str) -> HttpResponseBase:
        """Have a held line never be said."""
        row, echo = self.echo(request, object_id, inference_id)

        def do() -> dict[str, Any]:
            why, revision = request.POST.get("reason", ""), whole(request, "revision")
            return echo_dict(speaking.reject(actor=actor(request), echo=echo, reason=why, revision=revision))

        return self.answer(request, row, do)

    @button("operator", "have the floor")
    def floor(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Take it, hand it over, or release it."""
        row = self.find(request, object_id)

        def do() -> dict[str, Any]:
            action, to = request.POST.get("action"), request.POST.get("to")
            room = speaking.do_with_floor(actor=actor(request), conversation=row, action=action, to=to)
            return {"floor": floor_of(room)}

        return self.answer(request, row, do)
