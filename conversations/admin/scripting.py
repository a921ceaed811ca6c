"""The script's panel on a conversation's page: choose one, fill it in, start it; pause, skip, stop, resume."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse

from conversations.admin.page_parts import ONE, PagePart
from conversations.admin.replaying import by_field
from conversations.models import Conversation
from conversations.refusals import Refusal
from conversations.scripts.asking import check
from conversations.scripts.telling import panel
from echoadmin.pages import button, require_role, told
from echoadmin.runs import Run
from echoadmin.runs.admin import CHANGES, change_run, start_asked

_VALUE = "variable-"


class ScriptingPart(PagePart):
    """All answers are JSON: the panel as it is then."""

    def page_paths(self) -> list[Any]:
        return [
            *super().page_paths(),
            (ONE + "script/", "script", self.script_view),
            (ONE + "script/start/", "script_start", self.script_start),
            (ONE + "script/<str:run_id>/<str:what>/", "script_change", self.script_change),
        ]

    def page_context(self, request: HttpRequest, row: Conversation) -> dict[str, Any]:
        return super().page_context(request, row) | {"script_panel": panel(row)}

    def script_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """What can be started, and where the newest run is; `?only=run`: that alone."""
        require_role(request, "auditor", "see scripts")
        return JsonResponse(panel(self.find(request, object_id), offers=request.GET.get("only") != "run"))

    @button("operator", "make a replica speak")
    def script_start(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """`script`, and its variables as `variable-…`; `run`: an id of the form's own, so that sent twice is once."""
        row = self.find(request, object_id)
        if started(request):
            return JsonResponse(panel(row))
        given = {name.removeprefix(_VALUE): value for name, value in request.POST.items() if name.startswith(_VALUE)}
        params = {"script": request.POST.get("script", ""), "to": row.public_id, "variables": given}
        try:
            start_asked(request, "script", check(params), request.POST.get("run", "")[:32])
        except ValidationError as error:
            return JsonResponse({"error": {"code": "invalid", **_named(error)}}, status=400)
        except Refusal as refusal:
            return told(request, refusal.status, refusal.message, code=refusal.code)
        return JsonResponse(panel(row), status=202)

    @button("auditor", "stop, pause or resume a script")
    def script_change(self, request: HttpRequest, object_id: str, run_id: str, what: str) -> HttpResponseBase:
        """stop, pause, skip or resume; who may is decided as on the run's own page."""
        row = self.find(request, object_id)
        run = Run.objects.filter(public_id=run_id[:32], kind="script", conversation_ref=row.public_id).first()
        if run is None or what not in CHANGES:
            raise Http404("There is no such script in this conversation.")
        if refused := change_run(request, run, what):
            return told(request, 409, refused)
        return JsonResponse(panel(row))


def started(request: HttpRequest) -> Run | None:
    """The run that this very form has started: it was sent twice."""
    mine = Run.objects.filter(kind="script", actor_user_id=request.user.pk)
    return mine.filter(public_id=request.POST.get("run", "")[:32]).first()


def _named(error: ValidationError) -> dict[str, Any]:
    fields = by_field(error)
    return {"fields": fields, "message": " ".join(fields.values()), "way_out": ""}
