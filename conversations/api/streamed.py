"""An echo's audio as a WAV file, in whole or by range, a block at a time."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from conversations.api.conversations import one
from conversations.api.echoes import echo_of
from echoadmin.api.problems import outside
from echoadmin.api.views import View
from echoadmin.log.models import Clip
from echoadmin.log.wav import RangeNotSatisfiable, byte_range, clip_wav
from echoadmin.streaming import RANGE, AnyAccept, streamed


@extend_schema(
    tags=["echoes"],
    parameters=[RANGE],
    responses={(200, "audio/wav"): OpenApiTypes.BINARY, (206, "audio/wav"): OpenApiTypes.BINARY},
)
class EchoAudio(View):
    """What an audio echo says, as PCM16 mono WAV."""

    content_negotiation_class = AnyAccept
    codes = {"GET": ("range_not_satisfiable",)}

    def get(self, request: Request, any_id: str, inference_id: str) -> HttpResponseBase:
        """200, 206 for a Range, 416 for one outside. A text echo has no audio: 404."""
        echo = echo_of(one(any_id), inference_id)
        if echo.clip_id is None:
            raise NotFound("This echo is a text: Tavus makes its sound, and this console never has it.")
        try:
            wav = clip_wav(echo.clip_id)
            asked = byte_range(request.META.get("HTTP_RANGE"), wav.size)
        except Clip.DoesNotExist:
            raise NotFound("The samples of this echo were erased.") from None
        except RangeNotSatisfiable:
            raise outside(wav.size) from None
        first, stop = asked or (0, wav.size)
        headers = {"Accept-Ranges": "bytes", "Content-Length": str(stop - first), "Content-Type": "audio/wav"}
        if asked:
            headers["Content-Range"] = f"bytes {first}-{stop - 1}/{wav.size}"
        return streamed(request._request, wav.blocks(first, stop), 206 if asked else 200, headers)
