"""Samples: whole, or while they arrive."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from conversations import audio, bells
from conversations.models import Conversation, Echo
from conversations.models.echo import FINAL_STATES
from conversations.refusals import EchoClosed, Empty, Refusal
from conversations.services.speaking.queueing import check_can_speak, check_place, queue, ring_worker
from echoadmin.actors import Actor
from echoadmin.log import clips

PACINGS = ("lead", "realtime", "burst")


def speak_audio(
    *,
    actor: Actor,
    conversation: Conversation,
    pcm: Iterable[bytes],
    sample_rate: int,
    inference_id: str | None = None,
    pacing: str = "lead",
) -> Echo:
    """Queue an audio echo of PCM16 mono blocks, at `sample_rate` Hz; they are stored block by block, never held
    whole."""
    audio.check_sample_rate(sample_rate)
    check_pacing(pacing)
    check_can_speak(conversation)
    check_place(actor, conversation, inference_id)
    body, fields = stored(pcm, sample_rate, pacing)
    try:
        echo = queue(actor, conversation, inference_id, body, fields, closed=True)
    except BaseException:
        clips.drop_clip(fields["clip_id"])
        raise
    drop_unused([fields], [echo])
    return echo


def stored(pcm: Iterable[bytes], sample_rate: int, pacing: str) -> tuple[str, dict[str, Any]]:
    """What tells these samples from others, and the columns of their echo; they lie in a clip from now on, and who
    does not queue that echo drops the clip. Raises Empty."""
    clip = clips.new_clip(sample_rate)
    digest, size = hashlib.sha256(b"audio %d " % sample_rate), 0
    try:
        for block in pcm:
            clips.append_samples(clip.pk, block)
            digest.update(block)
            size += len(block)
        if not size:
            raise Empty("audio", "Has no samples. Send at least one.")
    except BaseException:
        clips.drop_clip(clip.pk)
        raise
    fields = {"modality": "audio", "clip_id": clip.pk, "sample_rate": sample_rate, "pacing": pacing}
    return digest.hexdigest(), {**fields, "seconds": audio.seconds(size, sample_rate)}


def drop_unused(stored_for: Iterable[dict[str, Any]], echoes: Iterable[Echo]) -> None:
    """The same echo was there before: its samples are kept once."""
    for fields, echo in zip(stored_for, echoes, strict=True):
        if "clip_id" in fields and echo.clip_id != fields["clip_id"]:
            clips.drop_clip(fields["clip_id"])


def open_audio(
    *, actor: Actor, conversation: Conversation, sample_rate: int, inference_id: str | None = None, pacing: str = "lead"
) -> Echo:
    """Queue an audio echo whose samples are still to come, by `append_audio`; it is said while they arrive."""
    audio.check_sample_rate(sample_rate)
    check_pacing(pacing)
    check_can_speak(conversation)
    with transaction.atomic():
        clip = clips.new_clip(sample_rate)
        fields = {"modality": "audio", "clip_id": clip.pk, "sample_rate": sample_rate, "pacing": pacing}
        return queue(actor, conversation, inference_id, "", fields, closed=False)


_FINAL = ", ".join(f"'{state}'" for state in FINAL_STATES)
_APPEND = f"""
    UPDATE conversations_echo SET seconds = COALESCE(%s, seconds), last_piece_at = %s, closed_at = %s
    WHERE id = %s AND closed_at IS NULL AND state NOT IN ({_FINAL})
    RETURNING (SELECT name FROM conversations_worker WHERE id = (
        SELECT worker_id FROM conversations_room WHERE conversation_id = conversations_echo.conversation_id))
"""


def append_audio(*, echo: Echo, pcm: bytes, done: bool = False) -> Echo:
    """More samples for an open echo; `done` closes it. Raises EchoClosed after that, and TooLong over
    ECHO_MAX_SECONDS. What comes back is as it is now where `done`, else but for what others changed meanwhile."""
    now = timezone.now()
    with transaction.atomic():
        seconds = None
        if pcm:
            end = clips.append_samples(int(echo.clip_id or 0), pcm) + len(pcm)
            seconds = audio.seconds(end, int(echo.sample_rate or 1))
        worker = _note_piece(echo, seconds, now, now if done else None)
        if seconds is not None:
            audio.check_length(seconds, settings.ECHO_MAX_SECONDS)
            echo.seconds = seconds
        ring_worker(echo.conversation, bells.AUDIO, worker)
    if done:
        echo.refresh_from_db()
    return echo


def _note_piece(echo: Echo, seconds: float | None, now: datetime, closed_at: datetime | None) -> str | None:
    """Which worker holds the room. One statement, and in SQL: it runs many times a second for each that speaks."""
    at, closed = (connection.ops.adapt_datetimefield_value(moment) for moment in (now, closed_at))
    with connection.cursor() as cursor:
        cursor.execute(_APPEND, [seconds, at, closed, echo.pk])
        found: tuple[str | None] | None = cursor.fetchone()
    if found is None:
        held = Echo.objects.get(pk=echo.pk)
        why = held.reason or held.state
        raise EchoClosed("inference_id", f"This echo takes no more audio ({why}). Use a new inference_id.")
    return found[0]


def check_pacing(value: object) -> str:
    """One of lead, realtime, burst. Raises Refusal."""
    if value not in PACINGS:
        raise Refusal("pacing", f"Is one of {', '.join(PACINGS)}.")
    return str(value)
