"""What a message over a WebSocket asks for, checked. Runs in threads: most of it asks the database."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.conf import settings
from rest_framework.exceptions import ParseError, ValidationError

from conversations import audio, interactions
from conversations.live.visitor import Visitor, again
from conversations.models import Conversation, Echo
from conversations.serializers import echo_dict
from conversations.services import speaking
from conversations.services.speaking import Utterance
from echoadmin.accounts.roles import OPERATOR
from echoadmin.actors import Actor
from echoadmin.api import limits
from echoadmin.api.parsing import check_object
from echoadmin.api.problems import refused

LONGEST_REF = 200  # characters of JSON


def parsed(text: str) -> Any:
    """Any JSON. Raises ParseError."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ParseError("The message is no JSON.") from None


def ref_of(data: Any) -> Any:
    """What the answer names; None for what is too long to be sent back."""
    ref = data.get("ref") if isinstance(data, dict) else None
    try:
        return ref if len(json.dumps(ref)) <= LONGEST_REF else None
    except RecursionError:
        return None


def checked(data: Any) -> dict[str, Any]:
    """A message. Raises ParseError and ValidationError."""
    message = check_object(data)
    if message.get("ref") is not None and ref_of(message) is None:
        raise ValidationError({"ref": [f"Is at most {LONGEST_REF} characters of JSON."]})
    return message


def acting(visitor: Visitor) -> Actor:
    """The visitor as they are now, as the log names them. Raises Unwelcome, and 403 for who may only listen."""
    now = again(visitor)
    if not now.may(OPERATOR):
        raise refused(403, "forbidden", "Speaking needs the role operator, and for a key the scope speak.")
    return now.actor(uuid.uuid4().hex)


def asking(visitor: Visitor) -> Actor:
    """The same for a message that asks for something anew: it counts as a request does. Raises ApiError (429)."""
    limits.charge(visitor.api_key, visitor.user)
    return acting(visitor)


def conversation_now(pk: int) -> Conversation:
    """As it is now: the connection may be older than its end."""
    return Conversation.objects.select_related("persona").get(pk=pk)


def speak(visitor: Visitor, pk: int, data: dict[str, Any]) -> dict[str, Any]:
    """`echo`: a text, or audio that is there as a whole. The echo as it is shown."""
    actor = asking(visitor)
    text, samples = data.get("text"), data.get("audio")
    common: dict[str, Any] = {"actor": actor, "conversation": conversation_now(pk), "inference_id": _inference_id(data)}
    if (text is None) == (samples is None):
        words = "Give exactly one of text and audio (base64 PCM16 mono)."
        raise ValidationError({"text": [words], "audio": [words]})
    if samples is None:
        return echo_dict(speaking.speak_text(text=interactions.check_text(text), **common))
    rate = audio.check_sample_rate(data.get("sample_rate", audio.RATE))
    pcm = audio.pcm_from_base64(samples, rate, max_seconds=settings.ECHO_MAX_SECONDS)
    return echo_dict(speaking.speak_audio(pcm=[pcm], sample_rate=rate, pacing=_pacing(data), **common))


def open_audio(visitor: Visitor, pk: int, data: dict[str, Any]) -> Echo:
    """`audio`: samples follow."""
    return speaking.open_audio(
        actor=asking(visitor),
        conversation=conversation_now(pk),
        sample_rate=audio.check_sample_rate(data.get("sample_rate", audio.RATE)),
        inference_id=_inference_id(data),
        pacing=_pacing(data),
    )


def open_text(visitor: Visitor, pk: int, data: dict[str, Any]) -> tuple[Utterance, str]:
    """`text`: its words follow. With the first of them, which are in the message."""
    words = interactions.check_piece(data.get("text") or "")
    actor, inference_id = asking(visitor), _inference_id(data)
    return speaking.open_text(actor=actor, conversation=conversation_now(pk), inference_id=inference_id), words


def say_next(visitor: Visitor, utterance: Utterance, words: str) -> None:
    """A sentence of an open text."""
    speaking.say_next(actor=acting(visitor), utterance=utterance, text=words)


def interrupt(visitor: Visitor, pk: int) -> speaking.Interrupted:
    """`interrupt`."""
    return speaking.interrupt(actor=asking(visitor), conversation=conversation_now(pk))


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _pacing(data: dict[str, Any]) -> str:
    return speaking.check_pacing(data.get("pacing") or "lead")


def _inference_id(data: dict[str, Any]) -> str | None:
    given = data.get("inference_id")
    return None if given is None else interactions.check_inference_id(given)
