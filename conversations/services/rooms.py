"""Join and leave: what is wanted of a room. A keeper makes it so."""

from __future__ import annotations

from django.db import transaction

from conversations import bells
from conversations.models import Conversation, Room, RoomState, Wanted
from conversations.refusals import ConversationOver
from conversations.rooms.urls import check_room_url
from echoadmin.actors import Actor
from echoadmin.log.writer import Draft, append


def join(*, actor: Actor, conversation: Conversation) -> Room:
    """Want the room joined; raises ConversationOver, or Refusal for a room on a domain that is not Daily's."""
    if not conversation.is_active:
        raise ConversationOver("conversation", f"It is {_word(conversation)}; only an active one can be joined.")
    check_room_url(conversation.conversation_url)
    return _want(actor, conversation, Wanted.JOINED)


def leave(*, actor: Actor, conversation: Conversation) -> Room:
    """Want the room left. Upstream ends a conversation `participant_left_timeout` seconds after the last human left."""
    return _want(actor, conversation, Wanted.IDLE)


def _want(actor: Actor, conversation: Conversation, wanted: str) -> Room:
    with transaction.atomic():
        room, _ = Room.objects.select_for_update().get_or_create(conversation=conversation)
        changed = room.wanted != wanted or (wanted == Wanted.JOINED and room.state == RoomState.FAILED)
        if changed:
            room.wanted, room.next_try_at, room.tries = wanted, None, 0
            room.save(update_fields=["wanted", "next_try_at", "tries"])
            append([operator_draft(actor, conversation, f"room.{'join' if wanted == Wanted.JOINED else 'leave'}")])
        bells.ring_room_on_commit(conversation.pk, room.worker.name if room.worker else None, bells.ROOM)
        bells.ring_tail_on_commit(conversation.public_id)
    return room


def operator_draft(actor: Actor, conversation: Conversation, event_type: str, **facts: object) -> Draft:
    """The entry of something that a person or a program asked for in a conversation."""
    return Draft(
        stream=conversation.public_id,
        kind="operator",
        event_type=event_type,
        family="other",
        conversation_ref=conversation.public_id,
        persona_ref=conversation.persona.public_id if conversation.persona else None,
        actor=actor.name,
        api_key_ref=actor.api_key_ref,
        request_id=actor.request_id,
        message={"source": actor.source, **facts},
    )


def _word(conversation: Conversation) -> str:
    return conversation.status if conversation.state == "live" else conversation.state
