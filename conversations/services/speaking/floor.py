"""The floor: who alone may speak in a conversation. A free floor is everybody's; an interrupt never needs it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from conversations import bells
from conversations.models import Conversation, Room
from conversations.refusals import FloorTaken, NotNow, Refusal
from conversations.services.rooms import operator_draft
from conversations.services.speaking.queueing import check_floor, locked_room, ring
from echoadmin.accounts.roles import MANAGER, OPERATOR, includes, may
from echoadmin.actors import Actor
from echoadmin.log.writer import append


def take(*, actor: Actor, conversation: Conversation) -> Room:
    """The floor is the actor's; from another one only a manager takes it. Raises FloorTaken."""
    if actor.user_id is None:
        raise NotNow("action", "Only a person or a key takes the floor.")
    with transaction.atomic():
        room = locked_room(conversation)
        was = room.floor_name
        if not _has(actor, room):
            _check_mine_to_give(actor, room)
            _give(room, actor.user_id, actor.name, actor.api_key_ref or "")
            _tell(actor, conversation, room, "floor.taken", was=was or None)
    return room


def hand_over(*, actor: Actor, conversation: Conversation, to: str) -> Room:
    """The floor goes from who has it, or by a manager, to the user named `to`."""
    user: Any = get_user_model().objects.filter(username=to, is_active=True).first()
    if user is None or not may(user, OPERATOR):
        raise Refusal("to", f"There is no {to[:80]!r} who may speak. Give the name of a user who is an operator.")
    with transaction.atomic():
        room = locked_room(conversation)
        _check_mine_to_give(actor, room)
        _give(room, user.pk, user.get_username(), "")
        _tell(actor, conversation, room, "floor.handed", to=user.get_username())
    return room


def release(*, actor: Actor, conversation: Conversation) -> Room:
    """Everybody with the role may speak again."""
    with transaction.atomic():
        room = locked_room(conversation)
        was = room.floor_name
        if room.floor_user_id is not None:
            _check_mine_to_give(actor, room)
            _give(room, None, "", "")
            _tell(actor, conversation, room, "floor.released", was=was)
    return room


def _has(actor: Actor, room: Room) -> bool:
    return (room.floor_user_id, room.floor_key_ref) == (actor.user_id, actor.api_key_ref or "")


def _check_mine_to_give(actor: Actor, room: Room) -> None:
    try:
        check_floor(actor, room)
    except FloorTaken:
        if not includes(actor.role, MANAGER):
            raise


def _give(room: Room, user_id: int | None, name: str, key_ref: str) -> None:
    room.floor_user_id, room.floor_name, room.floor_key_ref = user_id, name, key_ref
    room.floor_since = None if user_id is None else timezone.now()
    room.save(update_fields=["floor_user_id", "floor_name", "floor_key_ref", "floor_since"])


def _tell(actor: Actor, conversation: Conversation, room: Room, event_type: str, **facts: object) -> None:
    append([operator_draft(actor, conversation, event_type, **facts)])
    ring(conversation, bells.ROOM, room)


def do_with_floor(*, actor: Actor, conversation: Conversation, action: object, to: object = None) -> Room:
    """`take`, `hand_over` or `release`, as it is named. Raises Refusal for anything else."""
    if action == "take":
        return take(actor=actor, conversation=conversation)
    if action == "hand_over":
        if not isinstance(to, str) or not to:
            raise Refusal("to", "Give the name of the user who gets the floor.")
        return hand_over(actor=actor, conversation=conversation, to=to)
    if action == "release":
        return release(actor=actor, conversation=conversation)
    raise Refusal("action", "Is take, hand_over or release.")
