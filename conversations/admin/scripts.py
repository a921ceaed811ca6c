"""The pages of scripts: the list, one to write or change, its start, and what the page of a run shows of its lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString
from unfold.decorators import display

from conversations import audio
from conversations.admin.replaying import by_field, line_pages, targets
from conversations.admin.script_form import Written
from conversations.admin.scripting import started
from conversations.models import Script
from conversations.models.echo import UNDER_WAY
from conversations.refusals import Refusal
from conversations.scripts import keeping
from conversations.scripts.asking import check
from conversations.scripts.lines import seconds_of, variables_in
from conversations.scripts.telling import counted, offer, told_lines, words_of
from echoadmin.accounts.acting import actor
from echoadmin.accounts.roles import may
from echoadmin.pages import button, draw, require_role, told
from echoadmin.public_ids import new_public_id
from echoadmin.read_only import Facts, ReadOnlyAdmin, address
from echoadmin.runs import Run
from echoadmin.runs.admin import start_asked
from echoadmin.runs.drawing import draws_runs
from echoadmin.shown import code, lasting, when

SHOWN = 200  # lines on the script's own page


@admin.register(Script)
class ScriptAdmin(ReadOnlyAdmin):
    """Ordered lines, said by one click."""

    list_display = ("name", "shown_lines", "shown_length", "shown_variables", "created_by", "shown_changed")
    search_fields = ("name", "public_id")
    search_help_text = "Its name, or its id"
    change_list_template = "conversations/scripts.html"
    detail_template = "conversations/script.html"

    @display(description="Lines")
    def shown_lines(self, row: Script) -> str:
        """How many."""
        return f"{len(row.lines):,}"

    @display(description="Length")
    def shown_length(self, row: Script) -> str:
        """About how long it takes."""
        return f"≈ {lasting(round(seconds_of(row.lines)))}"

    @display(description="Variables")
    def shown_variables(self, row: Script) -> str:
        """What its start asks for."""
        return ", ".join(variables_in(row.lines))

    @display(description="Changed", ordering="updated_at")
    def shown_changed(self, row: Script) -> SafeString:
        """When."""
        return when(row.updated_at)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        own = {"may_write": may(request.user, "operator")}
        return super().changelist_view(request, own | (extra_context or {}))

    def custom_paths(self) -> list[Any]:
        one = "<str:object_id>/change/"
        return [
            ("clip/", "clip", self.clip_view),
            (one + "edit/", "edit", self.edit_view),
            (one + "run/", "run", self.run_view),
            (one + "delete/", "take_away", self.take_away),
        ]

    def facts(self, request: HttpRequest, row: Script) -> Facts:
        return [
            ("Lines", f"{len(row.lines):,}"),
            ("Takes", f"≈ {lasting(round(seconds_of(row.lines)))}"),
            ("Variables", ", ".join(variables_in(row.lines)) or "none"),
            ("Written by", row.created_by),
            ("Changed", when(row.updated_at)),
            ("Revision", row.revision),
            ("Id", code(row.public_id)),
        ]

    def more_context(self, request: HttpRequest, row: Script) -> dict[str, Any]:
        lines = [
            {**line, "words": words_of(line), "pause_words": lasting(line["pause"]) if line["pause"] else ""}
            for line in row.lines[:SHOWN]
        ]
        more = max(0, len(row.lines) - SHOWN)
        return {"lines": lines, "more_lines": more, "may_write": may(request.user, "operator")}

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """A new one."""
        require_role(request, "operator", "write a script")
        return self._written(request, None, Written())

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Runs that were started keep the lines they have."""
        require_role(request, "operator", "change a script")
        row = self.find(request, object_id)
        return self._written(request, row, Written.kept(row))

    def _written(self, request: HttpRequest, row: Script | None, written: Written) -> HttpResponse:
        errors: Mapping[str, str] = {}
        if request.method == "POST":
            written = Written.sent(request.POST)
            revision = int(written.revision) if written.revision.isdecimal() else None
            try:
                saved = keeping.save_script(
                    actor=actor(request), script=row, revision=revision if row else None, **written.asked()
                )
            except ValidationError as error:
                errors = by_field(error)
            except Refusal as refusal:
                errors = {refusal.field: refusal.message}
            else:
                messages.success(request, f"{saved.name} is saved.")
                return cast(HttpResponse, redirect(address(saved)))
        return _form_page(request, row, written, errors, self.crumb())

    def run_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Where, and with which values; then its run."""
        require_role(request, "operator", "make a replica speak")
        row = self.find(request, object_id)
        given = {name: request.POST.get(f"variable-{name}", "") for name in variables_in(row.lines)}
        to, run, errors = request.POST.get("to", request.GET.get("to", "")), request.POST.get("run", ""), {}
        if request.method == "POST":
            if first := started(request):
                return redirect(address(first))
            try:
                asked = check({"script": row.public_id, "to": to, "variables": given})
                return redirect(address(start_asked(request, "script", asked, run)))
            except ValidationError as error:
                errors = dict(by_field(error))
            except Refusal as refusal:
                errors = {refusal.field: refusal.message}
        return _start_page(request, row, to, given, errors)

    @button("operator", "write a script")
    def clip_view(self, request: HttpRequest) -> HttpResponseBase:
        """Keep an audio file for a line; JSON for the form's script."""
        upload = request.FILES.get("file")
        if upload is None:
            return told(request, 400, "No file came with it.", "Choose an audio file.")
        try:
            pcm = audio.decode(cast(BinaryIO, upload.file), max_seconds=settings.ECHO_MAX_SECONDS)
            clip = keeping.new_clip(pcm=pcm, sample_rate=audio.RATE)
        except Refusal as refusal:
            return told(request, refusal.status, refusal.message, code=refusal.code)
        long = lasting(round(audio.seconds(clip.size, clip.sample_rate), 1))
        return JsonResponse({"clip": clip.pk, "name": str(upload.name)[:200], "long": long}, status=201)

    @button("operator", "delete a script")
    def take_away(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Runs that were started go on."""
        row = self.find(request, object_id)
        keeping.delete_script(actor=actor(request), script=row)
        messages.success(request, f"{row.name} is deleted.")
        return redirect("admin:conversations_script_changelist")


def _form_page(
    request: HttpRequest, row: Script | None, written: Written, errors: Mapping[str, str], crumb: Any
) -> HttpResponse:
    context = {
        "title": f"Edit {row.name}" if row else "New script",
        "crumb": (row.name, address(row)) if row else crumb,
        "row": row,
        "written": written,
        "rows": written.shown(errors),
        "errors": errors,
        "other_errors": [
            words if name in ("lines", "revision") else f"{name}: {words}"
            for name, words in errors.items()
            if name != "name" and not name.startswith("lines.")
        ],
    }
    return draw(request, "conversations/script_form.html", context, 400 if errors else 200)


def _start_page(
    request: HttpRequest, row: Script, to: str, given: Mapping[str, str], errors: Mapping[str, str]
) -> HttpResponse:
    values = [
        {**one, "value": given.get(one["name"], ""), "error": errors.get(f"variables.{one['name']}", "")}
        for one in offer(row)["variables"]
    ]
    named = {"to", *(f"variables.{one['name']}" for one in values)}
    context = {
        "title": f"Run {row.name}",
        "crumb": (row.name, address(row)),
        "row": row,
        "run": new_public_id("rn"),
        "to": to,
        "targets": targets(),
        "values": values,
        "errors": errors,
        "other_errors": [words for name, words in errors.items() if name not in named],
        "about": offer(row)["about"],
    }
    return draw(request, "conversations/script_start.html", context, 400 if errors else 200)


@draws_runs("script")
def drawing(run: Run, page: int) -> tuple[str, dict[str, Any]]:
    """What the run's page shows of a script: each line and what became of it."""
    states, total = counted(run), len(run.params["lines"])
    under_way = not set(dict(states)).isdisjoint(UNDER_WAY)
    context = {"run": run, "lines": told_lines(run, page), "counted": states, "under_way": under_way}
    return "conversations/script_run.html", context | line_pages(page, total)
