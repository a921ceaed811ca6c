"""Replay by page: which echoes, with which words, into which conversation, how fast; or only a look at it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from conversations.admin.page_parts import ONE, PagePart
from conversations.admin.replay_form import SPEEDS, Wish
from conversations.models import Conversation
from conversations.models.echo import UNDER_WAY
from conversations.refusals import Refusal
from conversations.replay import check
from conversations.replay.offering import MOST, Offered, offered
from conversations.replay.telling import PAGE, counted, looked, looked_lines, told_lines
from echoadmin.pages import draw, require_role
from echoadmin.public_ids import new_public_id
from echoadmin.read_only import address
from echoadmin.runs import Run
from echoadmin.runs.admin import start_asked
from echoadmin.runs.drawing import draws_runs

Errors = Mapping[str, str]  # field → words
TARGETS = 200  # conversations that the form offers


class ReplayingPart(PagePart):
    """The form of a replay."""

    def page_paths(self) -> list[Any]:
        """Its page."""
        return [*super().page_paths(), (ONE + "replay/", "replay", self.replay_view)]

    def replay_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The form, and what it starts: a run. `?echo=12`: that echo alone."""
        require_role(request, "operator", "make a replica speak")
        row = self.find(request, object_id)
        found = _found(row, request.GET.get("echo", ""))
        if request.method != "POST":
            return _form(request, row, found, Wish.fresh(found, new_public_id("rn")), {})
        wish = Wish.sent(request.POST)
        try:
            asked = check(wish.params(found))
        except ValidationError as error:
            return _form(request, row, found, wish, by_field(error))
        except Refusal as refusal:
            return _form(request, row, found, wish, {refusal.field: refusal.message})
        return redirect(address(start_asked(request, "replay", asked, wish.run)))


def _found(row: Conversation, only: str) -> Offered:
    found = offered(row, (int(only) if only.isdecimal() and len(only) < 19 else 0) if only else None)
    if only and not found.lines:
        raise Http404(f"This conversation has no echo {only[:40]!r}.")
    return found


def by_field(error: ValidationError) -> Errors:
    """Each field's words in one text."""
    return {name: " ".join(words) for name, words in error.message_dict.items()}


def _form(request: HttpRequest, row: Conversation, found: Offered, wish: Wish, errors: Errors) -> HttpResponseBase:
    shown = {"to", "speed", "longest_pause", "echoes", *(f"texts.{one.echo.pk}" for one in found.lines)}
    context: dict[str, Any] = {
        "title": "Replay",
        "crumb": (str(row), address(row)),
        "row": row,
        "lines": [wish.line(offer, errors.get(f"texts.{offer.echo.pk}", "")) for offer in found.lines],
        "rest": len(found.rest),
        "only": request.GET.get("echo", ""),
        "targets": targets(row),
        "speeds": SPEEDS,
        "most": MOST,
        "wish": wish,
        "errors": errors,
        "other_errors": [f"{name}: {words}" for name, words in errors.items() if name not in shown],
    }
    return draw(request, "conversations/replay.html", context, 400 if errors else 200)


def targets(row: Conversation | None = None) -> list[tuple[str, str]]:
    """(id, words): the conversations that run, those whose room is joined first; and `row`, for a look at least."""
    live = Conversation.objects.filter(state="live", status="active").select_related("room").order_by("-id")[:TARGETS]
    told = [(one.public_id, f"{one} · {_room_words(one)}", _room_words(one) != "room joined") for one in live]
    found = [(key, words) for key, words, _ in sorted(told, key=lambda one: one[2])]
    if row is not None and row.public_id not in {key for key, _ in found}:
        found.append((row.public_id, f"{row} · has ended: only for a look"))
    return found


def _room_words(conversation: Conversation) -> str:
    room = getattr(conversation, "room", None)
    return "room joined" if room is not None and room.wanted == "joined" else "room not joined"


@draws_runs("replay")
def drawing(run: Run, page: int) -> tuple[str, dict[str, Any]]:
    """What the run's page shows of a replay: each line and what became of it, or would."""
    total = len(run.params["lines"])
    context: dict[str, Any] = {"run": run, "total": total}
    if run.params.get("dry"):
        context |= {"lines": looked_lines(run, page), **looked(run)}
        return "conversations/replay_looked.html", context | line_pages(page, context["kept"])
    states = counted(run)
    under_way = not set(dict(states)).isdisjoint(UNDER_WAY)
    context |= {"lines": told_lines(run, page), "counted": states, "under_way": under_way}
    return "conversations/replay_run.html", context | line_pages(page, total)


def line_pages(page: int, total: int) -> dict[str, Any]:
    """Which lines these are, and the pages beside."""
    first, last = (page - 1) * PAGE + 1, min(page * PAGE, total)
    beside = {"earlier": page - 1 if page > 1 else None, "later": page + 1 if last < total else None}
    return {"first": first, "last": last, "paged": total > PAGE, **beside}
