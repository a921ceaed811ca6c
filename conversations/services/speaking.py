"""Make the replica speak, stop it, and say again: rows for the outbox. Nothing here talks to Daily."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from conversations import audio, bells, interactions, outbox
from conversations.models import Conversation, Echo, EchoState, Interaction, Room, Wanted
from conversations.refusals import (
    ConversationOver,
    EchoClosed,
    Empty,
    IdTaken,
    NotJoined,
    NotNow,
    QueueFull,
    Refusal,
    Unspeakable,
)
from conversations.services.rooms import operator_draft
from echoadmin.actors import Actor
from echoadmin.log import clips
from echoadmin.log.writer import append

PACINGS = ("lead", "realtime", "burst")
WAITING = (EchoState.HELD, EchoState.QUEUED)
SAYABLE_AGAIN = (EchoState.UNCONFIRMED, EchoState.FAILED, EchoState.INTERRUPTED, EchoState.CANCELLED, EchoState.SPOKEN)


@dataclass(frozen=True, slots=True)
class Interrupted:
    """What an interrupt did at once: the ids of what it cancelled, and the interaction that was queued for the
    room."""

    cancelled: list[str]
    interaction: Interaction


def speak_text(*, actor: Actor, conversation: Conversation, text: str, inference_id: str | None = None) -> Echo:
    """Queue a text echo. The same id with the same text gives the same echo; raises a Refusal for what can't be."""
    interactions.check_text(text)
    fields = {"modality": "text", "text": text, "seconds": interactions.estimated_seconds(text)}
    return _queue(actor, conversation, inference_id, _digest("text", text), fields, closed=True)


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
    _check_can_speak(conversation)
    _check_place(conversation, inference_id)
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
        echo = _queue(actor, conversation, inference_id, digest.hexdigest(), fields, closed=True)
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
    _check_can_speak(conversation)
    with transaction.atomic():
        clip = clips.new_clip(sample_rate)
        fields = {"modality": "audio", "clip_id": clip.pk, "sample_rate": sample_rate, "pacing": pacing}
        return _queue(actor, conversation, inference_id, "", fields, closed=False)


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
        _ring(held.conversation, bells.ECHO)
    return held


def cancel(*, actor: Actor, echo: Echo) -> Echo:
    """Take a waiting echo out of the queue; raises NotNow once it is being sent (interrupt it then)."""
    with transaction.atomic():
        taken = Echo.objects.filter(pk=echo.pk, state__in=WAITING).update(
            state=EchoState.CANCELLED, reason="cancelled", detail=f"Cancelled by {actor.name}.", ended_at=timezone.now()
        )
        echo.refresh_from_db()
        if not taken:
            raise NotNow(
                "state", f"It is {echo.state} and can't be cancelled any more; interrupt the conversation to stop it."
            )
        append([operator_draft(actor, echo.conversation, "echo.cancel", inference_id=echo.inference_id)])
        _ring(echo.conversation, bells.ECHO)
    return echo


def say_again(*, actor: Actor, echo: Echo, inference_id: str | None = None) -> Echo:
    """A new echo with the words or samples of one that ended; only a person or the client ever asks for this."""
    if echo.state not in SAYABLE_AGAIN:
        raise NotNow("state", f"It is {echo.state}; only an echo that has ended can be said again.")
    names = ("modality", "text", "clip_id", "sample_rate", "seconds", "pacing")
    fields: dict[str, Any] = {name: getattr(echo, name) for name in names}
    fields["again_of"] = echo
    return _queue(actor, echo.conversation, inference_id, echo.body_sha256, fields, closed=True)


def say_of(
    *, actor: Actor, conversation: Conversation, origin: Echo, inference_id: str, text: str | None = None
) -> Echo:
    """A new echo with the words (`text` in their place, if given) or samples of another one, which it names."""
    if text is not None or origin.modality == "text":
        words = interactions.check_text(origin.text if text is None else text)
        fields: dict[str, Any] = {"modality": "text", "text": words, "seconds": interactions.estimated_seconds(words)}
        body = _digest("text", words)
    else:
        names = ("modality", "clip_id", "sample_rate", "seconds", "pacing")
        fields, body = {name: getattr(origin, name) for name in names}, origin.body_sha256
    fields["replay_of"] = origin.pk
    return _queue(actor, conversation, inference_id, body, fields, closed=True)


def interrupt(*, actor: Actor, conversation: Conversation) -> Interrupted:
    """Cancel the queue and stop what the replica says. What came of it is in the interaction's `result`, soon."""
    with transaction.atomic():
        room = _locked_room(conversation)
        cancelled = outbox.cancel_queued(
            conversation.pk, reason="interrupted", detail=f"An interrupt by {actor.name} cancelled what waited."
        )
        message = interactions.interrupt(str(conversation.upstream_id))
        interaction = _interaction(actor, conversation, message)
        append([operator_draft(actor, conversation, "echo.interrupt", cancelled=cancelled)])
        _ring(conversation, bells.INTERACTION, room)
    return Interrupted(cancelled, interaction)


def send_interaction(*, actor: Actor, conversation: Conversation, message: dict[str, Any]) -> Interaction:
    """Queue any other interaction; `message` is a whole app message, checked for what Daily can carry."""
    checked = interactions.raw(message)
    if r"\u0000" in json.dumps(checked).replace(r"\\", ""):
        raise Unspeakable("message", "Holds a NUL character, which not every database can keep. Remove it.")
    if checked.get("event_type") == "conversation.echo":
        raise Refusal(
            "event_type", "An echo goes through echoes/, where it is paced, followed and kept; send it there."
        )
    with transaction.atomic():
        room = _locked_room(conversation)
        interaction = _interaction(actor, conversation, checked)
        _ring(conversation, bells.INTERACTION, room)
    return interaction


def check_pacing(value: object) -> str:
    """One of lead, realtime, burst. Raises Refusal."""
    if value not in PACINGS:
        raise Refusal("pacing", f"Is one of {', '.join(PACINGS)}.")
    return str(value)


def _queue(
    actor: Actor,
    conversation: Conversation,
    inference_id: str | None,
    body: str,
    fields: dict[str, Any],
    *,
    closed: bool,
) -> Echo:
    if inference_id is not None:
        interactions.check_inference_id(inference_id)
    _check_can_speak(conversation)
    with transaction.atomic():
        place = _take_place(conversation)
        if inference_id and (known := conversation.echoes.filter(inference_id=inference_id).first()):
            if known.body_sha256 == body and closed:
                return known
            raise IdTaken("inference_id", f"{inference_id} was used for another echo. Use a new one for other words.")
        _check_queue(conversation)
        echo = _insert(actor, conversation, place, inference_id or uuid.uuid4().hex, body, fields, closed=closed)
        _ring_worker(conversation, bells.ECHO, place.worker)
    return echo


def _insert(
    actor: Actor,
    conversation: Conversation,
    place: outbox.Place,
    inference_id: str,
    body: str,
    fields: dict[str, Any],
    *,
    closed: bool,
) -> Echo:
    now = timezone.now()
    return Echo.objects.create(
        conversation=conversation,
        inference_id=inference_id,
        wire_id=inference_id,
        position=place.position,
        source=actor.source,
        actor=actor.name,
        api_key_ref=actor.api_key_ref or "",
        request_id=actor.request_id or "",
        state=EchoState.QUEUED,
        queued_at=now,
        body_sha256=body,
        closed_at=now if closed else None,
        last_piece_at=now,
        **fields,
    )


def _interaction(actor: Actor, conversation: Conversation, message: dict[str, Any]) -> Interaction:
    return Interaction.objects.create(
        conversation=conversation,
        event_type=str(message.get("event_type", ""))[:120],
        message=message,
        actor=actor.name,
        api_key_ref=actor.api_key_ref or "",
        request_id=actor.request_id or "",
        source=actor.source,
        queued_at=timezone.now(),
    )


def _check_can_speak(conversation: Conversation) -> None:
    if not conversation.is_active:
        word = conversation.status if conversation.state == "live" else conversation.state
        raise ConversationOver("conversation", f"It is {word}; nothing can be said in it. Create a new conversation.")


def _check_place(conversation: Conversation, inference_id: str | None) -> None:
    """What would be refused in the end is refused before its samples are stored."""
    _check_wanted(Room.objects.filter(conversation=conversation).first())
    if inference_id is None or not conversation.echoes.filter(inference_id=inference_id).exists():
        _check_queue(conversation)


def _check_queue(conversation: Conversation) -> None:
    waiting = outbox.waiting(conversation.pk)
    if waiting >= settings.ECHO_MAX_QUEUED:
        raise QueueFull("conversation", f"{waiting} echoes wait already. Wait for some to be said, or interrupt.")


def _check_wanted(room: Room | None) -> Room:
    if room is None or room.wanted != Wanted.JOINED:
        raise _not_joined()
    return room


def _not_joined() -> NotJoined:
    return NotJoined("conversation", "Its room is not joined, so nobody would hear it. Join it first.")


def _take_place(conversation: Conversation) -> outbox.Place:
    """The room's row is locked until the commit: it orders the queue. Raises NotJoined."""
    place = outbox.take_place(conversation.pk)
    if place is None:
        raise _not_joined()
    return place


def _locked_room(conversation: Conversation) -> Room:
    """The room's row, locked until the commit. Raises NotJoined."""
    found = Room.objects.select_for_update(of=("self",)).select_related("worker").filter(conversation=conversation)
    return _check_wanted(found.first())


def _ring(conversation: Conversation, about: str, room: Room | None = None) -> None:
    if room is None:
        room = Room.objects.select_related("worker").filter(conversation=conversation).first()
    if room is not None:
        _ring_worker(conversation, about, room.worker.name if room.worker else None)


def _ring_worker(conversation: Conversation, about: str, worker: str | None) -> None:
    bells.ring_room_on_commit(conversation.pk, worker, about)
    bells.ring_tail_on_commit(conversation.public_id)


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
