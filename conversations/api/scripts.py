"""`/api/v1/scripts/`: written, changed, started. What was started is a run: pause, skip, stop and resume are there."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError as ValidationErrorOfDjango
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from conversations import audio
from conversations.models import Script
from conversations.scripts import keeping
from conversations.scripts.asking import check
from conversations.scripts.lines import seconds_of
from conversations.within import said_within
from echoadmin.accounts.permissions import Operator
from echoadmin.accounts.recording import record
from echoadmin.actors import Limits
from echoadmin.api.catalogue import AUDIO, SAYING, TEXT
from echoadmin.api.paging import Pages
from echoadmin.api.parsing import ObjectParser
from echoadmin.api.runs import RunSerializer
from echoadmin.api.views import View
from echoadmin.idempotency import idempotent
from echoadmin.public_ids import new_public_id
from echoadmin.runs import Run, start_run

FIELDS = ("name", "lines", "variables")
LINES = (
    'In order: {"text": "Hello {{guest}}.", "pause": 1.5, "wait": "spoken"}, or "clip" (see scripts/clips/) instead of '
    "text. pause: seconds until the next line; wait null: the next follows at once."
)


class ScriptSerializer(serializers.Serializer[Any]):
    """An ordered list of lines and clips."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    lines = serializers.ListField(child=serializers.DictField(), help_text=LINES)
    variables = serializers.DictField(
        child=serializers.CharField(), help_text="Those that its lines hold, with their defaults; empty: to be given."
    )
    seconds = serializers.SerializerMethodField(help_text="About how long it takes.")
    revision = serializers.IntegerField(help_text="Grows with each change.")
    created_by = serializers.CharField()
    updated_at = serializers.DateTimeField()

    def get_seconds(self, row: Script) -> float:
        """Pauses included."""
        return round(seconds_of(row.lines), 1)


class ScriptRequest(serializers.Serializer[Any]):
    """For the OpenAPI document."""

    name = serializers.CharField(max_length=keeping.LONGEST_NAME)
    lines = serializers.ListField(child=serializers.DictField(), help_text=LINES)
    variables = serializers.DictField(child=serializers.CharField(), required=False, help_text="Defaults.")
    revision = serializers.IntegerField(required=False, help_text="PATCH: the one that was read; 409 if it is another.")


class ClipSerializer(serializers.Serializer[Any]):
    """Samples for a line."""

    clip = serializers.IntegerField(source="pk", help_text="For a line's clip.")
    sample_rate = serializers.IntegerField(help_text="Hz.")
    seconds = serializers.SerializerMethodField()

    def get_seconds(self, clip: Any) -> float:
        """Its length."""
        return round(audio.seconds(clip.size, clip.sample_rate), 3)


class ClipRequest(serializers.Serializer[Any]):
    """For the OpenAPI document: file or audio."""

    file = serializers.FileField(required=False, help_text="multipart/form-data: any audio file.")
    audio = serializers.CharField(required=False, help_text="Base64 of PCM16 little-endian mono.")
    sample_rate = serializers.IntegerField(required=False, help_text="Of audio, in Hz; 24000.")


class ScriptRunRequest(serializers.Serializer[Any]):
    """For the OpenAPI document."""

    conversation = serializers.CharField(help_text="Its id, ours or Tavus's.")
    variables = serializers.DictField(child=serializers.CharField(), required=False)


@extend_schema(tags=["scripts"])
class ScriptList(View, generics.ListAPIView[Script]):
    """Scripts, newest first; POST writes a script."""

    roles = {"POST": Operator}
    codes = {"POST": TEXT}
    serializer_class = ScriptSerializer
    pagination_class = Pages
    filter_backends: list[Any] = []
    queryset = Script.objects.none()

    def get_queryset(self) -> QuerySet[Script]:
        """Newest first."""
        return said_within(self.limits).order_by("-id")

    @extend_schema(request=ScriptRequest, responses={201: ScriptSerializer})
    @idempotent(lambda: new_public_id("sc"))
    def post(self, request: Request, ref: str) -> Response:
        """400 names each line that can't be, as `lines.3.text`; they are counted from 1."""
        given = {"name": None, "lines": None, **_given(request, *FIELDS)}
        return Response(
            ScriptSerializer(keeping.save_script(actor=self.actor(), public_id=ref, **given)).data, status=201
        )

    def answer_for(self, ref: str, **kwargs: Any) -> Response | None:
        """The script that a repeated request wrote."""
        script = Script.objects.filter(public_id=ref).first()
        return Response(ScriptSerializer(script).data, status=201) if script else None


@extend_schema(tags=["scripts"], responses=ScriptSerializer)
class ScriptOne(View):
    """One script."""

    roles = {"PATCH": Operator, "DELETE": Operator}
    codes = {"PATCH": (*TEXT, "changed")}
    shows = ScriptSerializer

    def get(self, request: Request, script_id: str) -> Response:
        """As it is now."""
        return self.one(found(script_id, self.limits))

    @extend_schema(request=ScriptRequest)
    def patch(self, request: Request, script_id: str) -> Response:
        """Changes what is given; runs that were started keep the lines they have. New lines have their variables
        anew: defaults that still fit are kept."""
        script = found(script_id)
        given = _given(request, *FIELDS, "revision")
        revision = given.pop("revision", None)
        if revision is not None and (isinstance(revision, bool) or not isinstance(revision, int)):
            raise ValidationError({"revision": ["Is the number that was read."]})
        if "variables" not in given:
            given["variables"] = keeping.fitting_defaults(script, given.get("lines", script.lines))
        whole = {"name": script.name, "lines": script.lines, **given}
        saved = keeping.save_script(actor=self.actor(), script=script, revision=revision, **whole)
        return Response(ScriptSerializer(saved).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, script_id: str) -> Response:
        """Runs that were started go on."""
        keeping.delete_script(actor=self.actor(), script=found(script_id))
        return Response(status=204)


@extend_schema(tags=["scripts"])
class ScriptRun(View):
    """Says a script in a conversation."""

    roles = {"POST": Operator}
    codes = {"POST": (*SAYING, "script_running")}

    @extend_schema(request=ScriptRunRequest, responses={202: RunSerializer})
    @idempotent(lambda: new_public_id("rn"))
    def post(self, request: Request, ref: str, script_id: str) -> Response:
        """The run; it begins within seconds. Watch, pause, skip, stop and resume it under `runs/{id}/`."""
        script = found(script_id)
        given = _given(request, "conversation", "variables")
        try:
            asked = check(
                {"script": script.public_id, "to": given.get("conversation"), "variables": given.get("variables")}
            )
        except ValidationErrorOfDjango as error:
            raise _renamed(error) from None
        more = {"label": asked.label, "conversation_ref": asked.conversation_ref, "public_id": ref}
        run = start_run(actor=self.actor(), kind="script", params=asked.params, **more)
        record("run.started", self.actor(), {"id": run.public_id, "kind": run.kind, **asked.params})
        return Response(RunSerializer(run).data, status=202)

    def answer_for(self, ref: str, **kwargs: Any) -> Response | None:
        """The run that a repeated request started."""
        run = Run.objects.filter(public_id=ref).first()
        return Response(RunSerializer(run).data, status=202) if run else None


@extend_schema(tags=["scripts"])
class ScriptClips(View):
    """Keeps samples for the lines of scripts."""

    roles = {"POST": Operator}
    codes = {"POST": AUDIO}
    largest_upload = 512 * 1024 * 1024  # bytes: ten minutes of any WAV; a file goes to disk as it comes
    parser_classes = [ObjectParser, MultiPartParser]

    @extend_schema(request=ClipRequest, responses={201: ClipSerializer})
    def post(self, request: Request) -> Response:
        """Kept as long as a script has it. Give its `clip` to a line."""
        file, text = request.FILES.get("file"), request.data.get("audio")
        if (file is None) == (text is None):
            raise ValidationError({"file": ["Give a file (multipart/form-data) or audio (base64 PCM16 mono)."]})
        most = settings.ECHO_MAX_SECONDS
        if file is not None:
            clip = keeping.new_clip(pcm=audio.decode(file, max_seconds=most), sample_rate=audio.RATE)
        else:
            rate = audio.check_sample_rate(request.data.get("sample_rate", audio.RATE))
            clip = keeping.new_clip(pcm=[audio.pcm_from_base64(text, rate, max_seconds=most)], sample_rate=rate)
        return Response(ClipSerializer(clip).data, status=201)


def found(script_id: str, limits: Limits | None = None) -> Script:
    """Raises NotFound."""
    script = said_within(limits).filter(public_id=script_id[:32]).first()
    if script is None:
        raise NotFound(f"There is no script {script_id[:80]!r}. They are listed under /api/v1/scripts/.")
    return script


def _given(request: Request, *known: str) -> dict[str, Any]:
    if strangers := sorted(set(request.data) - set(known)):
        raise ValidationError({strangers[0]: [f"There is no such field. There are: {', '.join(known)}."]})
    return dict(request.data)


def _renamed(error: ValidationErrorOfDjango) -> ValidationErrorOfDjango:
    """The run's `to` is called conversation here."""
    named = {"conversation" if name == "to" else name: words for name, words in error.message_dict.items()}
    return ValidationErrorOfDjango(named)
