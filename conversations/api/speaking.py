"""From the body of a POST to an echo: a text, base64 samples, or a file."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from conversations import audio, interactions
from conversations.models import Conversation, Echo
from conversations.services import speaking
from echoadmin.actors import Actor

WAYS = ("text", "audio", "file")


def speak(actor: Actor, conversation: Conversation, request: Request, ref: str) -> Echo:
    """Queues what the body asks for, under its own inference_id or `ref`. Raises ValidationError and Refusal."""
    data = request.data
    given = [name for name in WAYS if data.get(name) is not None]
    if len(given) != 1:
        words = "Give exactly one of text, audio (base64 PCM16 mono) and file (multipart)."
        raise ValidationError({name: [words] for name in given or WAYS})
    common: dict[str, Any] = {"actor": actor, "conversation": conversation, "inference_id": _inference_id(data, ref)}
    pacing = speaking.check_pacing(data.get("pacing") or "lead")
    if given == ["text"]:
        return speaking.speak_text(text=interactions.check_text(data["text"]), **common)
    if given == ["audio"]:
        return _speak_samples(data, pacing, common)
    return _speak_file(request, pacing, common)


def _speak_samples(data: Any, pacing: str, common: dict[str, Any]) -> Echo:
    rate = audio.check_sample_rate(_number(data.get("sample_rate", audio.RATE)))
    pcm = audio.pcm_from_base64(data["audio"], rate, max_seconds=settings.ECHO_MAX_SECONDS)
    return speaking.speak_audio(pcm=[pcm], sample_rate=rate, pacing=pacing, **common)


def _speak_file(request: Request, pacing: str, common: dict[str, Any]) -> Echo:
    file = request.FILES.get("file")
    if file is None:
        raise ValidationError({"file": ["Is to be a file: send the body as multipart/form-data."]})
    blocks = audio.decode(file, max_seconds=settings.ECHO_MAX_SECONDS)
    return speaking.speak_audio(pcm=blocks, sample_rate=audio.RATE, pacing=pacing, **common)


def _inference_id(data: Any, ref: str) -> str:
    given = data.get("inference_id")
    return ref if given is None else interactions.check_inference_id(given)


def _number(value: Any) -> Any:
    """Multipart has only texts."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10 else value
