"""Saved lines: their list, and what the composer does with them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.template.defaultfilters import truncatechars
from unfold.decorators import display

from conversations.admin.page_parts import ONE, PagePart
from conversations.models import SavedLine
from conversations.refusals import Refusal
from conversations.serializers import echo_dict
from conversations.services import lines
from echoadmin.accounts.acting import actor
from echoadmin.accounts.roles import ADMIN, may
from echoadmin.pages import button, require_role
from echoadmin.read_only import Facts, ReadOnlyAdmin
from echoadmin.shown import code, lasting, when

SHOWN = 60  # lines on the page


def line_dict(request: HttpRequest, line: SavedLine) -> dict[str, Any]:
    """As the composer needs it."""
    mine = line.owner_id == request.user.pk or may(request.user, ADMIN)
    return {
        "id": line.public_id, "name": line.name, "text": line.text, "shared": line.shared, "owner": line.owner,
        "seconds": line.seconds, "is_audio": line.clip_id is not None, "may_change": mine,
    }  # fmt: skip


class LinesPart(PagePart):
    """The composer's saved lines."""

    def page_paths(self) -> list[Any]:
        """Their list and their buttons."""
        return [
            *super().page_paths(),
            (ONE + "lines/", "lines", self.lines),
            (ONE + "lines/save/", "save_line", self.save_line),
            (ONE + "lines/<str:line_id>/say/", "say_line", self.say_line),
            (ONE + "lines/<str:line_id>/change/", "change_line", self.change_line),
            (ONE + "lines/<str:line_id>/delete/", "delete_line", self.delete_line),
        ]

    def lines(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """One's own first."""
        require_role(request, "auditor", "see saved lines")
        rows = lines.visible_lines(request.user.pk).order_by("position", "id")[:SHOWN]
        told = [line_dict(request, row) for row in rows]
        return JsonResponse({"lines": sorted(told, key=lambda line: not line["may_change"])})

    @button("operator", "save a line")
    def save_line(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The words that were typed, or what an echo said."""
        who: dict[str, Any] = {
            "actor": actor(request),
            "name": request.POST.get("name", ""),
            "shared": "shared" in request.POST,
        }

        def do() -> dict[str, Any]:
            if request.POST.get("echo"):
                _, echo = self.echo(request, object_id, request.POST["echo"])
                return line_dict(request, lines.save_echo(echo=echo, **who))
            return line_dict(request, lines.save_text(text=request.POST.get("text", ""), **who))

        return self.answer(request, self.find(request, object_id), lambda: plainly(do), 201)

    @button("operator", "make a replica speak")
    def say_line(self, request: HttpRequest, object_id: str, line_id: str) -> HttpResponseBase:
        """To the end of the queue."""
        row, line = self.find(request, object_id), found(request, line_id)
        who: dict[str, Any] = {"actor": actor(request), "inference_id": request.POST.get("inference_id") or None}
        return self.answer(request, row, lambda: echo_dict(lines.say_line(conversation=row, line=line, **who)), 202)

    @button("operator", "change a saved line")
    def change_line(self, request: HttpRequest, object_id: str, line_id: str) -> HttpResponseBase:
        """Its name, whose it is, and its words."""
        line = found(request, line_id)
        given: dict[str, Any] = {"name": request.POST.get("name", ""), "shared": "shared" in request.POST}
        if line.clip_id is None:
            given["text"] = request.POST.get("text", "")

        def do() -> dict[str, Any]:
            return line_dict(request, lines.change_line(actor=actor(request), line=line, **given))

        return self.answer(request, self.find(request, object_id), lambda: plainly(do))

    @button("operator", "delete a saved line")
    def delete_line(self, request: HttpRequest, object_id: str, line_id: str) -> HttpResponseBase:
        """What was said of it stays in the log."""
        line = found(request, line_id)

        def do() -> dict[str, Any]:
            lines.delete_line(actor=actor(request), line=line)
            return {"deleted": line_id}

        return self.answer(request, self.find(request, object_id), do)


def found(request: HttpRequest, line_id: str) -> SavedLine:
    """Raises Http404."""
    line = lines.visible_lines(request.user.pk).filter(public_id=line_id).first()
    if line is None:
        raise Http404("This saved line is gone. Reload the page to see those that there are.")
    return line


def plainly(do: Any) -> dict[str, Any]:
    """Does it; a field that can't be is told as every refusal on this page."""
    try:
        done: dict[str, Any] = do()
    except ValidationError as error:
        field, words = next(iter(error.message_dict.items()))
        raise Refusal(field, f"{field.capitalize()}: {words[0]}") from error
    return done


@admin.register(SavedLine)
class SavedLineAdmin(ReadOnlyAdmin):
    """One's own lines, and those that others share. They are saved, changed and said on a conversation's page."""

    list_display = ("name", "shown_words", "shown_length", "shown_shared", "owner")
    search_fields = ("name", "text", "owner")
    search_help_text = "Its name, its words, or whose it is"

    def get_queryset(self, request: HttpRequest) -> Any:
        """A line that is not shared is its owner's alone."""
        return lines.visible_lines(request.user.pk)

    @display(description="Says")
    def shown_words(self, row: SavedLine) -> str:
        """Its words, or that it is audio."""
        return truncatechars(row.text, 80) if row.clip_id is None else "audio"

    @display(description="Length", ordering="seconds")
    def shown_length(self, row: SavedLine) -> str:
        """Of a text, as estimated."""
        return ("≈ " if row.clip_id is None else "") + lasting(row.seconds)

    @display(description="Seen by", ordering="shared")
    def shown_shared(self, row: SavedLine) -> str:
        """Its owner, or everybody."""
        return "everybody" if row.shared else "you alone"

    def facts(self, request: HttpRequest, row: SavedLine) -> Facts:
        return [
            ("Length", self.shown_length(row)),
            ("Seen by", self.shown_shared(row)),
            ("Owner", row.owner),
            ("Saved", when(row.created_at)),
            ("Id", code(row.public_id)),
        ]

    def documents(self, row: SavedLine) -> list[tuple[str, str]]:
        return [("What is said", row.text)] if row.text else []
