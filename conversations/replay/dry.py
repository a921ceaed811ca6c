"""A dry replay: what would be sent, when, and what would fail; nothing is queued."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import Sum
from django.db.models.functions import Length
from django.utils import timezone

from conversations import interactions
from conversations.models import Conversation, Echo
from conversations.refusals import Refusal
from conversations.replay.asking import Line, Replay, check_room
from echoadmin.log.models import Clip, ClipPart

SHOWN = 200  # characters of a text


def would(conversation: Conversation, origin: Echo | None, line: Line) -> dict[str, Any]:
    """What would become of one line; `fails` is None, or why it can't be said."""
    told: dict[str, Any] = {"echo": line.origin, "at": line.at, "fails": None, "messages": 0, "seconds": 0.0}
    if origin is None:
        return {**told, "fails": "The echo is no longer there."}
    told |= {"inference_id": origin.inference_id, "modality": origin.modality, "edited": line.text is not None}
    try:
        if line.text is None and origin.modality == "audio":
            return told | _of_samples(origin)
        return told | _of_text(conversation, origin.text if line.text is None else line.text)
    except Refusal as refusal:
        return {**told, "fails": refusal.message}


def problems(conversation: Conversation, replay: Replay, seconds: float) -> list[str]:
    """What stands in the way of all of it, in words."""
    found = []
    try:
        check_room(conversation)
    except Refusal as refusal:
        found.append(refusal.message)
    persona = conversation.persona
    if persona is not None and persona.pipeline_mode and not persona.is_echo:
        found.append(f"The persona's pipeline_mode is {persona.pipeline_mode}: the replica also speaks for itself.")
    if conversation.is_active and not found and not conversation.room.replica_present:
        found.append("No replica is in the room now; lines wait for one for a while, then they fail.")
    left = _seconds_left(conversation)
    if left is not None and seconds > left:
        found.append(f"It takes about {seconds:.0f} s, and Tavus ends the conversation in {left:.0f} s.")
    return found


def missing_samples(origin: Echo) -> str | None:
    """Why an audio echo can't be said once more; None when all its samples are there."""
    size = Clip.objects.filter(pk=origin.clip_id or 0).values_list("size", flat=True).first()
    there = ClipPart.objects.filter(clip=origin.clip_id).aggregate(bytes=Sum(Length("samples")))["bytes"] or 0
    if size is None or there < size:
        return "Its samples were erased."
    if not size:
        return "It has no samples."
    return "More of its audio is still to come." if origin.closed_at is None else None


def _of_samples(origin: Echo) -> dict[str, Any]:
    size = Clip.objects.filter(pk=origin.clip_id or 0).values_list("size", flat=True).first() or 0
    messages = -(-size // settings.ECHO_CHUNK_BYTES)
    return {"messages": messages, "seconds": origin.seconds, "fails": missing_samples(origin)}


def _of_text(conversation: Conversation, text: str) -> dict[str, Any]:
    interactions.check_text(text)
    parts = interactions.split_text(text, str(conversation.upstream_id), "x" * 40)
    return {"messages": len(parts), "seconds": interactions.estimated_seconds(text), "text": text[:SHOWN]}


def _seconds_left(conversation: Conversation) -> float | None:
    if conversation.max_call_duration is None:
        return None
    return conversation.max_call_duration - (timezone.now() - conversation.started_at).total_seconds()
