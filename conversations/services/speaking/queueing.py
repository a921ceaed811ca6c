"""The queue of a conversation: who may speak now, the next place in it, and its new row. All that is said goes
through `queue`."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from conversations import bells, interactions, outbox
from conversations.models import Conversation, Echo, EchoState, Room, Wanted
from conversations.refusals import ConversationOver, FloorTaken, IdTaken, NotJoined, QueueFull, Refusal
from echoadmin.actors import Actor

WAITING = (EchoState.HELD, EchoState.QUEUED)


class Wish(NamedTuple):
    """One echo that is asked for: its id, what tells it from another body, and the columns that say what it is."""

    inference_id: str
    body: str
    fields: dict[str, Any]


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
    wish = Wish(inference_id or uuid.uuid4().hex, body, fields)
    with transaction.atomic():
        place = take_place(conversation)
        there = conversation.echoes.filter(inference_id=inference_id).first() if inference_id else None
        if known := same_echo(there, wish, closed=closed):
            return known
        check_floor(actor, place)
        check_queue(conversation)
        echo = insert(actor, conversation, place, wish, closed=closed)
        ring_worker(conversation, bells.AUDIO if echo.modality == "audio" else bells.ECHO, place.worker)
    return echo


def queue_all(actor: Actor, conversation: Conversation, wishes: Sequence[Wish]) -> list[Echo]:
    """The same for several: all of them, in their order and next to each other, or none. One bell for all.

    A Refusal's field names the one that it is about: `items[3].inference_id`.
    """
    check_can_speak(conversation)
    with transaction.atomic():
        place = take_place(conversation, len(wishes))
        found = conversation.echoes.filter(inference_id__in=[wish.inference_id for wish in wishes])
        there = {echo.inference_id: echo for echo in found}
        echoes: list[Echo | None] = []
        for number, wish in enumerate(wishes):
            with item(number):
                echoes.append(same_echo(there.get(wish.inference_id), wish, closed=True))
        if new := echoes.count(None):
            check_floor(actor, place)
            check_queue(conversation, new)
        first = place.position - len(wishes) + 1
        said = [
            known or insert(actor, conversation, place._replace(position=first + number), wish, closed=True)
            for number, (known, wish) in enumerate(zip(echoes, wishes, strict=True))
        ]
        ring_worker(conversation, bells.ECHO, place.worker)
    return said


@contextmanager
def item(number: int) -> Iterator[None]:
    """A Refusal raised within is about this one of several, counted from 0."""
    try:
        yield
    except Refusal as refusal:
        refusal.field = f"items[{number}].{refusal.field}"
        raise


def same_echo(there: Echo | None, wish: Wish, *, closed: bool) -> Echo | None:
    """`there`, which has the wish's id, if the same wish made it. Raises IdTaken where it is another one."""
    if there is not None and not (there.body_sha256 == wish.body and closed):
        raise IdTaken("inference_id", f"{wish.inference_id} was used for another echo. Use a new one for other words.")
    return there


def insert(
    actor: Actor,
    conversation: Conversation,
    place: outbox.Place,
    wish: Wish,
    *,
    closed: bool,
) -> Echo:
    """Its row, in its place."""
    now = timezone.now()
    return Echo.objects.create(
        conversation=conversation,
        inference_id=wish.inference_id,
        wire_id=wish.inference_id,
        position=place.position,
        source=actor.source,
        actor=actor.name,
        api_key_ref=actor.api_key_ref or "",
        request_id=actor.request_id or "",
        state=EchoState.HELD if actor.reviewed else EchoState.QUEUED,
        queued_at=now,
        body_sha256=wish.body,
        closed_at=now if closed else None,
        last_piece_at=now,
        **wish.fields,
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


def check_queue(conversation: Conversation, more: int = 1) -> None:
    """Raises QueueFull where so many more have no place."""
    waiting, most = outbox.waiting(conversation.pk), settings.ECHO_MAX_QUEUED
    if waiting + more > most:
        told = f"{waiting} echoes wait already" if more == 1 else f"{waiting} wait, {more} come, and {most} may"
        raise QueueFull("conversation", f"{told}. Wait for some to be said, or interrupt.")


def _check_wanted(room: Room | None) -> Room:
    if room is None or room.wanted != Wanted.JOINED:
        raise _not_joined()
    return room


def _not_joined() -> NotJoined:
    return NotJoined("conversation", "Its room is not joined, so nobody would hear it. Join it first.")


def take_place(conversation: Conversation, count: int = 1) -> outbox.Place:
    """Of several the last. The room's row is locked until the commit: it orders the queue. Raises NotJoined."""
    place = outbox.take_place(conversation.pk, count)
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
