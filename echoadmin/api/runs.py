"""`/api/v1/runs/`: exports, verifications, replays: asked for, watched, stopped, and their files."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.urls import path
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from echoadmin.accounts import permissions
from echoadmin.accounts.recording import record
from echoadmin.accounts.roles import MANAGER
from echoadmin.api.catalogue import SAYING
from echoadmin.api.paging import Pages
from echoadmin.api.problems import outside, refused
from echoadmin.api.views import View
from echoadmin.idempotency import act_once, idempotent
from echoadmin.log.wav import RangeNotSatisfiable, byte_range
from echoadmin.public_ids import new_public_id
from echoadmin.runs import KINDS, Run, RunState, pause_run, resume_run, skip_in_run, start_run, stop_run
from echoadmin.runs.asking import forget_file
from echoadmin.streaming import RANGE, AnyAccept, streamed

ROLES = {one.role: one for one in (permissions.Auditor, permissions.Operator, permissions.Manager, permissions.Admin)}
FILES = ("application/x-ndjson", "text/csv", "application/zip")
STARTED = {"export": "log.exported"}  # every export is found under one name, whichever way it was made


class RunSerializer(serializers.Serializer[Any]):
    """A run: something long that is done once."""

    id = serializers.CharField(source="public_id")
    kind = serializers.CharField(help_text="export, verify, replay or script; more may come.")
    label = serializers.CharField()  # type: ignore[assignment]
    params = serializers.JSONField()
    state = serializers.CharField(
        help_text="waiting, running, paused, stopping, done, failed or stopped; more may come."
    )
    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)
    percent = serializers.IntegerField(allow_null=True)
    result = serializers.JSONField(allow_null=True)
    error = serializers.CharField(help_text="Why it failed, or why it paused by itself.")
    file_name = serializers.CharField()
    file_bytes = serializers.IntegerField(help_text="0: there is no file, or no longer. It is under `file/`.")
    conversation = serializers.CharField(source="conversation_ref", help_text="Our id, or empty.")
    actor = serializers.CharField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    holder = serializers.CharField(help_text="The worker that is at it now.")


class RunRequest(serializers.Serializer[Any]):
    """For the OpenAPI document."""

    kind = serializers.CharField()
    params = serializers.DictField(required=False)


class RunFilter(filters.FilterSet):
    """Filters of the list of runs; kinds and states are open sets."""

    kind = filters.CharFilter(max_length=40, label="export, verify, replay, script; more may come")
    state = filters.CharFilter(max_length=16, label="waiting, running, paused, done, failed, stopped; more may come")
    conversation = filters.CharFilter(field_name="conversation_ref", max_length=64, label="our id")
    actor = filters.CharFilter(max_length=200, label="who asked for it")

    class Meta:
        model = Run
        fields: list[str] = []


@extend_schema(tags=["runs"])
class RunList(View, generics.ListAPIView[Run]):
    """All runs, newest first; POST asks for a run."""

    serializer_class = RunSerializer
    pagination_class = Pages
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = RunFilter
    codes = {"POST": (*SAYING, "script_running")}
    queryset = Run.objects.none()

    def get_queryset(self) -> QuerySet[Run]:
        """Newest first."""
        return Run.objects.order_by("-id")

    @extend_schema(request=RunRequest, responses={202: RunSerializer})
    @idempotent(lambda: new_public_id("rn"))
    def post(self, request: Request, ref: str) -> Response:
        """{"kind": "export", "params": {"format": "ndjson", "filters": {…}}}; a worker begins within seconds."""
        body = dict(request.data)
        kind, params = body.pop("kind", None), body.pop("params", {})
        if body:
            raise ValidationError({next(iter(body)): ["A run takes kind and params."]})
        known = KINDS.get(kind) if isinstance(kind, str) else None
        if known is None or known.role is None or known.check is None:
            kinds = sorted(name for name, one in KINDS.items() if one.role is not None)
            raise ValidationError({"kind": [f"Is one of {', '.join(kinds)}."]})
        if not isinstance(params, dict):
            raise ValidationError({"params": ["Is an object."]})
        check_role(self, known.role)
        asked = known.check(params)
        run = start_run(
            actor=self.actor(),
            kind=str(kind),
            params=asked.params,
            label=asked.label,
            conversation_ref=asked.conversation_ref,
            public_id=ref,
        )
        facts = {"id": run.public_id, "kind": run.kind, **asked.params}
        record(STARTED.get(run.kind, "run.started"), self.actor(), facts)
        return Response(RunSerializer(run).data, status=202)

    def answer_for(self, ref: str, **kwargs: Any) -> Response | None:
        """The run that a repeated request asked for."""
        run = Run.objects.filter(public_id=ref).first()
        return Response(RunSerializer(run).data, status=202) if run else None


@extend_schema(tags=["runs"], responses=RunSerializer)
class RunOne(View):
    """One run."""

    shows = RunSerializer

    def get(self, request: Request, run_id: str) -> Response:
        """As it is now."""
        return self.one(one(run_id))


@extend_schema(tags=["runs"], request=None, responses=RunSerializer)
class RunStop(View):
    """Stops a run; what is done stays done."""

    @act_once
    def post(self, request: Request, run_id: str) -> Response:
        """One that waits stops at once, one that runs within seconds. One that has ended stays as it is."""
        run = mine(self, run_id)
        if stop_run(run):
            record("run.stopped", self.actor(), {"id": run.public_id, "kind": run.kind})
        return Response(RunSerializer(one(run_id)).data)


@extend_schema(tags=["runs"], request=None, responses=RunSerializer)
class RunPause(View):
    """Lets a run wait where it is; `resume/` lets it go on."""

    codes = {"POST": ("not_pausable",)}

    @act_once
    def post(self, request: Request, run_id: str) -> Response:
        """Within a second; a script's line that is being said is said to its end. 409 for one that has ended."""
        run = mine(self, run_id)
        if not pause_run(run):
            raise refused(409, "not_pausable", f"It is {one(run_id).state}; only a run that waits or runs is paused.")
        record("run.paused", self.actor(), {"id": run.public_id, "kind": run.kind})
        return Response(RunSerializer(one(run_id)).data)


@extend_schema(tags=["runs"], request=None, responses=RunSerializer)
class RunSkip(View):
    """Has a script leave out the line that it is at, or cut the pause after it."""

    codes = {"POST": ("not_skippable",)}

    @act_once
    def post(self, request: Request, run_id: str) -> Response:
        """Within a second; one that is paused leaves out its next line when it goes on. 409 where it can't be."""
        run = mine(self, run_id)
        if not skip_in_run(run):
            words = f"It is a {run.kind} and {one(run_id).state}; only a script that has not ended skips."
            raise refused(409, "not_skippable", words)
        record("run.skipped", self.actor(), {"id": run.public_id, "kind": run.kind})
        return Response(RunSerializer(one(run_id)).data)


@extend_schema(tags=["runs"], request=None, responses=RunSerializer)
class RunResume(View):
    """Lets a run that was stopped or paused, or failed, go on from where it was."""

    codes = {"POST": ("not_resumable",)}

    @act_once
    def post(self, request: Request, run_id: str) -> Response:
        """409 for one that waits, runs or is done."""
        run = mine(self, run_id)
        if not resume_run(run):
            raise refused(
                409, "not_resumable", f"It is {run.state}; only a run that was stopped, paused or failed goes on."
            )
        record("run.resumed", self.actor(), {"id": run.public_id, "kind": run.kind})
        return Response(RunSerializer(one(run_id)).data)


@extend_schema(tags=["runs"])
class RunFile(View):
    """A run's file."""

    content_negotiation_class = AnyAccept
    codes = {"GET": ("not_done", "range_not_satisfiable"), "DELETE": ("not_done",)}

    @extend_schema(
        parameters=[RANGE],
        responses={(status, kind): OpenApiTypes.BINARY for status in (200, 206) for kind in FILES},
    )
    def get(self, request: Request, run_id: str) -> HttpResponseBase:
        """200, or 206 for a Range; 409 while the run is not done, 404 when it makes no file or its file is gone."""
        run = one(run_id)
        if run.state != RunState.DONE:
            raise refused(409, "not_done", f"It is {run.state}: its file is whole when it is done.")
        if not run.file_bytes:
            raise NotFound("This run has no file, or it was taken away; files are kept for RUN_FILE_DAYS.")
        try:
            asked = byte_range(request.META.get("HTTP_RANGE"), run.file_bytes)
        except RangeNotSatisfiable:
            raise outside(run.file_bytes) from None
        first, stop = asked or (0, run.file_bytes)
        headers = {
            "Accept-Ranges": "bytes",
            "Content-Length": str(stop - first),
            "Content-Type": run.content_type,
            "Content-Disposition": f'attachment; filename="{run.file_name}"',
            "Cache-Control": "no-store",
            "ETag": f'"{run.public_id}"',
        }
        if asked:
            headers["Content-Range"] = f"bytes {first}-{stop - 1}/{run.file_bytes}"
        if not first:
            record("run.downloaded", self.actor(), {"id": run.public_id, "kind": run.kind, "bytes": run.file_bytes})
        return streamed(request._request, run.file(first, stop), 206 if asked else 200, headers)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, run_id: str) -> Response:
        """Takes the file away, now; the run stays."""
        run = mine(self, run_id)
        if not run.is_ended:
            raise refused(409, "not_done", f"It is {run.state}; stop it first.")
        if forget_file(run):
            record("run.file_deleted", self.actor(), {"id": run.public_id, "kind": run.kind})
        return Response(status=204)


def one(run_id: str) -> Run:
    """Raises NotFound."""
    run = Run.objects.filter(public_id=run_id[:32]).first()
    if run is None:
        raise NotFound(f"There is no run {run_id[:80]!r}. Runs are listed under /api/v1/runs/.")
    return run


def mine(view: View, run_id: str) -> Run:
    """The run, if who asks may change it: its own, or anybody's for a manager. Raises NotFound, PermissionDenied."""
    run = one(run_id)
    kind = KINDS.get(run.kind)
    own = run.actor_user_id is not None and run.actor_user_id == view.request.user.pk
    check_role(view, (kind.role if kind and own else None) or MANAGER)
    return run


def check_role(view: View, role: str) -> None:
    """Raises PermissionDenied, saying what is missing."""
    permission = ROLES[role]()
    if not permission.has_permission(view.request, view):
        raise PermissionDenied(permission.message)


urlpatterns = [
    path("runs/", RunList.as_view()),
    path("runs/<str:run_id>/", RunOne.as_view()),
    path("runs/<str:run_id>/stop/", RunStop.as_view()),
    path("runs/<str:run_id>/pause/", RunPause.as_view()),
    path("runs/<str:run_id>/skip/", RunSkip.as_view()),
    path("runs/<str:run_id>/resume/", RunResume.as_view()),
    path("runs/<str:run_id>/file/", RunFile.as_view()),
]
