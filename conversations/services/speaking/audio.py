"""Samples: whole, or while they arrive."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from conversations import audio, bells
from conversations.models import Conversation, Echo
from conversations.refusals import EchoClosed, Empty, Refusal
from conversations.services.speaking.queueing import check_can_speak, check_place, queue, ring
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
    clip = clips.new_clip(sample_rate)
    digest, size = hashlib.sha256(b"audio %d " % sample_rate), 0
    try:
        for block in pcm:
            clips.append_samples(clip.pk, block)
            digest.update(block)
            size += len(block)
        if not size:
            raise Empty("audio", "Has no samples. Send at least one.")
        fields = {"modality": "audio", "clip_id": clip.pk, "sample_rate": sample_rate, "pacing": pacing}
        fields["seconds"] = audio.seconds(size, sample_rate)
        echo = queue(actor, conversation, inference_id, digest.hexdigest(), fields, closed=True)
    except BaseException:
        clips.drop_clip(clip.pk)
        raise
    if echo.clip_id != clip.pk:  # the same echo was there before: its samples are kept once
        clips.drop_clip(clip.pk)
    return echo


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


def append_audio(*, echo: Echo, pcm: bytes, done: bool = False) -> Echo:
    """More samples for an open echo; `done` closes it. Raises EchoClosed after that, and TooLong over
    ECHO_MAX_SECONDS."""
    with transaction.atomic():
        held = Echo.objects.select_for_update().get(pk=echo.pk)
        if held.closed_at is not None or held.is_final:
            why = held.reason or held.state
            raise EchoClosed("inference_id", f"This echo takes no more audio ({why}). Use a new inference_id.")
        if pcm:
            end = clips.append_samples(int(held.clip_id or 0), pcm) + len(pcm)
            held.seconds = audio.seconds(end, int(held.sample_rate or 1))
            audio.check_length(held.seconds, settings.ECHO_MAX_SECONDS)
        now = timezone.now()
        held.last_piece_at = now
        held.closed_at = now if done else None
        held.save(update_fields=["seconds", "last_piece_at", "closed_at"])
        ring(held.conversation, bells.ECHO)
    return held


def check_pacing(value: object) -> str:
    """One of lead, realtime, burst. Raises Refusal."""
    if value not in PACINGS:
        raise Refusal("pacing", f"Is one of {', '.join(PACINGS)}.")
    return str(value)
