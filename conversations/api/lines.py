"""`/api/v1/lines/`: saved lines, one's own and those that others share."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from conversations import audio
from conversations.api.conversations import plain
from conversations.api.echoes import echo_of
from conversations.models import SavedLine
from conversations.services import lines
from echoadmin.accounts.permissions import Operator
from echoadmin.api.catalogue import AUDIO, TEXT
from echoadmin.api.paging import Pages
from echoadmin.api.parsing import ObjectParser
from echoadmin.api.views import View
from echoadmin.idempotency import idempotent
from echoadmin.public_ids import new_public_id

GIVEN = ("name", "shared", "text", "file", "conversation", "inference_id")
CHANGED = ("name", "shared", "text", "position")


class LineSerializer(serializers.Serializer[Any]):
    """A text or a clip with a name."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    modality = serializers.SerializerMethodField(help_text="text or audio.")
    text = serializers.CharField(help_text="Empty for audio.")
    seconds = serializers.FloatField(help_text="Of a text, as estimated.")
    sample_rate = serializers.IntegerField(allow_null=True)
    shared = serializers.BooleanField(help_text="Everybody sees and says it; its owner alone changes it.")
    owner = serializers.CharField()
    position = serializers.IntegerField()
    created_at = serializers.DateTimeField()

    def get_modality(self, line: SavedLine) -> str:
        """What it is."""
        return "text" if line.clip_id is None else "audio"


class LineRequest(serializers.Serializer[Any]):
    """For the OpenAPI document: exactly one of text, file (multipart), and an echo by conversation and inference_id."""

    name = serializers.CharField(max_length=100)
    text = serializers.CharField(required=False)
    file = serializers.FileField(required=False)
    conversation = serializers.CharField(required=False)
    inference_id = serializers.CharField(required=False)
    shared = serializers.BooleanField(required=False)


class LineChange(serializers.Serializer[Any]):
    """For the OpenAPI document."""

    name = serializers.CharField(required=False, max_length=100)
    text = serializers.CharField(required=False)
    shared = serializers.BooleanField(required=False)
    position = serializers.IntegerField(required=False)


@extend_schema(tags=["lines"])
class LineList(View, generics.ListAPIView[SavedLine]):
    """Saved lines, newest first; POST saves a line."""

    roles = {"POST": Operator}
    codes = {"POST": (*TEXT, *AUDIO, "not_found")}
    parser_classes = [ObjectParser, MultiPartParser]
    serializer_class = LineSerializer
    pagination_class = Pages
    filter_backends: list[Any] = []
    queryset = SavedLine.objects.none()

    def get_queryset(self) -> QuerySet[SavedLine]:
        """Visible ones."""
        return seen(self).order_by("-id")

    @extend_schema(request=LineRequest, responses={201: LineSerializer})
    @idempotent(lambda: new_public_id("ln"))
    def post(self, request: Request, ref: str) -> Response:
        """A text, an audio file, or what an echo said."""
        data = {name: request.data[name] for name in known(request, GIVEN)}
        shared = {"true": True, "false": False}.get(str(data.get("shared", False)).lower(), data.get("shared"))
        common: dict[str, Any] = {"actor": self.actor(), "name": data.get("name"), "shared": shared, "public_id": ref}
        ways = [way for way in ("text", "file", "inference_id") if data.get(way) is not None]
        if len(ways) != 1:
            words = "Give exactly one of text, file (multipart), and conversation with inference_id."
            raise ValidationError({way: [words] for way in ways or ("text",)})
        if ways == ["text"]:
            line = lines.save_text(text=data["text"], **common)
        elif ways == ["file"]:
            if "file" not in request.FILES:
                raise ValidationError({"file": ["Is to be a file: send the body as multipart/form-data."]})
            pcm = audio.decode(request.FILES["file"], max_seconds=settings.ECHO_MAX_SECONDS)
            line = lines.save_samples(pcm=pcm, sample_rate=audio.RATE, **common)
        else:
            echo = echo_of(plain(str(data.get("conversation") or "")), str(data["inference_id"]))
            line = lines.save_echo(echo=echo, **common)
        return Response(LineSerializer(line).data, status=201)

    def answer_for(self, ref: str, **kwargs: Any) -> Response | None:
        """The line that a repeated request saved."""
        line = SavedLine.objects.filter(public_id=ref).first()
        return Response(LineSerializer(line).data, status=201) if line else None


@extend_schema(tags=["lines"], responses=LineSerializer)
class LineOne(View):
    """One line; its owner, or an admin, changes it."""

    roles = {"PATCH": Operator, "DELETE": Operator}
    codes = {"PATCH": TEXT}
    shows = LineSerializer

    def get(self, request: Request, line_id: str) -> Response:
        """As it is now."""
        return self.one(self.found(line_id))

    @extend_schema(request=LineChange)
    def patch(self, request: Request, line_id: str) -> Response:
        """Changes what is given."""
        line = self.found(line_id)
        given = {name: request.data[name] for name in known(request, CHANGED)}
        return Response(LineSerializer(lines.change_line(actor=self.actor(), line=line, **given)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, line_id: str) -> Response:
        """What was said of it stays in the log."""
        lines.delete_line(actor=self.actor(), line=self.found(line_id))
        return Response(status=204)

    def found(self, line_id: str) -> SavedLine:
        """Raises NotFound."""
        line = seen(self).filter(public_id=line_id).first()
        if line is None:
            raise NotFound(f"There is no line {line_id[:80]!r} that you may see. They are listed under /api/v1/lines/.")
        return line


def seen(view: View) -> QuerySet[SavedLine]:
    """One's own and shared lines; to a limited key none: a line does not tell what persona or conversation it is of."""
    found = lines.visible_lines(view.request.user.pk)
    return found.none() if view.limits else found


def known(request: Request, names: tuple[str, ...]) -> list[str]:
    """The body's fields. Raises ValidationError for one that there is not."""
    if strangers := sorted(set(request.data) - set(names)):
        raise ValidationError({strangers[0]: [f"There is no such field. There are: {', '.join(names)}."]})
    return list(request.data)
