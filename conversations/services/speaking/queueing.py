"""The queue of a conversation: who may speak now, the next place in it, and its new row. All that is said goes
through `queue`."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from conversations import bells, interactions, outbox
from conversations.models import Conversation, Echo, EchoState, Room, Wanted
from conversations.refusals import ConversationOver, FloorTaken, IdTaken, NotJoined, QueueFull
from echoadmin.actors import Actor

WAITING = (EchoState.HELD, EchoState.QUEUED)


def queue(
    actor: Actor,
    conversation: Conversation,
    inference_id: str | None,
    body: str,
    fields: dict[str, Any],
    *,
    closed: bool,
) -> Echo:
    """One more echo at the end, or the one that this very wish made before; raises a Refusal for what can't be."""
    if inference_id is not None:
        interactions.check_inference_id(inference_id)
    check_can_speak(conversation)
    with transaction.atomic():
        place = take_place(conversation)
        if inference_id and (known := conversation.echoes.filter(inference_id=inference_id).first()):
            if known.body_sha256 == body and closed:
                return known
            raise IdTaken("inference_id", f"{inference_id} was used for another echo. Use a new one for other words.")
        check_floor(actor, place)
        check_queue(conversation)
        echo = insert(actor, conversation, place, inference_id or uuid.uuid4().hex, body, fields, closed=closed)
        ring_worker(conversation, bells.AUDIO if echo.modality == "audio" else bells.ECHO, place.worker)
    return echo


def insert(
    actor: Actor,
    conversation: Conversation,
    place: outbox.Place,
    inference_id: str,
    body: str,
    fields: dict[str, Any],
    *,
    closed: bool,
) -> Echo:
    """Its row, in its place."""
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
        state=EchoState.HELD if actor.reviewed else EchoState.QUEUED,
        queued_at=now,
        body_sha256=body,
        closed_at=now if closed else None,
        last_piece_at=now,
        **fields,
    )


def check_can_speak(conversation: Conversation) -> None:
    """Raises ConversationOver where nothing can be said any more."""
    if not conversation.is_active:
        word = conversation.status if conversation.state == "live" else conversation.state
        raise ConversationOver("conversation", f"It is {word}; nothing can be said in it. Create a new conversation.")


def check_floor(actor: Actor, room: Room | outbox.Place) -> None:
    """Raises FloorTaken where another one has the floor; a key has it as itself, not as its owner."""
    if room.floor_user_id is None:
        return
    if (room.floor_user_id, room.floor_key_ref) != (actor.user_id, actor.api_key_ref or ""):
        raise FloorTaken(
            "conversation",
            f"{room.floor_name} has the floor. Ask them to hand it over; a manager can take it.",
        )


def check_place(actor: Actor, conversation: Conversation, inference_id: str | None) -> None:
    """What would be refused in the end is refused before its samples are stored."""
    room = _check_wanted(Room.objects.filter(conversation=conversation).first())
    if inference_id is None or not conversation.echoes.filter(inference_id=inference_id).exists():
        check_floor(actor, room)
        check_queue(conversation)


def check_queue(conversation: Conversation) -> None:
    """Raises QueueFull."""
    waiting = outbox.waiting(conversation.pk)
    if waiting >= settings.ECHO_MAX_QUEUED:
        raise QueueFull("conversation", f"{waiting} echoes wait already. Wait for some to be said, or interrupt.")


def _check_wanted(room: Room | None) -> Room:
    if room is None or room.wanted != Wanted.JOINED:
        raise _not_joined()
    return room


def _not_joined() -> NotJoined:
    return NotJoined("conversation", "Its room is not joined, so nobody would hear it. Join it first.")


def take_place(conversation: Conversation) -> outbox.Place:
    """The room's row is locked until the commit: it orders the queue. Raises NotJoined."""
    place = outbox.take_place(conversation.pk)
    if place is None:
        raise _not_joined()
    return place


def locked_room(conversation: Conversation) -> Room:
    """The room's row, locked until the commit. Raises NotJoined."""
    found = Room.objects.select_for_update(of=("self",)).select_related("worker").filter(conversation=conversation)
    return _check_wanted(found.first())


def ring(conversation: Conversation, about: str, room: Room | None = None) -> None:
    """Tell the worker that holds the room, and who looks at the conversation, at the commit."""
    if room is None:
        room = Room.objects.select_related("worker").filter(conversation=conversation).first()
    if room is not None:
        ring_worker(conversation, about, room.worker.name if room.worker else None)


def ring_worker(conversation: Conversation, about: str, worker: str | None) -> None:
    """The same, where the worker is known."""
    bells.ring_room_on_commit(conversation.pk, worker, about)
    bells.ring_tail_on_commit(conversation.public_id)


def digest_of(*parts: str) -> str:
    """What tells an equal repeat from another body."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
