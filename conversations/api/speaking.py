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
MOST_AT_ONCE = 100  # echoes in one array


def speak(actor: Actor, conversation: Conversation, request: Request, ref: str) -> Echo:
    """Queues what the body asks for, under its own inference_id or `ref`. Raises ValidationError and Refusal."""
    data = request.data
    given = _one_way(data, WAYS, "Give exactly one of text, audio (base64 PCM16 mono) and file (multipart).")
    common: dict[str, Any] = {"actor": actor, "conversation": conversation, "inference_id": _inference_id(data, ref)}
    pacing = speaking.check_pacing(data.get("pacing") or "lead")
    if given == "text":
        return speaking.speak_text(text=interactions.check_text(data["text"]), **common)
    if given == "audio":
        return _speak_samples(data, pacing, common)
    return _speak_file(request, pacing, common)


def speak_all(actor: Actor, conversation: Conversation, items: list[dict[str, Any]], ref: str) -> list[Echo]:
    """Queues all of an array, or none; those without an inference_id of their own get one made of `ref`.

    Raises ValidationError and Refusal, naming the field as `items[3].text`.
    """
    if not 1 <= len(items) <= MOST_AT_ONCE:
        raise ValidationError({"items": [f"An array has 1 to {MOST_AT_ONCE} echoes; this one has {len(items)}."]})
    utterances = []
    for number, (data, made) in enumerate(zip(items, ids_of(items, ref), strict=True)):
        with speaking.item(number):
            utterances.append(_utterance(data, _inference_id(data, made), number))
    return speaking.speak_all(actor=actor, conversation=conversation, utterances=utterances)


def ids_of(items: list[dict[str, Any]], ref: str) -> list[str]:
    """The inference_ids of an array's echoes: their own, as they were given, or made of `ref`."""
    own = (item.get("inference_id") for item in items)
    return [f"{ref}-{number}" if given is None else str(given) for number, given in enumerate(own)]


def _utterance(data: dict[str, Any], inference_id: str, number: int) -> speaking.Saying:
    words = "Give text or audio (base64 PCM16 mono); a file is sent by itself, as multipart."
    given = _one_way(data, ("text", "audio"), words, f"items[{number}].")
    pacing = speaking.check_pacing(data.get("pacing") or "lead")
    if given == "text":
        return speaking.Saying(inference_id, text=interactions.check_text(data["text"]), pacing=pacing)
    rate, pcm = _samples(data)
    return speaking.Saying(inference_id, pcm=pcm, sample_rate=rate, pacing=pacing)


def _one_way(data: Any, ways: tuple[str, ...], words: str, path: str = "") -> str:
    given = [name for name in WAYS if data.get(name) is not None]
    if len(given) != 1 or given[0] not in ways:
        raise ValidationError({f"{path}{name}": [words] for name in given or ways})
    return given[0]


def _speak_samples(data: Any, pacing: str, common: dict[str, Any]) -> Echo:
    rate, pcm = _samples(data)
    return speaking.speak_audio(pcm=[pcm], sample_rate=rate, pacing=pacing, **common)


def _samples(data: Any) -> tuple[int, bytes]:
    rate = audio.check_sample_rate(_number(data.get("sample_rate", audio.RATE)))
    return rate, audio.pcm_from_base64(data["audio"], rate, max_seconds=settings.ECHO_MAX_SECONDS)


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
