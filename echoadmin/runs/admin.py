"""The pages of runs: what was asked for, how far it is, stop, go on, and the file that came of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.utils.safestring import SafeString
from unfold.decorators import display

from echoadmin.accounts.acting import actor
from echoadmin.accounts.recording import record
from echoadmin.accounts.roles import may
from echoadmin.log.naming import names
from echoadmin.pages import button, require_role, told
from echoadmin.public_ids import new_public_id
from echoadmin.read_only import Facts, ReadOnlyAdmin, address, document
from echoadmin.runs import KINDS, Asked, Run, RunState, pause_run, resume_run, skip_in_run, start_once, stop_run
from echoadmin.runs.drawing import drawn
from echoadmin.shown import NOTHING, code, link, size, state, when

STARTED = {"export": "log.exported"}  # every export is found under one name, whichever way it was made
_OWN_ID = re.compile(r"rn_[0-9a-z]{20}")
RESUMABLE = (RunState.FAILED, RunState.STOPPED, RunState.PAUSED)


def start_by_page(request: HttpRequest, kind: str, params: Mapping[str, Any]) -> HttpResponseBase:
    """Start a run that a page's form asked for, and show it; says what was wrong with the wish where it can't be."""
    known = KINDS.get(kind)
    if known is None or known.check is None or known.role is None:
        return told(request, 404, f"This console does no runs of the kind {kind[:40]!r}.", "Look at the list of runs.")
    require_role(request, known.role, f"start this: {kind}")
    try:
        run = start_asked(request, kind, known.check(params))
    except ValidationError as error:
        return told(request, 400, _words(error), "Go back, correct it and send it again; nothing was started.")
    return redirect(address(run))


def start_asked(request: HttpRequest, kind: str, asked: Asked, public_id: str = "") -> Run:
    """Start a run whose wish was checked, in the visitor's name. `public_id`: a form's own, so that one that is sent
    twice starts one run."""
    who = actor(request)
    run, is_new = start_once(
        public_id=public_id if _OWN_ID.fullmatch(public_id) else new_public_id("rn"),
        actor=who,
        kind=kind,
        params=asked.params,
        label=asked.label,
        conversation_ref=asked.conversation_ref,
    )
    if is_new:
        record(STARTED.get(kind, "run.started"), who, {"id": run.public_id, "kind": kind, **asked.params})
    return run


def _words(error: ValidationError) -> str:
    named = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
    return " ".join(f"{name}: {' '.join(words)}" if name else " ".join(words) for name, words in named.items())


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """Something long that is done once."""

    list_display = ("shown_kind", "label", "shown_state", "shown_progress", "shown_file", "actor", "shown_asked")
    list_display_links = ("shown_kind",)
    list_filter = ("kind", "state")
    search_fields = ("public_id", "label", "conversation_ref")
    search_help_text = "Its label, its id, or a conversation’s"
    change_list_template = "echoadmin/runs.html"

    @display(description="Kind", ordering="kind")
    def shown_kind(self, row: Run) -> str:
        """What sort of run."""
        return row.kind.capitalize()

    @display(description="State", ordering="state")
    def shown_state(self, row: Run) -> SafeString:
        """Where it is."""
        return state(row.state)

    @display(description="Progress")
    def shown_progress(self, row: Run) -> str:
        """How far."""
        return f"{row.percent} %" if row.percent is not None else f"{row.done:,}" if row.done else ""

    @display(description="File")
    def shown_file(self, row: Run) -> SafeString | str:
        """Its result, to download."""
        return link(file_address(row), size(row.file_bytes)) if has_file(row) else NOTHING

    @display(description="Asked for", ordering="id")
    def shown_asked(self, row: Run) -> SafeString:
        """When."""
        return when(row.created_at)

    def custom_paths(self) -> list[Any]:
        one = "<str:object_id>/change/"
        return [
            ("verify/", "verify", self.verify_view),
            (one + "state/", "state", self.state_view),
            (one + "stop/", "stop", self.stop_view),
            (one + "pause/", "pause", self.pause_view),
            (one + "skip/", "skip", self.skip_view),
            (one + "resume/", "resume", self.resume_view),
        ]

    detail_template = "echoadmin/run.html"

    def facts(self, request: HttpRequest, row: Run) -> Facts:
        return [
            ("What", row.label or row.kind),
            ("Conversation", _conversation(row)),
            ("Asked for by", row.actor),
            ("Asked for", when(row.created_at)),
            ("Began", when(row.started_at)),
            ("Ended", when(row.ended_at)),
            ("Done by", row.holder),
            ("Id", code(row.public_id)),
        ]

    def documents(self, row: Run) -> list[tuple[str, str]]:
        return [*document("What came of it", row.result), *document("What was asked", row.params)]

    def more_context(self, request: HttpRequest, row: Run) -> dict[str, Any]:
        own = drawn(row, request.GET.get("page", ""))
        return {
            "title": f"{row.kind.capitalize()}: {row.label}" if row.label else str(row),
            "now": progress(row),
            "may_stop": _may_change(request, row),
            "own": own,
            "documents_closed": bool(own.html),
        }

    def state_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """How far it is, as JSON, for the page's own script."""
        require_role(request, "auditor", "see runs")
        row = self.find(request, object_id)
        own = drawn(row, request.GET.get("page", ""))
        news = {} if own.mark == request.GET.get("mark") else {"own": own.html, "mark": own.mark}
        return JsonResponse(progress(row) | news)

    @button("auditor", "stop a run")
    def stop_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """What is done stays done."""
        return self._change(request, object_id, "stop")

    @button("auditor", "pause a run")
    def pause_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Where it is, until it is resumed."""
        return self._change(request, object_id, "pause")

    @button("auditor", "skip in a run")
    def skip_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """What it is at."""
        return self._change(request, object_id, "skip")

    @button("auditor", "let a run go on")
    def resume_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """From where it was."""
        return self._change(request, object_id, "resume")

    def _change(self, request: HttpRequest, object_id: str, what: str) -> HttpResponseBase:
        row = self.find(request, object_id)
        if refused := change_run(request, row, what):
            messages.info(request, refused)
        return redirect(address(row))

    @button("auditor", "verify the log")
    def verify_view(self, request: HttpRequest) -> HttpResponseBase:
        """Have the log's chain recomputed: all of it, or one stream."""
        stream = request.POST.get("stream", "").strip()
        return start_by_page(request, "verify", {"stream": stream} if stream else {})

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        own = {"can_verify": "verify" in KINDS}
        return super().changelist_view(request, own | (extra_context or {}))


CHANGES: dict[str, tuple[Callable[[Run], bool], str, str]] = {  # what does it, its entry, why it can't be
    "stop": (stop_run, "run.stopped", "It had ended already."),
    "pause": (pause_run, "run.paused", "It is {state}: only one that waits or runs can be paused."),
    "skip": (skip_in_run, "run.skipped", "It is {state}, or skips nothing: only a script that has not ended does."),
    "resume": (resume_run, "run.resumed", "It is {state}: only one that was stopped, paused or failed goes on."),
}


def change_run(request: HttpRequest, row: Run, what: str) -> str:
    """Stop, pause, skip or resume in the visitor's name; why it can't be, or "". Raises PermissionDenied."""
    _require_change(request, row)
    do, entry, refused = CHANGES[what]
    if not do(row):
        row.refresh_from_db()
        return refused.format(state=row.state)
    record(entry, actor(request), {"id": row.public_id, "kind": row.kind})
    return ""


def progress(row: Run) -> dict[str, Any]:
    """What changes while a run is under way."""
    total = row.total or 0
    words = f"{row.done:,} of {total:,}" if total else f"{row.done:,}" if row.done else ""
    return {
        "state": row.state,
        "percent": row.percent,
        "words": words,
        "error": row.error,
        "ended": row.is_ended,
        "resumable": row.state in RESUMABLE,
        "pausable": row.state in (RunState.WAITING, RunState.RUNNING),
        "skips": not row.is_ended and row.kind in KINDS and KINDS[row.kind].skips,
        "verdict": verdict(row),
        "file": file_address(row) if has_file(row) else "",
        "file_words": f"{row.file_name}, {size(row.file_bytes)}" if has_file(row) else "",
    }


def verdict(row: Run) -> str:
    """What a verification found, in a sentence."""
    result = row.result if isinstance(row.result, dict) else {}
    if row.kind != "verify" or "verified" not in result:
        return ""
    if result["verified"]:
        return f"Every one of {result.get('entries', 0):,} entries is as it was written."
    findings = result.get("findings") or [{}]
    return f"The log was changed: {len(findings):,} finding{'s' if len(findings) > 1 else ''}. The first is below."


def has_file(row: Run) -> bool:
    """Whether there is something to download."""
    return row.state == RunState.DONE and row.file_bytes > 0


def file_address(row: Run) -> str:
    """Where its file is."""
    return f"/api/v1/runs/{row.public_id}/file/"


def _conversation(row: Run) -> Any:
    if not row.conversation_ref:
        return ""
    try:
        page = reverse("admin:conversations_conversation_change", args=[row.conversation_ref])
    except NoReverseMatch:
        return code(row.conversation_ref)
    return link(page, names({row.conversation_ref}).get(row.conversation_ref, row.conversation_ref))


def _may_change(request: HttpRequest, row: Run) -> bool:
    """Its own, if who asked for it may still do so; anybody's for a manager."""
    kind = KINDS.get(row.kind)
    own = row.actor_user_id is not None and row.actor_user_id == request.user.pk
    return may(request.user, (kind.role if kind and own else None) or "manager")


def _require_change(request: HttpRequest, row: Run) -> None:
    if not _may_change(request, row):
        require_role(request, "manager", "stop or resume another's run")


__all__ = ["RunAdmin", "change_run", "start_asked", "start_by_page"]
